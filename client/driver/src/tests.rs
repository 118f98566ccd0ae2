//! The driver alone, with a real store and no relay.
