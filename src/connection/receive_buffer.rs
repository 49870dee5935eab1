//! The buffers that a connection receives into.

use std::cell::{Cell, RefCell};

/// The buffer in bytes that an idle connection keeps ready. A pending receive owns guest
/// memory, and WebAssembly memory never shrinks.
pub(super) const SMALL: usize = 1024;
/// The largest buffer that a connection keeps ready, if its peer sends large messages.
const MEDIUM: usize = 64 * 1024;
/// The most that is received at once: in a buffer of at most `MEDIUM` and a large one.
const LARGE: usize = 256 * 1024;
/// The most that all connections together keep ready beyond `SMALL` each.
const READY: usize = 4 * 1024 * 1024;
/// How many spare large buffers all connections together keep.
const POOLED: usize = 4;

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    /// How many bytes all connections keep ready beyond `SMALL` each.
    static KEPT: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn large_buffer() -> Vec<u8> {
    POOL.with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| Vec::with_capacity(LARGE - MEDIUM))
}

pub(super) fn pool(mut buffer: Vec<u8>) {
    buffer.clear();
    POOL.with_borrow_mut(|pool| {
        if pool.len() < POOLED {
            pool.push(buffer);
        }
    });
}

/// The buffer that a pending receive holds. Its size follows that of the messages.
#[derive(Default)]
pub(super) struct ReceiveBuffer {
    buffer: Vec<u8>,
    /// The share of this buffer in `KEPT`.
    kept: usize,
}

impl ReceiveBuffer {
    pub(super) fn take(&mut self) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.buffer);
        if buffer.capacity() == 0 {
            buffer.reserve_exact(SMALL);
        }
        buffer
    }

    /// Takes the buffer back. The next one is larger if this one was filled, and small if
    /// this one was mostly empty.
    pub(super) fn put_back(&mut self, mut buffer: Vec<u8>) {
        let (received, capacity) = (buffer.len(), buffer.capacity());
        buffer.clear();
        self.buffer = buffer;
        if received == capacity && capacity < MEDIUM {
            let larger = capacity.saturating_mul(4).min(MEDIUM);
            let others = KEPT.get().saturating_sub(self.kept);
            if others.saturating_add(larger) <= READY {
                self.buffer = Vec::with_capacity(larger);
                self.keep(larger);
            }
        } else if received < capacity / 8 && capacity > SMALL {
            self.buffer = Vec::new();
            self.keep(0);
        }
    }

    fn keep(&mut self, size: usize) {
        KEPT.set(KEPT.get().saturating_sub(self.kept).saturating_add(size));
        self.kept = size;
    }
}

impl Drop for ReceiveBuffer {
    fn drop(&mut self) {
        self.keep(0);
    }
}
