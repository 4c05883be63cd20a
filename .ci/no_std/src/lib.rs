//! Links the core without `std`. What it defines is never run.
#![no_std]

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};

use anabranch as _;

struct Nothing;

// SAFETY: it hands out no memory at all, which an allocator may always do.
unsafe impl GlobalAlloc for Nothing {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static NOTHING: Nothing = Nothing;

#[panic_handler]
fn stop(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
