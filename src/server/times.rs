//! The times that the connections of a server may take.

use std::cell::Cell;
use std::rc::Weak;
use std::time::Duration;

use crate::connection::Connection;

/// The limits of time for each connection.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    /// Without a byte received or sent.
    pub(crate) idle: Option<Duration>,
    /// From its begin to its end.
    pub(crate) total: Option<Duration>,
}

/// A connection that is not closed yet.
pub(super) struct Client {
    pub(super) connection: Weak<Connection>,
    /// When it began, on the monotonic clock.
    began: u64,
    /// The number of transfers when they were last looked at.
    transfers: Cell<u64>,
    /// When the number was seen to have changed.
    active: Cell<u64>,
}

impl Client {
    pub(super) fn new(connection: Weak<Connection>, now: u64) -> Self {
        Self {
            connection,
            began: now,
            transfers: Cell::new(0),
            active: Cell::new(now),
        }
    }

    /// Returns true if the connection has taken too long. It has had so many transfers.
    pub(super) fn is_overdue(&self, times: Times, transfers: u64, now: u64) -> bool {
        if self.transfers.replace(transfers) != transfers {
            self.active.set(now);
        }
        let over = |limit: Option<Duration>, since: u64| {
            let time = Duration::from_nanos(now.saturating_sub(since));
            limit.is_some_and(|limit| time >= limit)
        };
        over(times.idle, self.active.get()) || over(times.total, self.began)
    }
}

impl Times {
    /// Returns how often to look at the connections, or `None` without limits. A connection
    /// ends at most this much later than its limit says.
    pub(super) fn period(self) -> Option<Duration> {
        let shortest = self.idle.into_iter().chain(self.total).min()?;
        Some((shortest / 8).clamp(Duration::from_millis(1), Duration::from_secs(1)))
    }

    /// Says what is wrong with them, if anything is.
    pub(super) fn check(self) -> Option<&'static str> {
        if self.idle == Some(Duration::ZERO) {
            return Some("idle-timeout is 0; it has to be more");
        }
        let none = self.total == Some(Duration::ZERO);
        none.then_some("connection-timeout is 0; it has to be more")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn times(idle: Option<u64>, total: Option<u64>) -> Times {
        Times {
            idle: idle.map(Duration::from_secs),
            total: total.map(Duration::from_secs),
        }
    }

    #[test]
    fn a_connection_is_idle_from_its_last_transfer_on() {
        let limits = times(Some(5), None);
        let client = Client::new(Weak::new(), SECOND);
        assert!(!client.is_overdue(limits, 0, 5 * SECOND));
        assert!(!client.is_overdue(limits, 1, 6 * SECOND));
        assert!(!client.is_overdue(limits, 1, 11 * SECOND - 1));
        assert!(client.is_overdue(limits, 1, 11 * SECOND));
    }

    #[test]
    fn a_connection_that_transfers_comes_to_its_total_time() {
        let limits = times(Some(5), Some(60));
        let client = Client::new(Weak::new(), 0);
        for second in 1..60 {
            assert!(!client.is_overdue(limits, second, second * SECOND));
        }
        assert!(client.is_overdue(limits, 60, 60 * SECOND));
    }

    #[test]
    fn no_limit_is_never_reached() {
        let client = Client::new(Weak::new(), 0);
        assert!(!client.is_overdue(times(None, None), 0, u64::MAX));
        assert_eq!(times(None, None).period(), None);
    }

    #[test]
    fn connections_are_looked_at_eight_times_as_often_as_the_shortest_limit_says() {
        let eighth = times(Some(4), Some(2)).period();
        assert_eq!(eighth, Some(Duration::from_millis(250)));
        let seldom = times(Some(3600), None).period();
        assert_eq!(seldom, Some(Duration::from_secs(1)));
    }
}
