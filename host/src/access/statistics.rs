use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Context;

use futures::task::AtomicWaker;
use tokio::sync::watch;

use super::connection::Direction;
use super::counters::Counters;

/// The figures of a running guest, readable from any thread.
///
/// Clones show the same guest.
#[derive(Debug, Clone)]
pub struct Stats(Arc<Inner>);

/// The figures at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StatsSnapshot {
    /// Sockets that the guest holds, TCP and Unix, by a handle or by a stream.
    pub sockets_open: usize,
    /// Open sockets that listen.
    pub listeners_open: usize,
    /// Sending halves that are not finished. The guest may have dropped the socket
    /// while the kernel has not taken all bytes yet.
    pub sends_open: usize,
    /// Sockets made or accepted since the start.
    pub sockets_opened_total: u64,
    /// Bytes that the guest has received on its sockets since the start.
    pub bytes_received_total: u64,
    /// Bytes that the kernel has taken from the guest's sockets since the start.
    pub bytes_sent_total: u64,
    /// Requests denied since the start, reported or not.
    pub denied_total: u64,
    /// Connections that the guest has accepted since the start.
    pub accepted_total: u64,
    /// Connections that the guest has made since the start.
    pub connected_total: u64,
    /// Names that the guest has looked up since the start.
    pub lookups_total: u64,
    /// Look-ups of these that gave no address.
    pub lookups_failed_total: u64,
    /// Bytes of memory that count against `Limits::memory`: linear memories, which never
    /// shrink, and what the host keeps for the guest.
    pub memory_bytes: usize,
    /// The largest value that `memory_bytes` has had.
    pub memory_peak: usize,
    /// Entries in the host's resource table, as last counted.
    pub table_len: usize,
    /// Entries in the store's table of tasks, streams and futures, as last counted.
    pub concurrent_len: usize,
}

#[derive(Debug)]
struct Inner {
    sockets_open: AtomicUsize,
    /// Sockets that were taken from the guest, and that it still holds.
    sockets_revoked: AtomicUsize,
    listeners_open: AtomicUsize,
    sends_open: AtomicUsize,
    sockets_opened_total: AtomicU64,
    bytes_received_total: AtomicU64,
    bytes_sent_total: AtomicU64,
    denied_total: AtomicU64,
    counters: Counters,
    memory_bytes: AtomicUsize,
    memory_peak: AtomicUsize,
    table_len: AtomicUsize,
    concurrent_len: AtomicUsize,
    /// A caller of `sample` waits for the tables to be counted.
    asked: AtomicBool,
    /// Wakes the task that runs the guest, which alone can count its tables.
    runner: AtomicWaker,
    /// The number of answers; `None` when the guest has ended.
    answers: watch::Sender<Option<u64>>,
}

