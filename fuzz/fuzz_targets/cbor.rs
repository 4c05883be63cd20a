#![no_main]

#[path = "../checks/cbor.rs"]
mod cbor;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    cbor::check(data);
});
