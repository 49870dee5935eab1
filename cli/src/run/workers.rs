//! Runs of one program side by side.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use asyncio_streams_host::{Exit, RunReport, Runner, StopHandle};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::signals::COMPUTING;
use crate::cli::say;

/// Runs the program once for each runner, each on a thread of its own, until all
/// have ended. When one fails, the others are stopped; those that do not give way
/// within `grace` are left behind, to end with the process.
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
            // The receiver lives until everybody has sent, or the process ends.
            .spawn(move || {
                let outcome = run_one(runner, &engine, &component);
                sender.send((number, outcome)).is_ok()
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
                say(format_args!(
                    "another worker computes and did not give way; the process ends"
                ));
                break;
            }
        };
        let report = outcome?;
        if let Some(handle) = handles.get(number) {
            ended(&report, handle);
        }
        if failed(&report) && deadline.is_none() {
            handles.iter().for_each(StopHandle::stop);
            deadline = Instant::now().checked_add(grace.saturating_add(COMPUTING));
        }
        reports.push(report);
    }
    handles.iter().for_each(StopHandle::reset_unfinished);
    if reports.is_empty() {
        return Err(anyhow!("the program's thread has ended"));
    }
    Ok(reports)
}

/// Whether the others shall not go on.
pub(super) fn failed(report: &RunReport) -> bool {
    report.exit.code() != 0 && !matches!(report.exit, Exit::Stopped)
}

fn run_one(runner: Runner, engine: &Engine, component: &Component) -> anyhow::Result<RunReport> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(runner.run(engine, component));
    runtime.shutdown_background();
    Ok(outcome?)
}
