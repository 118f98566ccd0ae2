//! Two who talk over a network that the input plays. See `tests/src/fuzz/session.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sotto_fuzz::session::run(data));
