use std::sync::Arc;

use wasmtime::ResourceLimiter;

use super::guard::AccessGuard;
use super::limits::Limits;

/// Counts the memory and the table elements of a guest, and refuses more than its
/// limits allow.
pub struct Limiter {
    limits: Limits,
    memory: usize,
    table_elements: usize,
    /// The bytes of the growth that was permitted last, to be given back if it fails.
    growing: usize,
    guard: Arc<AccessGuard>,
}

impl Limiter {
    pub(crate) fn new(limits: Limits, guard: Arc<AccessGuard>) -> Self {
        Self {
            limits,
            memory: 0,
            table_elements: 0,
            growing: 0,
            guard,
        }
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
        let more = desired.saturating_sub(current);
        let total = self.memory.saturating_add(more);
        if total > self.limits.memory {
            self.guard.memory_denied(total);
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.growing = more;
        self.memory = total;
        self.guard.stats().memory(total);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory = self.memory.saturating_sub(self.growing);
        self.growing = 0;
        self.guard.stats().memory(self.memory);
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self
            .table_elements
            .saturating_add(desired.saturating_sub(current));
        let allowed =
            total <= self.limits.table_elements && maximum.is_none_or(|maximum| desired <= maximum);
        if allowed {
            self.table_elements = total;
        }
        Ok(allowed)
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

    #[test]
    fn the_limit_is_for_all_memories_together() {
        let mut limiter = limiter(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        assert_eq!(limiter.guard.stats().snapshot().memory_bytes, 100);
    }

    #[test]
    fn a_growth_that_fails_is_not_counted() {
        let mut limiter = limiter(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        limiter
            .memory_grow_failed(wasmtime::format_err!("no memory"))
            .unwrap();
        assert_eq!(limiter.guard.stats().snapshot().memory_bytes, 0);
        assert!(limiter.memory_growing(0, 100, None).unwrap());
    }

    #[test]
    fn a_memory_does_not_grow_beyond_its_own_maximum() {
        assert!(!limiter(100).memory_growing(0, 60, Some(50)).unwrap());
    }
}
