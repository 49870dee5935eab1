use std::sync::Arc;

use wasmtime::ResourceLimiter;

use super::guard::AccessGuard;
use super::limits::Limits;

/// The bytes of a table's element in wasmtime.
const ELEMENT: usize = size_of::<usize>();

/// Charges the memories and tables of a guest to its budget, and refuses more than its
/// limits allow.
pub struct Limiter {
    limits: Limits,
    table_elements: usize,
    /// The bytes of the growth that was permitted last, to be given back if it fails.
    growing: usize,
    guard: Arc<AccessGuard>,
}

impl Limiter {
    pub(crate) fn new(limits: Limits, guard: Arc<AccessGuard>) -> Self {
        Self {
            limits,
            table_elements: 0,
            growing: 0,
            guard,
        }
    }

    /// Charges a growth, which may fail afterwards.
    fn grow(&mut self, bytes: usize) -> bool {
        self.growing = 0;
        let room = self.guard.charge_growth(bytes);
        if room {
            self.growing = bytes;
        }
        room
    }

    fn grow_failed(&mut self) {
        self.guard.budget().give_back(self.growing);
        self.growing = 0;
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.growing = 0;
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        Ok(fits && self.grow(desired.saturating_sub(current)))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.grow_failed();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.growing = 0;
        let more = desired.saturating_sub(current);
        let total = self.table_elements.saturating_add(more);
        let fits = total <= self.limits.table_elements
            && maximum.is_none_or(|maximum| desired <= maximum)
            && self.grow(more.saturating_mul(ELEMENT));
        if fits {
            self.table_elements = total;
        }
        Ok(fits)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        let elements = self.growing / ELEMENT;
        self.table_elements = self.table_elements.saturating_sub(elements);
        self.grow_failed();
        Ok(())
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        self.limits.tables
    }

    fn memories(&self) -> usize {
        self.limits.memories
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Stats;
    use crate::policy::Policy;

    fn limiter(memory: usize) -> Limiter {
        let limits = Limits {
            memory,
            ..Limits::default()
        };
        let observer = Box::new(crate::TracingObserver);
        let guard = AccessGuard::new(Policy::new(), limits, Stats::new(), observer);
        Limiter::new(limits, Arc::new(guard))
    }

    fn used(limiter: &Limiter) -> usize {
        limiter.guard.stats().snapshot().memory_bytes
    }

    #[test]
    fn the_limit_is_for_all_memories_together() {
        let mut limiter = limiter(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        assert_eq!(used(&limiter), 100);
    }

    #[test]
    fn a_growth_that_fails_is_not_counted() {
        let mut limiter = limiter(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        limiter
            .memory_grow_failed(wasmtime::format_err!("no memory"))
            .unwrap();
        assert_eq!(used(&limiter), 0);
        assert!(limiter.memory_growing(0, 100, None).unwrap());
    }

    #[test]
    fn a_memory_does_not_grow_beyond_its_own_maximum() {
        assert!(!limiter(100).memory_growing(0, 60, Some(50)).unwrap());
    }

    #[test]
    fn tables_and_what_the_host_keeps_share_the_memory() {
        let mut limiter = limiter(10 * ELEMENT);
        let charge = limiter.guard.charge(4 * ELEMENT).unwrap();
        assert!(!limiter.table_growing(0, 7, None).unwrap());
        assert!(limiter.table_growing(0, 6, None).unwrap());
        assert!(!limiter.guard.charge_growth(1));
        limiter
            .table_grow_failed(wasmtime::format_err!("no memory"))
            .unwrap();
        assert!(limiter.memory_growing(0, 6 * ELEMENT, None).unwrap());
        drop(charge);
        assert_eq!(used(&limiter), 6 * ELEMENT);
    }
}
