use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use asyncio_streams_wasi::StoreData;
use thiserror::Error;
use wasmtime::component::{Accessor, Component, Linker};
use wasmtime::{AsContextMut as _, Engine, Store};
use wasmtime_wasi::WasiCtx;

use super::Exit;
use super::call::Call;
use super::times::Times;
use super::watch::{Over, Stage, Watch};
use crate::ctx::limit_resources;
use crate::epochs::{Epochs, Turns};
use crate::imports::{asyncio_host, wasi_sockets};
use crate::{Stats, StatsSnapshot, StopHandle, StreamsCtx, StreamsCtxView, StreamsView};

/// The default time for a program's connections to finish after `run` returned.
pub const DEFAULT_LINGER: Duration = Duration::from_secs(5);

/// The default time for a server to end after a request to stop. It is longer than the
/// 5 s that a server's scope gives its connections, and shorter than the 10 s after
/// which container runtimes kill a process.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(8);

/// Runs a program: a component that exports `wasi:cli/run` 0.3.
pub struct Runner {
    ctx: StreamsCtx,
    wasi: WasiCtx,
    times: Times,
}

/// A run under way; awaiting it gives the report.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<RunReport, RunError>> + Send + 'a>>;

/// The result of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunReport {
    /// The end of the program.
    pub exit: Exit,
    /// The program's figures at the end, after lingering.
    pub stats: StatsSnapshot,
    /// The end of its connections after `run` returned.
    pub linger: Linger,
}

/// The end of the connections that were open when `run` returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Linger {
    /// All connections finished, or none was open.
    Finished,
    /// The linger time was over first; the other connections were reset. Or the program
    /// went on computing after its return, or waited within a call of WASI 0.2.
    TimedOut,
    /// The grace after a request to stop was over first; the other connections were
    /// reset.
    Stopped,
    /// The program had no task left that could have finished them.
    Abandoned,
    /// `run` did not return: the program trapped, exited, was stopped, or reached a limit
    /// of time.
    Skipped,
}

/// The reason why a program could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The component exports `wasi:cli/run` of WASI 0.2.
    #[error(
        "this component is for WASI 0.2 (it exports `{0}`); \
         build it against WASI 0.3, so that it exports `wasi:cli/run@0.3.0`"
    )]
    Wasi02(String),
    /// The component does not export `wasi:cli/run`.
    #[error(
        "this component is not a program: it does not export `wasi:cli/run@0.3.0` (it exports {0}); \
         in Rust, `asyncio_streams::run!(program)` makes one"
    )]
    NotAProgram(String),
    /// The component imports an item that the host does not provide, or not with this
    /// type.
    #[error("this component cannot be instantiated: {0:#}")]
    Instantiate(wasmtime::Error),
    /// The thread cannot be started that makes programs give way while they compute.
    #[error("the thread that measures time cannot be started: {0}")]
    Clock(io::Error),
}

impl Runner {
    /// Makes a runner for one run, with this context for sockets and this one for the rest
    /// of WASI.
    #[must_use]
    pub fn new(ctx: StreamsCtx, wasi: WasiCtx) -> Self {
        Self {
            ctx,
            wasi,
            times: Times {
                linger: DEFAULT_LINGER,
                grace: DEFAULT_GRACE,
                cpu: None,
                total: None,
                startup: None,
            },
        }
    }

    /// Sets how long connections may take to finish after `run` returned: bytes that were
    /// written before still have to reach the peers. The run ends earlier when no
    /// connection is open, or none can finish any more.
    #[must_use]
    pub fn linger(mut self, time: Duration) -> Self {
        self.times.linger = time;
        self
    }

    /// Sets how long a server may take to end after a request to stop, the linger time
    /// included. Other programs get no time, since they cannot notice the request.
    #[must_use]
    pub fn grace(mut self, time: Duration) -> Self {
        self.times.grace = time;
        self
    }

