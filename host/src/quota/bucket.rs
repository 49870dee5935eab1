use std::time::{Duration, Instant};

/// The time in which a full bucket would be emptied: a second's worth may come at once.
const BURST: Duration = Duration::from_secs(1);

/// A bucket that fills with `rate` tokens a second, and holds those of one second.
///
/// Pure: the caller says what time it is.
#[derive(Debug, Clone)]
pub(crate) struct TokenBucket {
    rate: u64,
    /// The moment when the bucket is full again. A moment more than [`BURST`] away means
    /// that tokens are owed.
    full_at: Option<Instant>,
}

impl TokenBucket {
    pub(crate) fn new(rate: u64) -> Self {
        Self {
            rate,
            full_at: None,
        }
    }

    /// The tokens that come in a second.
    pub(crate) fn rate(&self) -> u64 {
        self.rate
    }

    /// Returns true, and takes nothing, if the bucket has a whole token.
    pub(crate) fn has_token(&self, now: Instant) -> bool {
        let missing = self.missing(now);
        let cost = self.time_for(1);
        cost.is_some_and(|cost| missing.saturating_add(cost) <= BURST)
    }

    /// Takes tokens, even if the bucket then owes some.
    pub(crate) fn spend(&mut self, tokens: u64, now: Instant) {
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        let time = self.time_for(tokens).unwrap_or(Duration::MAX);
        // Nothing is granted any more in a time too long for the clock.
        self.full_at = full_at
            .checked_add(time)
            .or_else(|| full_at.checked_add(Duration::from_secs(u64::from(u32::MAX))));
    }

    /// Returns the time until the bucket owes nothing and is not empty: zero if it has any
    /// token, or a part of one.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        if self.rate == 0 {
            return Duration::MAX;
        }
        match self.missing(now).checked_sub(BURST) {
            None => Duration::ZERO,
            // A bucket that is exactly empty has its first token a moment later.
            Some(owed) => owed.max(Duration::from_millis(1)),
        }
    }

    /// The time until the bucket is full.
    fn missing(&self, now: Instant) -> Duration {
        self.full_at
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    /// The time in which the bucket gets so many tokens. `None` if it gets none.
    fn time_for(&self, tokens: u64) -> Option<Duration> {
        let nanos = (u128::from(tokens) * 1_000_000_000).checked_div(u128::from(self.rate))?;
        Some(Duration::from_nanos(
            u64::try_from(nanos).unwrap_or(u64::MAX),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bucket: &mut TokenBucket, now: Instant) -> u64 {
        let mut count = 0;
        while bucket.has_token(now) {
            bucket.spend(1, now);
            count += 1;
        }
        count
    }

    #[test]
    fn a_seconds_worth_comes_at_once_and_then_the_rate() {
        let start = Instant::now();
        for rate in [1, 3, 10, 1000] {
            let mut bucket = TokenBucket::new(rate);
            assert_eq!(taken(&mut bucket, start), rate);
            assert_eq!(taken(&mut bucket, start), 0);
            let mut later = 0;
            for tenth in 1..=100 {
                later += taken(&mut bucket, start + Duration::from_millis(100 * tenth));
            }
            assert!((rate * 10).abs_diff(later) <= 1, "{rate}: {later}");
        }
    }

    #[test]
    fn a_pause_fills_the_bucket_to_a_seconds_worth_and_no_more() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(5);
        taken(&mut bucket, start);
        let later = start + Duration::from_secs(3600);
        assert_eq!(taken(&mut bucket, later), 5);
    }

    #[test]
    fn a_rate_of_zero_gives_nothing_ever() {
        let start = Instant::now();
        let bucket = TokenBucket::new(0);
        assert!(!bucket.has_token(start + Duration::from_secs(3600)));
        assert_eq!(bucket.wait(start), Duration::MAX);
    }

    #[test]
    fn what_is_owed_is_waited_for() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1000);
        assert_eq!(bucket.wait(start), Duration::ZERO);
        bucket.spend(999, start);
        assert_eq!(bucket.wait(start), Duration::ZERO);
        bucket.spend(2001, start);
        assert_eq!(bucket.wait(start), Duration::from_secs(2));
        let end = start + Duration::from_secs(2);
        assert_eq!(
            bucket.wait(end),
            Duration::from_millis(1),
            "a moment for the first token"
        );
        assert_eq!(bucket.wait(end + Duration::from_millis(1)), Duration::ZERO);
    }

    #[test]
    fn a_time_too_long_for_the_clock_is_no_overflow() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1);
        bucket.spend(u64::MAX, start);
        bucket.spend(u64::MAX, start);
        assert!(bucket.wait(start) > Duration::from_secs(1 << 30));
        assert!(!bucket.has_token(start + Duration::from_secs(1 << 20)));
    }
}
