//! The client's pure state machine: events in, batches and effects out.