impl Stats {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            sockets_open: AtomicUsize::new(0),
            sockets_revoked: AtomicUsize::new(0),
            listeners_open: AtomicUsize::new(0),
            sends_open: AtomicUsize::new(0),
            sockets_opened_total: AtomicU64::new(0),
            bytes_received_total: AtomicU64::new(0),
            bytes_sent_total: AtomicU64::new(0),
            denied_total: AtomicU64::new(0),
            counters: Counters::default(),
            memory_bytes: AtomicUsize::new(0),
            memory_peak: AtomicUsize::new(0),
            table_len: AtomicUsize::new(0),
            concurrent_len: AtomicUsize::new(0),
            asked: AtomicBool::new(false),
            runner: AtomicWaker::new(),
            answers: watch::Sender::new(Some(0)),
        }))
    }

    /// Returns the figures; the lengths of the two tables are those last counted.
    #[must_use]
    pub fn snapshot(&self) -> StatsSnapshot {
        let inner = &*self.0;
        StatsSnapshot {
            sockets_open: inner.sockets_open.load(Ordering::Relaxed),
            listeners_open: inner.listeners_open.load(Ordering::Relaxed),
            sends_open: inner.sends_open.load(Ordering::Relaxed),
            sockets_opened_total: inner.sockets_opened_total.load(Ordering::Relaxed),
            bytes_received_total: inner.bytes_received_total.load(Ordering::Relaxed),
            bytes_sent_total: inner.bytes_sent_total.load(Ordering::Relaxed),
            denied_total: inner.denied_total.load(Ordering::Relaxed),
            accepted_total: inner.counters.accepted(),
            connected_total: inner.counters.made(),
            lookups_total: inner.counters.lookups(),
            lookups_failed_total: inner.counters.lookups_failed(),
            memory_bytes: inner.memory_bytes.load(Ordering::Relaxed),
            memory_peak: inner.memory_peak.load(Ordering::Relaxed),
            table_len: inner.table_len.load(Ordering::Relaxed),
            concurrent_len: inner.concurrent_len.load(Ordering::Relaxed),
        }
    }

    /// Returns the number of denials for each [label](crate::policy::DenyReason::label) of
    /// their reasons. Those of a dry run are among them.
    #[must_use]
    pub fn denials(&self) -> BTreeMap<&'static str, u64> {
        self.0.counters.denials()
    }

    /// Has the running guest's tables counted, and returns the figures.
    ///
    /// The answer comes at the next turn of the guest's event loop: at once when the
    /// guest is idle or has ended. A guest answers once it was started. Cancel-safe.
    pub async fn sample(&self) -> StatsSnapshot {
        let mut answers = self.0.answers.subscribe();
        let before = *answers.borrow_and_update();
        self.0.asked.store(true, Ordering::Release);
        self.0.runner.wake();
        // The sender lives in `self`, so this cannot fail.
        let _ = answers
            .wait_for(|now| now.is_none() || *now != before)
            .await;
        self.snapshot()
    }

    /// Calls `count` if a caller of [`sample`](Self::sample) waits: it returns the
    /// lengths of the resource table and of the concurrent table. The next caller wakes
    /// `cx`.
    pub(crate) fn answer(&self, cx: &Context<'_>, count: impl FnOnce() -> (usize, usize)) {
        self.0.runner.register(cx.waker());
        if self.0.asked.swap(false, Ordering::AcqRel) {
            self.counted(count());
            self.0
                .answers
                .send_modify(|n| *n = n.map(|n| n.wrapping_add(1)));
        }
    }

    pub(crate) fn counted(&self, (table, concurrent): (usize, usize)) {
        self.0.table_len.store(table, Ordering::Relaxed);
        self.0.concurrent_len.store(concurrent, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self) {
        self.0.answers.send_replace(None);
    }

    pub(crate) fn sockets_open(&self) -> usize {
        self.0.sockets_open.load(Ordering::Relaxed)
    }

    pub(crate) fn socket_opened(&self) {
        self.0.sockets_open.fetch_add(1, Ordering::Relaxed);
        self.0.sockets_opened_total.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn socket_closed(&self) {
        self.0.sockets_open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns the number of sockets that were taken from the guest and that it still holds.
    pub(crate) fn revoked(&self) -> usize {
        self.0.sockets_revoked.load(Ordering::Relaxed)
    }

    pub(crate) fn socket_revoked(&self) {
        self.0.sockets_revoked.fetch_add(1, Ordering::Relaxed);
        self.socket_closed();
    }

    pub(crate) fn revoked_closed(&self) {
        self.0.sockets_revoked.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn listener_opened(&self) {
        self.0.listeners_open.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn listener_closed(&self) {
        self.0.listeners_open.fetch_sub(1, Ordering::Relaxed);
    }

    fn send_opened(&self) {
        self.0.sends_open.fetch_add(1, Ordering::Relaxed);
    }

    fn send_closed(&self) {
        self.0.sends_open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.0
            .bytes_received_total
            .fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.0.bytes_sent_total.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn denied(&self, label: &'static str) {
        self.0.denied_total.fetch_add(1, Ordering::Relaxed);
        self.0.counters.denial(label);
    }

    pub(crate) fn connection_opened(&self, direction: Direction) {
        self.0.counters.connection(direction);
    }

    pub(crate) fn looked_up(&self, succeeded: bool) {
        self.0.counters.lookup(succeeded);
    }

    pub(crate) fn memory(&self, bytes: usize) {
        self.0.memory_bytes.store(bytes, Ordering::Relaxed);
        self.0.memory_peak.fetch_max(bytes, Ordering::Relaxed);
    }
}

/// A sending half that is not finished; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenSend(Stats);

impl OpenSend {
    pub(crate) fn new(stats: Stats) -> Self {
        stats.send_opened();
        Self(stats)
    }
}

impl Drop for OpenSend {
    fn drop(&mut self) {
        self.0.send_closed();
    }
}

impl StatsSnapshot {
    /// Returns the number of connections that are not finished, which the end of a run
    /// waits for. A connection whose socket the guest has dropped counts while it still
    /// sends.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        let connections = self.sockets_open.saturating_sub(self.listeners_open);
        connections.max(self.sends_open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use futures::task::noop_waker_ref;

    #[test]
    fn a_sample_is_answered_by_the_running_guest() {
        let stats = Stats::new();
        let mut cx = Context::from_waker(noop_waker_ref());
        let mut sample = Box::pin(stats.sample());
        assert!(sample.poll_unpin(&mut cx).is_pending());
        stats.answer(&cx, || (3, 7));
        let figures = sample.now_or_never().unwrap_or_default();
        assert_eq!((figures.table_len, figures.concurrent_len), (3, 7));
    }

    #[test]
    fn tables_are_counted_only_when_a_sample_is_asked_for() {
        let stats = Stats::new();
        let mut counted = false;
        stats.answer(&Context::from_waker(noop_waker_ref()), || {
            counted = true;
            (0, 0)
        });
        assert!(!counted);
    }

    #[test]
    fn a_guest_that_has_ended_answers_at_once() {
        let stats = Stats::new();
        stats.counted((1, 2));
        stats.ended();
        let figures = stats.sample().now_or_never().unwrap_or_default();
        assert_eq!((figures.table_len, figures.concurrent_len), (1, 2));
    }
}
