//! Every decoder: the first byte chooses one, the rest is what it reads. See `tests/src/fuzz/decoders.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sotto_fuzz::decoders::run(data));
