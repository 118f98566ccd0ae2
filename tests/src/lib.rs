//! The simulated world, scenarios, profiles to look at, conformance and layering.

pub mod conformance;
pub mod layering;
pub mod profile_maker;
pub mod world;
