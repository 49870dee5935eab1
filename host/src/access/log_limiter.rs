use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

/// Distinct lines that may come at once, after a pause.
const BURST: u32 = 20;

/// The time after which one more line may come.
const REFILL: Duration = Duration::from_secs(1);

/// Lines remembered as shown. Beyond that all are forgotten, so that a guest cannot
/// fill the host's memory.
const MAX_SEEN: usize = 1024;

/// Lets each distinct item through once, and distinct items at a limited rate.
#[derive(Debug)]
pub(crate) struct LogLimiter {
    seen: HashSet<u64>,
    tokens: u32,
    refilled: Instant,
    suppressed: u64,
}

/// The decision on an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Show the item, after a line that says how many were left out.
    Show {
        /// Distinct items left out since the last one shown.
        suppressed: u64,
    },
    /// Leave the item out.
    Skip,
}

impl LogLimiter {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            seen: HashSet::new(),
            tokens: BURST,
            refilled: now,
            suppressed: 0,
        }
    }

    /// Decides about an item, and remembers it.
    pub(crate) fn judge(&mut self, item: &impl Hash, now: Instant) -> Verdict {
        let mut hasher = DefaultHasher::new();
        item.hash(&mut hasher);
        let hash = hasher.finish();
        if self.seen.contains(&hash) {
            return Verdict::Skip;
        }
        while self.tokens < BURST && now.duration_since(self.refilled) >= REFILL {
            self.tokens += 1;
            self.refilled += REFILL;
        }
        if self.tokens == 0 {
            self.suppressed += 1;
            return Verdict::Skip;
        }
        if self.tokens == BURST {
            self.refilled = now;
        }
        self.tokens -= 1;
        if self.seen.len() >= MAX_SEEN {
            self.seen.clear();
        }
        self.seen.insert(hash);
        Verdict::Show {
            suppressed: std::mem::take(&mut self.suppressed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOW: Verdict = Verdict::Show { suppressed: 0 };

    #[test]
    fn the_same_item_is_shown_once() {
        let now = Instant::now();
        let mut log_limiter = LogLimiter::new(now);
        assert_eq!(log_limiter.judge(&"a", now), SHOW);
        assert_eq!(log_limiter.judge(&"a", now), Verdict::Skip);
        assert_eq!(log_limiter.judge(&"a", now + REFILL * 100), Verdict::Skip);
        assert_eq!(log_limiter.judge(&"b", now), SHOW);
    }

    #[test]
    fn a_flood_of_distinct_items_is_cut_and_the_rest_counted() {
        let now = Instant::now();
        let mut log_limiter = LogLimiter::new(now);
        let shown = (0..1000_u32)
            .filter(|i| log_limiter.judge(i, now) == SHOW)
            .count();
        assert_eq!(shown, BURST as usize);
        let suppressed = 1000 - u64::from(BURST);
        assert_eq!(
            log_limiter.judge(&1001_u32, now + REFILL),
            Verdict::Show { suppressed }
        );
        assert_eq!(log_limiter.judge(&1002_u32, now + REFILL), Verdict::Skip);
    }
}
