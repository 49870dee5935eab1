use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use asyncio_streams_host::{Ctx, Exit, Linger, RunReport, Runner, StatsSnapshot};
use clap::Args;
use wasmtime::{Engine, ProfilingStrategy};
use wasmtime_wasi::WasiCtx;

use super::grants::{self, Grants};
use super::limits::{LimitArgs, duration};
use super::observer::StderrObserver;
use super::program::ProgramArgs;
use super::streams::StreamsArgs;
use super::{say, signals};

/// Run a program
///
/// The component is composed with the streams component if it imports
/// asyncio:streams, and compiled; the result is kept, so that the next run of the
/// same program starts at once. Standard input, output and error are the program's; lines
/// of this command on standard error start with `asyncio-streams:`, but for
/// `listening on ADDRESS`, which says that a listener is up.
///
/// Exits with the program's own code; 1 when it returned an error, 2 when it
/// could not be started, 134 when it trapped, 130 and 143 after SIGINT and
/// SIGTERM.
#[derive(Debug, Args)]
#[command(after_long_help = grants::help(), after_help = "The rules are explained by --help.")]
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
    limits: LimitArgs,

    #[command(flatten)]
    compiling: ProgramArgs,
}

impl RunArgs {
    pub(crate) fn execute(self) -> anyhow::Result<u8> {
        let Some((path, args)) = self.program.split_first() else {
            return Err(anyhow!("no program was given"));
        };
        let path = Path::new(path);
        let wasi = wasi_ctx(path, args, &self.env)?;
        let mut config = asyncio_streams_host::config();
        if self.perf_map {
            config.profiler(ProfilingStrategy::PerfMap);
        }
        let engine = Engine::new(&config).map_err(|error| anyhow!("{error:#}"))?;
        let component = self.compiling.load(&engine, path, &self.streams)?;

        let ctx = Ctx::builder()
            .policy(self.grants.policy())
            .limits(self.limits.limits())
            .observer(StderrObserver)
            .build();
        let runner = Runner::new(ctx, wasi).linger(self.linger);
        let stopped = signals::first_stop().context("cannot watch for signals")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let outcome = runtime.block_on(async {
            tokio::select! {
                report = runner.run(&engine, &component) => Ok(report),
                Ok(stop) = stopped => Err(stop),
            }
        });
        runtime.shutdown_background();

        let report = match outcome {
            Ok(report) => report.with_context(|| path.display().to_string())?,
            // The store is gone by now, and with it every connection.
            Err(stop) => return Ok(stop.code()),
        };
        tell(&report, self.linger, self.stats);
        Ok(report.exit.code())
    }
}

fn tell(report: &RunReport, linger: Duration, stats: bool) {
    if let Exit::Trap(trap) = &report.exit {
        say(format_args!("\x1b[31m{trap}\x1b[0m"));
    }
    if report.linger == Linger::TimedOut {
        say(format_args!(
            "connections not finished {linger:?} after the program returned: {}; they are cut, and \
             their peers may lack data (--linger allows more time)",
            report.stats.unfinished()
        ));
    }
    if stats {
        let StatsSnapshot {
            sockets_open,
            listeners_open,
            sends_open,
            sockets_opened_total,
            bytes_received_total,
            bytes_sent_total,
            denied_total,
            memory_bytes,
            memory_peak,
            table_len,
            concurrent_len,
            ..
        } = report.stats;
        say(format_args!(
            "stats: sockets-open={sockets_open} listeners-open={listeners_open} \
             sends-open={sends_open} sockets-opened-total={sockets_opened_total} \
             bytes-received-total={bytes_received_total} bytes-sent-total={bytes_sent_total} \
             denied-total={denied_total} memory-bytes={memory_bytes} memory-peak={memory_peak} \
             table-len={table_len} concurrent-len={concurrent_len}"
        ));
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
