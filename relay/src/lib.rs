//! The blind relay: stores and forwards what it cannot read.
