//! The memory that the host keeps for a guest: one budget, to which everything is charged.
//!
//! The host asks for a [`Charge`] before it keeps anything for a guest longer than for one
//! call: [`AccessGuard::charge`](super::AccessGuard::charge). It stores the charge beside the
//! thing, and the charge gives the memory back when it is dropped. Where the budget has no
//! room, the guest gets `out-of-memory`, or a trap if its interface has no error.
//!
//! Linear memories and tables are charged by the [`Limiter`](super::Limiter). Wasmtime's own
//! tables of handles and tasks cannot be charged one by one. They have a share of the
//! memory, which [`Limits`](super::Limits) computes.
//!
//! A charge is taken when something is made or grows, never for a byte that passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::statistics::Stats;

/// The memory that the host may keep for one guest. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    used: AtomicUsize,
    stats: Stats,
}

/// Memory that the host keeps for a guest. Dropping it gives the memory back.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Budget,
    bytes: usize,
}

/// The guest has no room in its budget for something more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverBudget {
    /// The bytes that the host would keep in all.
    pub(crate) total: usize,
}

impl Budget {
    pub(crate) fn new(limit: usize, stats: Stats) -> Self {
        Self(Arc::new(Inner {
            limit,
            used: AtomicUsize::new(0),
            stats,
        }))
    }

    /// Charges memory until the charge is dropped.
    pub(crate) fn charge(&self, bytes: usize) -> Result<Charge, OverBudget> {
        self.take(bytes)?;
        Ok(Charge {
            budget: self.clone(),
            bytes,
        })
    }

    /// Charges memory until [`give_back`](Self::give_back).
    pub(super) fn take(&self, bytes: usize) -> Result<(), OverBudget> {
        let Inner { limit, used, .. } = &*self.0;
        let more = |used: usize| used.checked_add(bytes).filter(|total| total <= limit);
        match used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(before) => {
                self.0.stats.memory(before.saturating_add(bytes));
                Ok(())
            }
            Err(used) => Err(OverBudget {
                total: used.saturating_add(bytes),
            }),
        }
    }

    pub(super) fn give_back(&self, bytes: usize) {
        let before = self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        self.0.stats.memory(before.saturating_sub(bytes));
    }
}

impl Charge {
    /// Changes the charge, because what it is for grows or shrinks. It stays as it was when
    /// there is no room.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), OverBudget> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.budget.take(more)?,
            None => self.budget.give_back(self.bytes.saturating_sub(bytes)),
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(limit: usize) -> (Budget, Stats) {
        let stats = Stats::new();
        (Budget::new(limit, stats.clone()), stats)
    }

    #[test]
    fn charges_count_until_they_are_dropped() {
        let (budget, stats) = budget(100);
        let one = budget.charge(60).unwrap();
        assert_eq!(budget.charge(41).err(), Some(OverBudget { total: 101 }));
        let other = budget.charge(40).unwrap();
        assert_eq!(stats.snapshot().memory_bytes, 100);
        drop(one);
        assert_eq!(stats.snapshot().memory_bytes, 40);
        drop(other);
        let now = stats.snapshot();
        assert_eq!((now.memory_bytes, now.memory_peak), (0, 100));
    }

    #[test]
    fn a_charge_that_cannot_grow_stays_as_it_was() {
        let (budget, stats) = budget(100);
        let mut charge = budget.charge(10).unwrap();
        charge.set(90).unwrap();
        assert_eq!(charge.set(101), Err(OverBudget { total: 101 }));
        assert_eq!(stats.snapshot().memory_bytes, 90);
        charge.set(5).unwrap();
        assert_eq!(stats.snapshot().memory_bytes, 5);
        drop(charge);
        assert_eq!(stats.snapshot().memory_bytes, 0);
    }

    #[test]
    fn an_overflow_is_over_the_budget() {
        let (budget, _) = budget(usize::MAX);
        let _charge = budget.charge(10).unwrap();
        assert!(budget.charge(usize::MAX).is_err());
    }
}
