//! The simulated world, scenarios, profiles to look at, bodies of fuzz targets, conformance and layering.

pub mod conformance;
pub mod fuzz;
pub mod layering;
pub mod profile_maker;
pub mod world;
