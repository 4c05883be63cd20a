#![no_main]

#[path = "../checks/event_codec.rs"]
mod event_codec;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    event_codec::check(data);
});
