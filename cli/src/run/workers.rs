//! Runs of one program side by side.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use asyncio_streams_host::{Exit, RunReport, Runner, StopHandle};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::signals::COMPUTING;
use crate::report::report;

/// Runs the program once for each runner, each on a thread of its own, until all have
/// ended. Calls `ended` after each.
///
/// When one fails, the others are stopped. The process ends with those that have not ended
/// [`COMPUTING`] after `grace`.
pub(super) fn run(
    runners: Vec<Runner>,
    engine: &Engine,
    component: &Component,
    grace: Duration,
    mut ended: impl FnMut(&RunReport, &StopHandle),
) -> anyhow::Result<Vec<RunReport>> {
    let handles: Vec<StopHandle> = runners.iter().map(Runner::stop_handle).collect();
    let (sender, outcomes) = channel();
    for (number, runner) in runners.into_iter().enumerate() {
        let (sender, engine, component) = (sender.clone(), engine.clone(), component.clone());
        thread::Builder::new()
            .name(format!("worker {number}"))
            .spawn(move || {
                let outcome = run_one(runner, &engine, &component);
                // The receiver is gone only when the process ends without this worker.
                let _ = sender.send((number, outcome));
            })
            .context("cannot start a worker")?;
    }
    drop(sender);
    let mut reports = Vec::new();
    let mut deadline: Option<Instant> = None;
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
                    "another worker computes without a pause and did not end; the process ends"
                ));
                break;
            }
        };
        let outcome = outcome?;
        if let Some(handle) = handles.get(number) {
            ended(&outcome, handle);
        }
        if failed(&outcome) && deadline.is_none() {
            handles.iter().for_each(StopHandle::stop);
            deadline = Instant::now().checked_add(grace.saturating_add(COMPUTING));
        }
        reports.push(outcome);
    }
    handles.iter().for_each(StopHandle::reset_unfinished);
    if reports.is_empty() {
        return Err(anyhow!("the thread of the program ended without a result"));
    }
    Ok(reports)
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
