use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::connection::Direction;
use crate::lock::lock;

/// Figures that only rise: of connections, look-ups and denials.
#[derive(Debug, Default)]
pub(super) struct Counters {
    accepted: AtomicU64,
    made: AtomicU64,
    lookups: AtomicU64,
    lookups_failed: AtomicU64,
    /// Denials by the label of their reason. The labels are few.
    denials: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counters {
    pub(super) fn connection(&self, direction: Direction) {
        let counter = match direction {
            Direction::In => &self.accepted,
            Direction::Out => &self.made,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lookup(&self, succeeded: bool) {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        if !succeeded {
            self.lookups_failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn denial(&self, label: &'static str) {
        *lock(&self.denials).entry(label).or_default() += 1;
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    pub(super) fn lookups(&self) -> u64 {
        self.lookups.load(Ordering::Relaxed)
    }

    pub(super) fn lookups_failed(&self) -> u64 {
        self.lookups_failed.load(Ordering::Relaxed)
    }

    pub(super) fn denials(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.denials).clone()
    }
}
