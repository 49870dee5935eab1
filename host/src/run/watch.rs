//! The times of a run, watched from outside the store.
//!
//! A guest that computes, or that waits within a call of WASI 0.2, has the whole store: no
//! task in the store goes on before it does. So the limits are not tasks in the store. The
//! watch polls the store and then its timers, in one task. The store gives way at the end
//! of each slice of time ([`epochs`](crate::epochs)).

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Poll;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::times::{TimeLimit, Times};
use crate::StopHandle;
use crate::epochs::Turns;

/// The reason why a run ends from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// The grace after a request to stop is over.
    Grace,
    /// The linger time is over.
    Linger,
    /// A limit of time is reached.
    Limit(TimeLimit),
}

/// The progress of a run. It only goes forward.
#[derive(Debug, Clone, Default)]
pub(super) struct Stage(Arc<AtomicU8>);

const STARTING: u8 = 0;
const RUNNING: u8 = 1;
const RETURNED: u8 = 2;

impl Stage {
    /// The program is instantiated.
    pub(super) fn running(&self) {
        self.0.fetch_max(RUNNING, Ordering::Relaxed);
    }

    /// The program's `run` has returned.
    pub(super) fn returned(&self) {
        self.0.fetch_max(RETURNED, Ordering::Relaxed);
    }

    pub(super) fn has_returned(&self) -> bool {
        self.0.load(Ordering::Relaxed) == RETURNED
    }

    fn is_starting(&self) -> bool {
        self.0.load(Ordering::Relaxed) == STARTING
    }
}

/// Watches the times of one run.
pub(super) struct Watch<'a> {
    pub(super) times: Times,
    pub(super) stop: &'a StopHandle,
    pub(super) stage: &'a Stage,
    pub(super) turns: &'a Turns,
}

impl Watch<'_> {
    /// Runs a program until it ends, or until one of its times is over.
    pub(super) async fn run<T>(&self, program: impl Future<Output = T>) -> Result<T, Over> {
        let times = self.times;
        let mut program = pin!(program);
        let mut total = pin!(after(times.total));
        let mut startup = pin!(after(times.startup));
        let mut overdue = pin!(self.stop.overdue(times.grace));
        let mut linger = None;
        let mut cpu = CpuTime::new(times.cpu);
        poll_fn(|cx| {
            self.turns.turn();
            if let Poll::Ready(ended) = cpu.count(|| program.as_mut().poll(cx)) {
                return Poll::Ready(Ok(ended));
            }
            if let Some(limit) = cpu.exceeded() {
                return Poll::Ready(Err(Over::Limit(TimeLimit::Cpu(limit))));
            }
            if let Poll::Ready(limit) = total.as_mut().poll(cx) {
                return Poll::Ready(Err(Over::Limit(TimeLimit::Total(limit))));
            }
            if self.stage.is_starting()
                && let Poll::Ready(limit) = startup.as_mut().poll(cx)
            {
                return Poll::Ready(Err(Over::Limit(TimeLimit::Startup(limit))));
            }
            if overdue.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(Over::Grace));
            }
            if self.stage.has_returned() {
                let linger =
                    linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(times.linger)));
                return linger.as_mut().poll(cx).map(|()| Err(Over::Linger));
            }
            Poll::Pending
        })
        .await
    }
}

/// Waits for this time and returns it, or waits for ever.
async fn after(time: Option<Duration>) -> Duration {
    match time {
        Some(time) => {
            tokio::time::sleep(time).await;
            time
        }
        None => pending().await,
    }
}

/// The processor time of a program, which is that of its thread during its turns.
struct CpuTime {
    limit: Option<Duration>,
    used: Duration,
}

impl CpuTime {
    fn new(limit: Option<Duration>) -> Self {
        Self {
            limit,
            used: Duration::ZERO,
        }
    }

    /// Counts a turn. Without a limit this does nothing: reading the clock is a system
    /// call.
    fn count<T>(&mut self, turn: impl FnOnce() -> T) -> T {
        if self.limit.is_none() {
            return turn();
        }
        let before = thread_time();
        let result = turn();
        self.used += thread_time().saturating_sub(before);
        result
    }

    fn exceeded(&self) -> Option<Duration> {
        self.limit.filter(|limit| self.used >= *limit)
    }
}

/// The processor time that this thread has used.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}
