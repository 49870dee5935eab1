use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use thiserror::Error;
use wasmtime::component::{Accessor, Component, Linker, ResourceTable};
use wasmtime::{AsContextMut as _, Engine, Store};
use wasmtime_wasi::p3::bindings::Command;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::Exit;
use crate::{
    Stats, StatsSnapshot, StopHandle, StreamsCtx, StreamsCtxView, StreamsView, add_to_linker,
    apply_limits,
};

/// How long a program's connections may take to finish after `run` returned.
pub const DEFAULT_LINGER: Duration = Duration::from_secs(5);

/// How long a server may take to end after it was asked to stop: longer than the
/// 5 s that the scope of a server gives its connections, and shorter than the
/// 10 s after which those who run containers kill them.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(8);

/// Runs a program: a component that exports `wasi:cli/run` 0.3.
pub struct Runner {
    ctx: StreamsCtx,
    wasi: WasiCtx,
    linger: Duration,
    grace: Duration,
}

/// A run under way, to be awaited.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<RunReport, RunError>> + Send + 'a>>;

/// How a run ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunReport {
    /// How the program ended.
    pub exit: Exit,
    /// What it had in use at the end, after lingering.
    pub stats: StatsSnapshot,
    /// Whether its connections finished after `run` returned.
    pub linger: Linger,
}

/// What became of the connections that were open when `run` returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Linger {
    /// There were none, or all of them finished.
    Finished,
    /// The time was over first; the rest was reset.
    TimedOut,
    /// The program was asked to stop, and that time was over first; the rest was
    /// reset.
    Stopped,
    /// No task of the program was left that could have finished them.
    Abandoned,
    /// The program did not get so far: it trapped, exited or was stopped.
    Skipped,
}

/// A program could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// It was made for the previous WASI.
    #[error(
        "this component is for WASI 0.2 (it exports `{0}`); \
         build it against WASI 0.3, so that it exports `wasi:cli/run@0.3.0`"
    )]
    Wasi02(String),
    /// It exports no `wasi:cli/run` at all.
    #[error(
        "this component is not a program: it does not export `wasi:cli/run@0.3.0` (it exports {0}); \
         in Rust, `asyncio_streams::run!(program)` makes one"
    )]
    NotAProgram(String),
    /// It imports what nobody provides, or something with another type.
    #[error("this component cannot be instantiated: {0:#}")]
    Instantiate(wasmtime::Error),
}

impl Runner {
    /// For one run, with these sockets and this rest of WASI.
    #[must_use]
    pub fn new(ctx: StreamsCtx, wasi: WasiCtx) -> Self {
        Self {
            ctx,
            wasi,
            linger: DEFAULT_LINGER,
            grace: DEFAULT_GRACE,
        }
    }

    /// How long connections may take to finish after `run` returned: what was
    /// written before it still has to reach the peers. Ends at once when there
    /// are none, or none can finish any more.
    #[must_use]
    pub fn linger(mut self, time: Duration) -> Self {
        self.linger = time;
        self
    }

    /// How long a server may take to end after it was asked to stop, the linger
    /// time included. Other programs have no time: there is nothing by which they
    /// could notice.
    #[must_use]
    pub fn grace(mut self, time: Duration) -> Self {
        self.grace = time;
        self
    }

    /// What the program uses, to be read while it runs.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.ctx.stats()
    }

    /// Asks the program to stop: a server comes to its own end, within its
    /// [grace](Self::grace); any other program is dropped.
    ///
    /// ```no_run
    /// # use asyncio_streams_host::{Runner, RunError, RunReport};
    /// # use wasmtime::{Engine, component::Component};
    /// # async fn example(runner: Runner, engine: &Engine, component: &Component)
    /// # -> Result<RunReport, RunError> {
    /// let stop = runner.stop_handle();
    /// tokio::spawn(async move {
    ///     if tokio::signal::ctrl_c().await.is_ok() {
    ///         stop.stop();
    ///     }
    /// });
    /// runner.run(engine, component).await
    /// # }
    /// ```
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.ctx.stop_handle()
    }

    /// Runs the component's `wasi:cli/run` to its end, and its connections to
    /// theirs. Needs a tokio runtime with I/O and time, of one thread for the
    /// best speed.
    ///
    /// Dropping the future drops the program at once.
    ///
    /// A connection that ends without the program having ended it, because it
    /// trapped or its time was over or the future was dropped, is reset: no peer
    /// takes what it has got for all there is. After `wasi:cli/exit` they are
    /// closed, as those of any process that exits.
    ///
    /// # Errors
    ///
    /// When the program cannot be started. A trap is not an error, but an
    /// [`Exit`].
    // Boxed, so that it is compiled here, and not again in each program that
    // calls it.
    pub fn run<'a>(self, engine: &'a Engine, component: &'a Component) -> Running<'a> {
        Box::pin(self.run_here(engine, component))
    }

    async fn run_here(self, engine: &Engine, component: &Component) -> Result<RunReport, RunError> {
        check_is_program(engine, component)?;
        let mut linker = Linker::new(engine);
        add_to_linker(&mut linker).map_err(RunError::Instantiate)?;
        let pre = linker
            .instantiate_pre(component)
            .map_err(RunError::Instantiate)?;
        let indices = wasmtime_wasi::p3::bindings::CommandIndices::new(&pre)
            .map_err(RunError::Instantiate)?;

        let (stats, stop) = (self.ctx.stats(), self.ctx.stop_handle());
        let _ended = EndStats(stats.clone());
        let mut store = Store::new(
            engine,
            StoreData {
                ctx: self.ctx,
                wasi: self.wasi,
                table: ResourceTable::new(),
            },
        );
        apply_limits(&mut store);
        // Dropped before the store.
        let cut = ResetUnfinished(Some(stop.clone()));

        let instance = match pre.instantiate_async(&mut store).await {
            Ok(instance) => instance,
            Err(error) => {
                return Ok(report(
                    &mut store,
                    Exit::from_error(&error),
                    Linger::Skipped,
                ));
            }
        };
        let command = indices
            .load(&mut store, &instance)
            .map_err(RunError::Instantiate)?;
        let outcome = store
            .run_concurrent(async |store| {
                let mut overdue = pin!(stop.overdue(self.grace));
                let Some(result) = call_run(&command, store, &stats, overdue.as_mut()).await else {
                    return wasmtime::error::Ok((Exit::Stopped, Linger::Skipped));
                };
                let exit = match result? {
                    Ok(()) => Exit::Success,
                    Err(()) => Exit::Failure,
                };
                let linger = linger(store, &stats, self.linger, overdue).await;
                Ok((exit, linger))
            })
            .await
            .flatten();
        let (exit, linger) =
            outcome.unwrap_or_else(|error| (Exit::from_error(&error), Linger::Skipped));
        if let Exit::Code(_) = exit {
            cut.cancel();
        }
        Ok(report(&mut store, exit, linger))
    }
}

