mod compiling;
mod limits;
mod listen_fds;
mod observer;
mod outcome;
mod permissions;
mod signals;
mod tls;
mod workers;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use asyncio_streams_host::{Exit, RunReport, Runner, SharedListeners, StopHandle, StreamsCtx};
use clap::Args;
use wasmtime::{Engine, ProfilingStrategy};
use wasmtime_wasi::WasiCtx;

use self::compiling::ProgramArgs;
use self::limits::{LimitArgs, duration};
use self::observer::StderrObserver;
use self::outcome::Telling;
use self::permissions::Grants;
use self::signals::Stop;
use self::tls::TlsArgs;
use crate::streams::StreamsArgs;

/// Run a program
///
/// The component is composed with the streams component if it imports
/// asyncio:streams, and compiled; the result is kept, so that the next run of the
/// same program starts at once. Standard input, output and error are the program's; lines
/// of this command on standard error start with `asyncio-streams:`, but for
/// `listening on ADDRESS`, which says that a listener is up.
///
/// With --workers, limits and statistics are those of each; one that fails has the
/// others stopped, and its exit code is the command's.
///
/// SIGINT and SIGTERM stop it: a server refuses new connections from then on and
/// ends by itself, within the time of --grace; any other program is dropped. A
/// second signal ends the process at once. What is cut is reset. SIGHUP has the files
/// of --tls-identity and --tls-roots read again; connections go on.
///
/// Exits with the program's own code; 1 when it returned an error, 2 when it
/// could not be started, 134 when it trapped, 130 and 143 when SIGINT and SIGTERM
/// came and it did not end by itself.
#[derive(Debug, Args)]
#[command(after_long_help = permissions::help(), after_help = "The rules are explained by --help.")]
pub(crate) struct RunArgs {
    /// The program, a component or a core module; what follows is passed to it
    #[arg(
        value_names = ["COMPONENT", "ARGS"],
        trailing_var_arg = true,
        required = true,
        num_args = 1..
    )]
    program: Vec<OsString>,

    /// Set an environment variable of the program; without a value: pass it on
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,

    /// How long connections may take to finish after the program returned
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    linger: Duration,

    /// How long a server may take to end after SIGINT or SIGTERM
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = duration)]
    grace: Duration,

    /// Run the program so many times at once, each on a thread of its own, with the
    /// listening sockets in common
    #[arg(long, value_name = "N", default_value = "1")]
    workers: NonZeroUsize,

    /// Write a map of the compiled functions to /tmp, so that Linux's `perf`
    /// names those of the program
    #[arg(long)]
    perf_map: bool,

    /// Write at the end what the program had in use
    #[arg(long)]
    stats: bool,

    #[command(flatten)]
    streams: StreamsArgs,

    #[command(flatten)]
    grants: Grants,

    #[command(flatten)]
    tls: TlsArgs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    compiling: ProgramArgs,
}

impl RunArgs {
    pub(crate) fn execute(self) -> anyhow::Result<u8> {
        let Some((path, args)) = self.program.split_first() else {
            return Err(anyhow!("no program was given"));
        };
        let handed = match self.grants.listen_fds() {
            true => listen_fds::take()?,
            false => Vec::new(),
        };
        let path = Path::new(path);
        let workers = self.workers.get();
        let wasi = (0..workers).map(|_| wasi_ctx(path, args, &self.env));
        let wasi = wasi.collect::<anyhow::Result<Vec<WasiCtx>>>()?;
        let tls = self.tls.load()?;
        let mut config = asyncio_streams_host::config();
        if self.perf_map {
            config.profiler(ProfilingStrategy::PerfMap);
        }
        let engine = Engine::new(&config).map_err(|error| anyhow!("{error:#}"))?;
        let component = self.compiling.load(&engine, path, &self.streams)?;

        let telling = Telling {
            linger: self.linger,
            grace: self.grace,
            stats: self.stats,
        };
        let (policy, limits) = (self.grants.policy(), self.limits.limits());
        let listeners = SharedListeners::new();
        let runner = |wasi| {
            let ctx = StreamsCtx::builder()
                .policy(policy.clone())
                .limits(limits)
                .tls(tls.clone())
                .observer(StderrObserver);
            let ctx = handed.iter().fold(ctx, |ctx, (name, listener)| {
                ctx.listener(name, listener.clone())
            });
            let ctx = match workers {
                1 => ctx,
                _ => ctx.shared_listeners(&listeners),
            };
            Runner::new(ctx.build(), wasi)
                .linger(self.linger)
                .grace(self.grace)
        };
        let runners: Vec<Runner> = wasi.into_iter().map(runner).collect();
        let handles = runners.iter().map(Runner::stop_handle).collect();
        let files = tls.reads_files().then(|| tls.clone());
        let stop = signals::watch(handles, self.grace, files);
        let stop = stop.context("cannot watch for signals")?;
        let mut failed = None;
        // The store of each is gone when it is told, and with it every connection.
        let told = |report: &RunReport, handle: &StopHandle| {
            let signal = stop.get().map(Stop::to_string);
            let other = failed.map(|_| "the end of another worker".to_owned());
            let why = signal.or(other);
            telling.tell(report, why.as_deref(), handle.has_served());
            if workers::failed(report) {
                failed.get_or_insert(report.exit.code());
            }
        };
        let reports = workers::run(runners, &engine, &component, self.grace, told);
        let reports = reports.with_context(|| path.display().to_string())?;
        if let Some(code) = failed {
            return Ok(code);
        }
        let stopped = reports
            .iter()
            .any(|report| matches!(report.exit, Exit::Stopped));
        Ok(match stop.get() {
            Some(stop) if stopped => stop.code(),
            _ => 0,
        })
    }
}

/// Standard streams, arguments (the first is the file's name) and environment.
fn wasi_ctx(path: &Path, args: &[OsString], env: &[String]) -> anyhow::Result<WasiCtx> {
    let mut wasi = WasiCtx::builder();
    wasi.inherit_stdio();
    let name = path.file_name().unwrap_or(path.as_os_str());
    wasi.arg(name.to_string_lossy());
    for arg in args {
        let arg = arg
            .to_str()
            .ok_or_else(|| anyhow!("the argument {arg:?} is not UTF-8"))?;
        wasi.arg(arg);
    }
    for variable in env {
        match variable.split_once('=') {
            Some((name, value)) => wasi.env(name, value),
            None => {
                let value = std::env::var(variable)
                    .with_context(|| format!("--env {variable}: cannot pass it on"))?;
                wasi.env(variable, value)
            }
        };
    }
    Ok(wasi.build())
}
