use std::time::{Duration, Instant};

use super::bucket::TokenBucket;
use super::{Quota, Quotas};

/// A direction of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    /// From the peer to the guest.
    Received,
    /// From the guest to the peer.
    Sent,
}

/// The use of the quotas that count bytes.
///
/// A transfer starts while any of the quota is left, and is counted when it is done. So it
/// may take more than is left, which the next one pays for.
#[derive(Debug)]
pub(crate) struct ByteQuotas {
    received: Option<TokenBucket>,
    sent: Option<TokenBucket>,
    /// The bytes that are left, of as many.
    total: Option<(u64, u64)>,
}

/// The permission for a transfer, or what stands against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// The transfer may start.
    Go,
    /// The transfer has to wait so long.
    Wait(Duration, Quota),
    /// No byte is left.
    Over(Quota),
}

impl ByteQuotas {
    /// Returns `None` if nothing here has a bound.
    pub(crate) fn new(quotas: &Quotas) -> Option<Self> {
        let Quotas {
            received_per_second,
            sent_per_second,
            bytes,
            ..
        } = quotas;
        [received_per_second, sent_per_second, bytes]
            .iter()
            .any(|quota| quota.is_some())
            .then(|| Self {
                received: received_per_second.map(TokenBucket::new),
                sent: sent_per_second.map(TokenBucket::new),
                total: bytes.map(|most| (most, most)),
            })
    }

    /// Decides about a transfer that is about to start.
    pub(crate) fn begin(&self, half: Half, now: Instant) -> Transfer {
        if let Some((0, most)) = self.total {
            return Transfer::Over(Quota::Bytes(most));
        }
        let (bucket, quota) = match half {
            Half::Received => (&self.received, Quota::ReceivedPerSecond as fn(u64) -> Quota),
            Half::Sent => (&self.sent, Quota::SentPerSecond as fn(u64) -> Quota),
        };
        let Some(bucket) = bucket else {
            return Transfer::Go;
        };
        match bucket.wait(now) {
            Duration::ZERO => Transfer::Go,
            time => Transfer::Wait(time, quota(bucket.rate())),
        }
    }

    /// Counts bytes that were transferred.
    pub(crate) fn count(&mut self, half: Half, bytes: usize, now: Instant) {
        let bytes = bytes as u64;
        if let Some((left, _)) = &mut self.total {
            *left = left.saturating_sub(bytes);
        }
        let bucket = match half {
            Half::Received => &mut self.received,
            Half::Sent => &mut self.sent,
        };
        if let Some(bucket) = bucket {
            bucket.spend(bytes, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotas(quotas: impl FnOnce(&mut Quotas)) -> ByteQuotas {
        let mut all = Quotas::default();
        quotas(&mut all);
        ByteQuotas::new(&all).unwrap()
    }

    #[test]
    fn the_total_counts_both_directions_and_ends_both() {
        let now = Instant::now();
        let mut quotas = quotas(|all| all.bytes = Some(100));
        quotas.count(Half::Received, 60, now);
        assert_eq!(quotas.begin(Half::Sent, now), Transfer::Go);
        quotas.count(Half::Sent, 60, now);
        for half in [Half::Received, Half::Sent] {
            let over = Transfer::Over(Quota::Bytes(100));
            assert_eq!(quotas.begin(half, now), over);
        }
    }

    #[test]
    fn each_direction_has_a_rate_of_its_own_and_waits_for_it() {
        let now = Instant::now();
        let mut quotas = quotas(|all| {
            all.received_per_second = Some(1000);
            all.sent_per_second = Some(500);
        });
        quotas.count(Half::Received, 3000, now);
        assert_eq!(
            quotas.begin(Half::Received, now),
            Transfer::Wait(Duration::from_secs(2), Quota::ReceivedPerSecond(1000))
        );
        assert_eq!(quotas.begin(Half::Sent, now), Transfer::Go);
        quotas.count(Half::Sent, 1000, now);
        let wait = Transfer::Wait(Duration::from_secs(1), Quota::SentPerSecond(500));
        assert_eq!(quotas.begin(Half::Sent, now), wait);
        let later = now + Duration::from_millis(2001);
        assert_eq!(quotas.begin(Half::Received, later), Transfer::Go);
    }

    #[test]
    fn no_state_is_kept_where_no_byte_is_bounded() {
        let mut all = Quotas::default();
        assert!(ByteQuotas::new(&all).is_none());
        all.connections = Some(1);
        assert!(ByteQuotas::new(&all).is_none());
    }
}