/// None when it is overdue first.
async fn call_run(
    command: &Command,
    store: &Accessor<StoreData>,
    stats: &Stats,
    mut overdue: Pin<&mut impl Future<Output = ()>>,
) -> Option<wasmtime::Result<Result<(), ()>>> {
    let mut call = pin!(command.wasi_cli_run().call_run(store));
    poll_fn(|cx| {
        answer(store, stats, cx);
        match call.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => overdue.as_mut().poll(cx).map(|()| None),
        }
    })
    .await
}

/// Polled at every turn of the store's event loop, so it sees the end of the
/// last connection.
async fn linger(
    store: &Accessor<StoreData>,
    stats: &Stats,
    time: Duration,
    mut overdue: Pin<&mut impl Future<Output = ()>>,
) -> Linger {
    let mut timeout = pin!(tokio::time::sleep(time));
    poll_fn(|cx| {
        answer(store, stats, cx);
        let now = stats.snapshot();
        if now.unfinished() == 0 {
            return Poll::Ready(Linger::Finished);
        }
        if now.sends_open == 0 && store.poll_no_interesting_tasks(cx).is_ready() {
            return Poll::Ready(Linger::Abandoned);
        }
        if overdue.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Linger::Stopped);
        }
        timeout.as_mut().poll(cx).map(|()| Linger::TimedOut)
    })
    .await
}

fn answer(store: &Accessor<StoreData>, stats: &Stats, cx: &Context<'_>) {
    stats.answer(cx, || {
        store.with(|mut store| {
            let concurrent = store.as_context_mut().concurrent_state_table_size();
            (store.data_mut().table.iter_mut().count(), concurrent)
        })
    });
}

fn report(store: &mut Store<StoreData>, exit: Exit, linger: Linger) -> RunReport {
    let concurrent = match &exit {
        // A store that trapped is not looked into any more.
        Exit::Trap(_) | Exit::Code(_) => 0,
        _ => store.concurrent_state_table_size(),
    };
    let stats = store.data().ctx.stats();
    stats.counted((store.data_mut().table.iter_mut().count(), concurrent));
    RunReport {
        exit,
        stats: stats.snapshot(),
        linger,
    }
}

fn check_is_program(engine: &Engine, component: &Component) -> Result<(), RunError> {
    let ty = component.component_type();
    let exports: Vec<&str> = ty.exports(engine).map(|(name, _)| name).collect();
    if exports
        .iter()
        .any(|name| name.starts_with("wasi:cli/run@0.3."))
    {
        return Ok(());
    }
    match exports
        .iter()
        .find(|name| name.starts_with("wasi:cli/run@0.2."))
    {
        Some(name) => Err(RunError::Wasi02((*name).to_owned())),
        None if exports.is_empty() => Err(RunError::NotAProgram("nothing".to_owned())),
        None => Err(RunError::NotAProgram(format!("`{}`", exports.join("`, `")))),
    }
}

/// Tells whoever waits for a sample that there will be none.
struct EndStats(Stats);

impl Drop for EndStats {
    fn drop(&mut self) {
        self.0.ended();
    }
}

/// Has what is not finished reset when the store is dropped.
struct ResetUnfinished(Option<StopHandle>);

impl ResetUnfinished {
    fn cancel(mut self) {
        self.0 = None;
    }
}

impl Drop for ResetUnfinished {
    fn drop(&mut self) {
        if let Some(stop) = &self.0 {
            stop.reset_unfinished();
        }
    }
}

/// The data of the store.
struct StoreData {
    ctx: StreamsCtx,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for StoreData {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl StreamsView for StoreData {
    fn streams(&mut self) -> StreamsCtxView<'_> {
        StreamsCtxView {
            ctx: &mut self.ctx,
            table: &mut self.table,
        }
    }
}
