//! The simulated world, scenarios, conformance and layering.

pub mod conformance;
pub mod layering;
pub mod world;
