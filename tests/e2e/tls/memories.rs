//! Linear memories that a test can search.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use wasmtime::{Config, LinearMemory, MemoryCreator, MemoryType};

/// More than any program here needs.
const CAPACITY: usize = 64 << 20;
const ALIGNMENT: usize = 1 << 16;

/// All memories of an engine, also those of programs that have ended.
#[derive(Clone, Default)]
pub(super) struct Memories(Arc<Mutex<Vec<Arc<Bytes>>>>);

/// The bytes of a memory. They never move, because all of the capacity is allocated at
/// once.
struct Bytes {
    base: *mut u8,
    size: AtomicUsize,
}

struct Memory(Arc<Bytes>);

/// The byte strings to search for.
pub(super) struct Needles {
    needles: Vec<Vec<u8>>,
    /// For each byte, whether a needle begins with it.
    begins: [bool; 256],
}

impl Memories {
    /// Changes the configuration so that its memories are of this kind.
    pub(super) fn config(&self, mut config: Config) -> Config {
        config.with_host_memory(Arc::new(self.clone()));
        config.memory_reservation(CAPACITY as u64);
        config.memory_guard_size(0);
        config.memory_reservation_for_growth(0);
        config.memory_init_cow(false);
        config
    }

    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Counts, for each needle, the memories that contain it. Must not be called while a
    /// program runs.
    pub(super) fn holding(&self, needles: &Needles) -> Vec<usize> {
        let mut holding = vec![0; needles.needles.len()];
        for memory in &*self.0.lock().unwrap() {
            for (count, found) in holding.iter_mut().zip(needles.found(memory.bytes())) {
                *count += usize::from(found);
            }
        }
        holding
    }
}

impl Bytes {
    fn layout() -> Layout {
        Layout::from_size_align(CAPACITY, ALIGNMENT).unwrap()
    }

    fn bytes(&self) -> &[u8] {
        let size = self.size.load(Ordering::Acquire);
        // SAFETY: all bytes are allocated and initialised, and no program writes
        // meanwhile, because callers of `holding` make sure that none runs.
        unsafe { std::slice::from_raw_parts(self.base, size) }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.base, Bytes::layout()) }
    }
}

// SAFETY: it is plain memory; its users decide which thread may access it when.
unsafe impl Send for Bytes {}
// SAFETY: as above.
unsafe impl Sync for Bytes {}

// SAFETY: new memory is zeroed, has as much room as was asked for, and no guard, because
// the configuration asks for none.
unsafe impl MemoryCreator for Memories {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        assert!(minimum <= CAPACITY && reserved.unwrap_or(0) <= CAPACITY && guard == 0);
        // SAFETY: the layout has a size.
        let base = unsafe { alloc_zeroed(Bytes::layout()) };
        assert!(!base.is_null());
        let bytes = Arc::new(Bytes {
            base,
            size: AtomicUsize::new(minimum),
        });
        self.0.lock().unwrap().push(bytes.clone());
        Ok(Box::new(Memory(bytes)))
    }
}

// SAFETY: the pointer stays valid as long as the memory lives, and so many bytes behind
// it can be used.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.0.size.load(Ordering::Acquire)
    }

    fn byte_capacity(&self) -> usize {
        CAPACITY
    }

    fn grow_to(&mut self, size: usize) -> wasmtime::Result<()> {
        if size > CAPACITY {
            return Err(wasmtime::Error::msg(
                "the memories of this test are smaller",
            ));
        }
        self.0.size.store(size, Ordering::Release);
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.0.base
    }
}

impl Needles {
    pub(super) fn new(needles: Vec<Vec<u8>>) -> Needles {
        let mut begins = [false; 256];
        for needle in &needles {
            begins[usize::from(needle[0])] = true;
        }
        Needles { needles, begins }
    }

    /// Returns, for each needle, whether the bytes contain it.
    fn found(&self, bytes: &[u8]) -> Vec<bool> {
        let mut found = vec![false; self.needles.len()];
        for (at, byte) in bytes.iter().enumerate() {
            if !self.begins[usize::from(*byte)] {
                continue;
            }
            for (found, needle) in found.iter_mut().zip(&self.needles) {
                *found |= bytes[at..].starts_with(needle);
            }
        }
        found
    }
}