    /// Limits the processor time that the program may use: that of its thread while the
    /// thread runs the guest, or the host on its behalf. There is no limit by default.
    ///
    /// A program that reaches this limit, or one of the two that follow, is dropped with
    /// [`Exit::TimeLimit`], even while it computes, because it gives way every 2 ms.
    /// Other futures of the same thread run meanwhile.
    #[must_use]
    pub fn max_cpu(mut self, time: Duration) -> Self {
        self.times.cpu = Some(time);
        self
    }

    /// Limits the time of the whole run, from its start to the end of the last connection,
    /// waits included. There is no limit by default.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.times.total = Some(time);
        self
    }

    /// Limits the time until the program's `run` is called, in which its modules are
    /// instantiated and their start functions run. There is no limit by default.
    #[must_use]
    pub fn startup_timeout(mut self, time: Duration) -> Self {
        self.times.startup = Some(time);
        self
    }

    /// Returns the program's figures, which can be read while it runs.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.ctx.stats()
    }

    /// Returns a handle that asks the program to stop. A server ends by itself within its
    /// [grace](Self::grace); any other program is dropped, even one that computes without
    /// a pause.
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

    /// Runs the component's `wasi:cli/run`, then waits for its connections to finish.
    /// Needs a tokio runtime with I/O and time; one thread gives the best speed.
    ///
    /// Dropping the future drops the program at once.
    ///
    /// Connections that the program has not ended are reset when it traps, when its time
    /// is over or when the future is dropped, so that a peer can tell that its data was
    /// cut short. After `wasi:cli/exit` they are closed, as those of any process that
    /// exits.
    ///
    /// # Errors
    ///
    /// Fails when the program cannot be started. A trap is an [`Exit`] and no error.
    // Boxed, so that the future is compiled in this crate and not again in each program
    // that calls it.
    pub fn run<'a>(self, engine: &'a Engine, component: &'a Component) -> Running<'a> {
        Box::pin(self.run_here(engine, component))
    }

    async fn run_here(self, engine: &Engine, component: &Component) -> Result<RunReport, RunError> {
        check_is_program(engine, component)?;
        let mut linker = Linker::new(engine);
        add_imports(&mut linker).map_err(RunError::Instantiate)?;
        let pre = linker
            .instantiate_pre(component)
            .map_err(RunError::Instantiate)?;
        let indices = wasmtime_wasi::p3::bindings::CommandIndices::new(&pre)
            .map_err(RunError::Instantiate)?;

        let (stats, stop) = (self.ctx.stats(), self.ctx.stop_handle());
        let _ended = EndStats(stats.clone());
        let _epochs = Epochs::announced(engine).map_err(RunError::Clock)?;
        let (turns, stage) = (Turns::default(), Stage::default());
        let mut store = Store::new(engine, StoreData::new(self.wasi, self.ctx));
        limit_resources(&mut store);
        turns.yield_in_time(&mut store);
        // Dropped before the store, so that sockets are cut while they are still open.
        let cut = ResetUnfinished(Some(stop.clone()));

        let watch = Watch {
            times: self.times,
            stop: &stop,
            stage: &stage,
            turns: &turns,
        };
        let returned = Arc::new(OnceLock::new());
        let ended = watch.run(async {
            let instance = match pre.instantiate_async(&mut store).await {
                Ok(instance) => instance,
                Err(error) => return Ok((Exit::from_error(&error), Linger::Skipped)),
            };
            let command = indices
                .load(&mut store, &instance)
                .map_err(RunError::Instantiate)?;
            stage.running();
            let outcome = store
                .run_concurrent(async |store| {
                    let call = command.wasi_cli_run().call_run(store);
                    let call = Call::new(call, stage.clone(), Arc::clone(&returned));
                    let exit = returns(call, store, &stats).await?.into();
                    let linger = linger(store, &stats).await;
                    wasmtime::error::Ok((exit, linger))
                })
                .await
                .flatten();
            Ok(outcome.unwrap_or_else(|error| (Exit::from_error(&error), Linger::Skipped)))
        });
        let (exit, linger) = match ended.await {
            Ok(outcome) => outcome?,
            Err(over) => cut_short(over, returned.get().copied()),
        };
        if let Exit::Code(_) = exit {
            cut.cancel();
        }
        Ok(report(&mut store, exit, linger))
    }
}

