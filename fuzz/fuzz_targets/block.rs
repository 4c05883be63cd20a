#![no_main]

#[path = "../checks/block.rs"]
mod block;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    block::check(data);
});
