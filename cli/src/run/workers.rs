//! Runs of one program side by side.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use asyncio_streams_host::{Exit, RunReport, Runner, StopHandle};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::signals::IN_THE_HOST;
use crate::report::report;

/// Runs the program once for each runner, each on a thread of its own, until all have
/// ended. Calls `ended` after each.
///
/// When one fails, the others are stopped. The process ends with those that have not ended
/// [`IN_THE_HOST`] after `grace`.
///
/// # Errors
///
/// Fails when a program cannot be started, or when the thread of a worker dies.
pub(super) fn run(
    runners: Vec<Runner>,
    engine: &Engine,
    component: &Component,
    grace: Duration,
    mut ended: impl FnMut(&RunReport, &StopHandle),
) -> anyhow::Result<Vec<RunReport>> {
    let handles: Vec<StopHandle> = runners.iter().map(Runner::stop_handle).collect();
    let runs = runners.into_iter().map(|runner| {
        let (engine, component) = (engine.clone(), component.clone());
        move || run_one(runner, &engine, &component)
    });
    let supervisor = Supervisor {
        grace: grace.saturating_add(IN_THE_HOST),
        failed,
        stop: || handles.iter().for_each(StopHandle::stop),
    };
    let reports = supervisor.run(runs.collect(), |number, outcome| {
        if let Some(handle) = handles.get(number) {
            ended(outcome, handle);
        }
    });
    handles.iter().for_each(StopHandle::reset_unfinished);
    reports
}

/// Runs workers until all have ended, or until the others have had their time after one
/// has failed.
struct Supervisor<F, S> {
    grace: Duration,
    /// Tells if an outcome is a failure.
    failed: F,
    /// Asks all workers to stop.
    stop: S,
}

impl<F, S: Fn()> Supervisor<F, S> {
    /// Calls `ended` with the number and the outcome of each worker that ends.
    fn run<T, W>(&self, workers: Vec<W>, mut ended: impl FnMut(usize, &T)) -> anyhow::Result<Vec<T>>
    where
        T: Send + 'static,
        W: FnOnce() -> anyhow::Result<T> + Send + 'static,
        F: Fn(&T) -> bool,
    {
        let (sender, outcomes) = channel();
        for (number, worker) in workers.into_iter().enumerate() {
            let sender = sender.clone();
            thread::Builder::new()
                .name(format!("worker {number}"))
                .spawn(move || {
                    let outcome = catch_unwind(AssertUnwindSafe(worker));
                    // The receiver is gone only when the process ends without this worker.
                    let _ = sender.send((number, outcome));
                })
                .context("cannot start a worker")?;
        }
        drop(sender);
        let mut reports = Vec::new();
        let mut deadline: Option<Instant> = None;
        let mut died = None;
        loop {
            let next = match deadline {
                None => outcomes.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => {
                    outcomes.recv_timeout(deadline.saturating_duration_since(Instant::now()))
                }
            };
            let (number, outcome) = match next {
                Ok(next) => next,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    report(format_args!(
                        "another worker is in a call of the host and did not end; the process ends"
                    ));
                    break;
                }
            };
            let fails = match outcome {
                Ok(outcome) => {
                    let outcome = outcome?;
                    ended(number, &outcome);
                    let fails = (self.failed)(&outcome);
                    reports.push(outcome);
                    fails
                }
                Err(panic) => {
                    let message = panic_message(&*panic);
                    died.get_or_insert(anyhow!(
                        "worker {number} died, which is a bug of the command: {message}"
                    ));
                    true
                }
            };
            if fails && deadline.is_none() {
                (self.stop)();
                deadline = Instant::now().checked_add(self.grace);
            }
        }
        match died {
            Some(died) => Err(died),
            None => Ok(reports),
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it panicked")
}

/// True if the run failed, so that the other workers are stopped.
pub(super) fn failed(outcome: &RunReport) -> bool {
    outcome.exit.code() != 0 && !matches!(outcome.exit, Exit::Stopped)
}

fn run_one(runner: Runner, engine: &Engine, component: &Component) -> anyhow::Result<RunReport> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(runner.run(engine, component));
    // Without waiting for its threads: one may be blocked in a read of standard input.
    runtime.shutdown_background();
    Ok(outcome?)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Condvar, Mutex};

    use super::*;

    /// Runs workers that wait until they are asked to stop, beside this one.
    fn beside(worker: fn() -> anyhow::Result<u8>) -> (anyhow::Result<Vec<u8>>, Vec<usize>) {
        let stopped = Arc::new((Mutex::new(false), Condvar::new()));
        let waiting = Arc::clone(&stopped);
        let waits = move || {
            let (stopped, changed) = &*waiting;
            let stopped = stopped.lock().unwrap();
            drop(changed.wait_while(stopped, |stopped| !*stopped).unwrap());
            Ok(0)
        };
        let workers: Vec<Box<dyn FnOnce() -> anyhow::Result<u8> + Send>> =
            vec![Box::new(waits.clone()), Box::new(worker), Box::new(waits)];
        let supervisor = Supervisor {
            grace: Duration::from_secs(300),
            failed: |code: &u8| *code != 0,
            stop: || {
                *stopped.0.lock().unwrap() = true;
                stopped.1.notify_all();
            },
        };
        let mut ended = Vec::new();
        let reports = supervisor.run(workers, |number, _: &u8| ended.push(number));
        ended.sort_unstable();
        (reports, ended)
    }

    #[test]
    fn a_worker_that_fails_stops_the_others() {
        let (reports, ended) = beside(|| Ok(134));
        assert_eq!(reports.unwrap(), [134, 0, 0]);
        assert_eq!(ended, [0, 1, 2]);
    }

    #[test]
    fn a_worker_whose_thread_dies_stops_the_others_and_is_an_error() {
        let (reports, ended) = beside(|| panic!("for the test"));
        let error = reports.unwrap_err().to_string();
        assert!(
            error.contains("worker 1") && error.contains("for the test"),
            "{error}"
        );
        assert_eq!(ended, [0, 2]);
    }
}