/// The end of a run that its watch cut short. `returned` is the result of the program's
/// `run`, if it has returned.
fn cut_short(over: Over, returned: Option<Result<(), ()>>) -> (Exit, Linger) {
    match (over, returned) {
        (Over::Limit(limit), _) => (Exit::TimeLimit(limit), Linger::Skipped),
        (Over::Grace, Some(returned)) => (returned.into(), Linger::Stopped),
        (Over::Linger, Some(returned)) => (returned.into(), Linger::TimedOut),
        (_, None) => (Exit::Stopped, Linger::Skipped),
    }
}

/// Waits until the program's `run` returns.
async fn returns(
    call: Call<impl Future<Output = wasmtime::Result<Result<(), ()>>>>,
    store: &Accessor<StoreData>,
    stats: &Stats,
) -> wasmtime::Result<Result<(), ()>> {
    let mut call = call;
    poll_fn(|cx| {
        answer(store, stats, cx);
        Pin::new(&mut call).poll(cx)
    })
    .await
}

/// Waits until the connections have finished. Wasmtime polls this at every turn of the
/// store's event loop, so it sees the end of the last one. The watch ends it when the
/// linger time is over.
async fn linger(store: &Accessor<StoreData>, stats: &Stats) -> Linger {
    poll_fn(|cx| {
        answer(store, stats, cx);
        let now = stats.snapshot();
        if now.unfinished() == 0 {
            return Poll::Ready(Linger::Finished);
        }
        if now.sends_open == 0 && store.poll_no_interesting_tasks(cx).is_ready() {
            return Poll::Ready(Linger::Abandoned);
        }
        Poll::Pending
    })
    .await
}

fn answer(store: &Accessor<StoreData>, stats: &Stats, cx: &Context<'_>) {
    stats.answer(cx, || {
        store.with(|mut store| {
            let concurrent = store.as_context_mut().concurrent_state_table_size();
            (store.data_mut().table().iter_mut().count(), concurrent)
        })
    });
}

fn report(store: &mut Store<StoreData>, exit: Exit, linger: Linger) -> RunReport {
    let concurrent = match &exit {
        // After a trap the store may be inconsistent, so its table is not counted.
        Exit::Trap(_) | Exit::Code(_) => 0,
        // Not by `concurrent_state_table_size`: that looks at the stack of a guest that
        // was dropped while it computed.
        _ => store
            .concurrent_resource_table()
            .map_or(0, |table| table.iter_mut().count()),
    };
    let stats = store.data_mut().streams().ctx.stats();
    stats.counted((store.data_mut().table().iter_mut().count(), concurrent));
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

/// Ends the waits of [`Stats::sample`] when the run is over.
struct EndStats(Stats);

impl Drop for EndStats {
    fn drop(&mut self) {
        self.0.ended();
    }
}

/// Has unfinished connections reset when the store is dropped.
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

impl StreamsView for StoreData {
    fn streams(&mut self) -> StreamsCtxView<'_> {
        #[expect(
            clippy::expect_used,
            reason = "the runner makes each of its stores with this context"
        )]
        let (ctx, table) = self.host().expect("a store of the runner");
        StreamsCtxView { ctx, table }
    }
}

/// Adds all interfaces that a program may import, as
/// [`add_to_linker`](crate::add_to_linker) does for other stores.
fn add_imports(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    asyncio_streams_wasi::add_to_program_linker(linker)?;
    wasi_sockets::add_to_linker(linker)?;
    asyncio_host::add_to_linker(linker)
}
