//! The simulated world, scenarios, conformance and layering.

pub mod world;
