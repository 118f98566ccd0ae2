//! The simulated world, scenarios, conformance and layering.
