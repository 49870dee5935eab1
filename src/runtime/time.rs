//! Timers, from `wasi:clocks`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use wasi::clocks::monotonic_clock;

/// An operation took longer than its time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operation took longer than its limit")]
pub struct TimedOut;

impl From<TimedOut> for std::io::Error {
    fn from(error: TimedOut) -> std::io::Error {
        std::io::Error::new(std::io::ErrorKind::TimedOut, error)
    }
}

/// Waits for `duration`: asyncio's `sleep`. Cancel-safe.
pub async fn sleep(duration: Duration) {
    crate::runtime::budget::refill();
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    monotonic_clock::wait_for(nanoseconds).await;
}

/// Runs `future` for at most `limit`, then drops it: asyncio's `wait_for`.
///
/// Reads and writes of this crate lose nothing when dropped. A task whose handle is dropped
/// goes on; [`JoinHandle::cancel`](crate::JoinHandle::cancel) ends it.
///
/// # Errors
/// [`TimedOut`] when the limit has passed.
pub async fn timeout<T>(limit: Duration, future: impl Future<Output = T>) -> Result<T, TimedOut> {
    let mut future = pin!(future);
    let mut deadline = pin!(sleep(limit));
    poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        deadline.as_mut().poll(cx).map(|()| Err(TimedOut))
    })
    .await
}
