//! One who keeps to the protocol and one who has its keys and does not. See `tests/src/fuzz/hostile.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sotto_fuzz::hostile::run(data));
