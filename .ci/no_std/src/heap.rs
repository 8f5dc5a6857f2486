//! Memory that is handed out once and never taken back, which is enough for one exchange.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

const SIZE: usize = 1 << 20;

struct Heap {
    memory: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

#[global_allocator]
static HEAP: Heap = Heap { memory: UnsafeCell::new([0; SIZE]), used: AtomicUsize::new(0) };

// SAFETY: each byte is handed out at most once, as the counter only grows.
unsafe impl Sync for Heap {}

// SAFETY: blocks lie within the memory, do not overlap, and are aligned as asked for.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.memory.get().cast::<u8>();
        // As much more as any alignment can take.
        let Some(size) = layout.size().checked_add(layout.align()) else { return ptr::null_mut() };
        let start = self.used.fetch_add(size, Ordering::Relaxed);
        if start.checked_add(size).is_none_or(|end| end > SIZE) {
            return ptr::null_mut();
        }
        let address = base.addr() + start;
        let padding = address.next_multiple_of(layout.align()) - address;
        base.wrapping_add(start + padding)
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
