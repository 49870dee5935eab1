//! The state of the process, as its operators see it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use asyncio_streams_host::{Runner, Stats, StopHandle};
use tokio::sync::watch;

/// The runs of the program, and the address on which it listened first.
#[derive(Debug)]
pub(crate) struct Status {
    runs: OnceLock<Vec<Run>>,
    listening: watch::Sender<Option<String>>,
}

/// A run of the program.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) stats: Stats,
    stop: StopHandle,
    /// The program has answered before, so that it was started.
    answered: AtomicBool,
}

impl Status {
    pub(super) fn new() -> Self {
        Self {
            runs: OnceLock::new(),
            listening: watch::Sender::new(None),
        }
    }

    /// Sets the runs, once they exist.
    pub(super) fn started(&self, runners: &[Runner]) {
        let runs = runners.iter().map(|runner| Run {
            stats: runner.stats(),
            stop: runner.stop_handle(),
            answered: AtomicBool::new(false),
        });
        let _ = self.runs.set(runs.collect());
    }

    /// The program listens on this address.
    pub(super) fn listens(&self, address: String) {
        self.listening.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(address);
            is_first
        });
    }

    pub(super) fn runs(&self) -> &[Run] {
        self.runs.get().map_or(&[], Vec::as_slice)
    }

    /// Waits until the program listens, and returns the address.
    pub(super) async fn listening(&self) -> String {
        let mut address = self.listening.subscribe();
        // The sender lives in `self`, so this cannot fail.
        let found = address.wait_for(Option::is_some).await;
        found.map_or_else(|_| String::new(), |found| found.clone().unwrap_or_default())
    }

    /// Waits until the program was asked to stop. Called when it has started.
    pub(super) async fn stopping(&self) {
        match self.runs().first() {
            Some(run) => run.stop.stopping().await,
            None => std::future::pending().await,
        }
    }

    /// Returns why the program is not ready for connections, if it is not.
    pub(super) fn not_ready(&self) -> Option<&'static str> {
        if self.runs().iter().any(|run| run.stop.is_stopping()) {
            return Some("the program is stopping");
        }
        match &*self.listening.borrow() {
            Some(_) => None,
            None => Some("the program does not listen yet"),
        }
    }

    /// Returns the number of a run that has answered before and does not within `patience`, if
    /// there is one: it computes without a pause.
    pub(super) async fn hanging(&self, patience: Duration) -> Option<usize> {
        for (number, run) in self.runs().iter().enumerate() {
            let sample = tokio::time::timeout(patience, run.stats.sample()).await;
            match sample {
                Ok(_) => run.answered.store(true, Ordering::Relaxed),
                Err(_) if run.answered.load(Ordering::Relaxed) => return Some(number),
                Err(_) => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use asyncio_streams_host::StreamsCtx;

    use super::*;

    #[test]
    fn a_run_that_has_answered_and_does_not_any_more_hangs() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        // Nothing runs it, so that it never answers.
        let ctx = StreamsCtx::builder().build();
        for (answered, hanging) in [(false, None), (true, Some(0))] {
            let status = Status::new();
            let run = Run {
                stats: ctx.stats(),
                stop: ctx.stop_handle(),
                answered: AtomicBool::new(answered),
            };
            status.runs.set(vec![run]).unwrap();
            let found = runtime.block_on(status.hanging(Duration::from_millis(10)));
            assert_eq!(found, hanging);
        }
    }
}
