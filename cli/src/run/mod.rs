mod compiling;
mod confine;
mod descriptors;
mod learned;
mod limits;
mod listen_fds;
mod metrics;
mod observer;
mod outcome;
mod permissions;
mod quotas;
mod reload;
mod signals;
mod status;
mod tls;
mod workers;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use asyncio_streams_host::policy::{Policy, SharedPolicy};
use asyncio_streams_host::tls::Tls;
use asyncio_streams_host::{
    Exit, InheritedListener, Limits, Output, RunReport, Runner, SharedListeners, StopHandle,
    StreamsCtx,
};
use clap::{Args, Parser};
use wasmtime::{Engine, ProfilingStrategy};
use wasmtime_wasi::WasiCtx;

use self::compiling::CompilingArgs;
use self::limits::{LimitArgs, duration};
use self::metrics::MetricsArgs;
use self::observer::LogObserver;
use self::outcome::OutcomeReporter;
pub(crate) use self::permissions::{PermissionArgs, SourcedRule};
use self::quotas::QuotaArgs;
use self::reload::{PolicyReload, Reload};
use self::signals::Stop;
use self::status::Status;
use self::tls::TlsArgs;
use crate::log::LogArgs;
use crate::policy::{PolicyFileArgs, Setting};
use crate::report::report;
use crate::streams::StreamsArgs;

/// Run a program
///
/// A component that imports asyncio:streams is composed with the streams component. The
/// program is compiled, and kept in a cache, so that its next run starts at once.
///
/// Standard input, output and error belong to the program. The command itself writes to
/// standard error only, in lines that start with `asyncio-streams:`, and one line `listening
/// on ADDRESS` for each listener that is ready for connections.
///
/// With --workers, the program runs several times in one process. The workers share the
/// listening sockets; limits and statistics are those of each worker. When one fails, the
/// command stops the others, and exits with its code.
///
/// SIGINT and SIGTERM stop the program. A server refuses new connections from then on, and
/// may take the time of --grace to end by itself. Any other program is dropped at once. A
/// second signal ends the process at once. Connections that are cut are reset. SIGHUP reads
/// the files of --policy, --tls-identity and --tls-roots again, and opens --log-file anew; open
/// connections go on.
///
/// The exit code is the program's own. It is 1 when the program returned an error, 2 when the
/// command line is wrong or the program could not be started, 134 when it trapped, 141 when it
/// printed and the reader of its output was gone, and 130 or 143 when SIGINT or SIGTERM came and
/// it did not end by itself. A limit of time ends any program: 124 is that of --timeout, 125 that
/// of --startup-timeout, and 152 that of --max-cpu.
#[derive(Debug, Args)]
#[command(
    after_long_help = permissions::grammar(),
    after_help = "For more about the command, and for the rules, see --help."
)]
pub(crate) struct RunArgs {
    /// The program: a component, or a core module. Everything after it is passed to the program
    #[arg(
        value_names = ["COMPONENT", "ARGS"],
        trailing_var_arg = true,
        required = true,
        num_args = 1..
    )]
    program: Vec<OsString>,

    /// Set an environment variable of the program; without =VALUE, pass on the command's own
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,

    /// How long connections may take to finish after the program returned: a number of seconds,
    /// or with a unit, such as 500ms, 5s, 2m
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    linger: Duration,

    /// How long a server may take to end by itself after SIGINT or SIGTERM
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = duration)]
    grace: Duration,

    /// Number of workers: runs of the program at the same time, each on a thread of its own
    #[arg(long, value_name = "N", default_value = "1")]
    workers: NonZeroUsize,

    /// Write a map of the compiled functions to /tmp/perf-PID.map, so that Linux's `perf` can
    /// name them
    #[arg(long)]
    perf_map: bool,

    /// Report at the end what the program has in use, and how many bytes it received and sent
    #[arg(long)]
    stats: bool,

    /// Do not confine the process itself. By default the command gives up, before the program
    /// starts, all files and system calls that it does not need, where the kernel can do that
    #[arg(long)]
    no_confine: bool,
    /// Allow what no rule allows or a rule denies, and print at the end the policy file that would
    /// have allowed it: to standard error, or to FILE. For programs that are trusted: it protects
    /// nothing. Limits, quotas and the permissions of TLS hold
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        help_heading = "Permissions (default: none)"
    )]
    dry_run: Option<Option<PathBuf>>,

    #[command(flatten)]
    streams: StreamsArgs,

    #[command(flatten)]
    files: PolicyFileArgs,

    #[command(flatten)]
    permissions: PermissionArgs,

    #[command(flatten)]
    tls: TlsArgs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    quotas: QuotaArgs,

    #[command(flatten)]
    log: LogArgs,

    #[command(flatten)]
    metrics: MetricsArgs,

    #[command(flatten)]
    compiling: CompilingArgs,
}

/// The command line of `run`, to get its defaults.
#[derive(Debug, Parser)]
struct Defaults {
    #[command(flatten)]
    run: RunArgs,
}

impl RunArgs {
    /// Returns the options as they are when none is given.
    pub(crate) fn without_program() -> Self {
        Defaults::parse_from(["run", ""]).run
    }

    /// Takes the settings of policy files. `given` says if the command line has an option,
    /// which then wins, unless it is a list.
    pub(crate) fn apply(
        &mut self,
        settings: &[Setting],
        given: impl Fn(&str) -> bool,
    ) -> anyhow::Result<()> {
        let mut variables = Vec::new();
        for setting in settings {
            let given = given(setting.option);
            if self.permissions.apply(setting)?
                || self.tls.apply(setting)?
                || self.limits.apply(setting, given)?
                || self.quotas.apply(setting, given)?
            {
                continue;
            }
            match setting.option {
                "env" => variables.push(setting.value.clone()),
                "stats" => self.stats |= setting.value == "true",
                "linger" => replace(&mut self.linger, setting.parse_by(duration)?, given),
                "grace" => replace(&mut self.grace, setting.parse_by(duration)?, given),
                other => return Err(anyhow!("{}: `{other}` is not for `run`", setting.origin)),
            }
        }
        // The last value of a variable counts, and the command line's comes last.
        variables.append(&mut self.env);
        self.env = variables;
        Ok(())
    }

    pub(crate) fn log(&self) -> &LogArgs {
        &self.log
    }

    /// Returns the rules, those of applied policy files included.
    pub(crate) fn policy(&self) -> Policy {
        self.permissions.policy()
    }

    pub(crate) fn execute(mut self, given: impl Fn(&str) -> bool) -> anyhow::Result<u8> {
        let begun = Instant::now();
        let command_line = self.permissions.clone();
        let settings = self.files.settings()?;
        self.apply(&settings, given)?;
        report_bypassed(&self.policy());
        let Some((path, args)) = self.program.split_first() else {
            return Err(anyhow!("no program was given"));
        };
        // Before anything else is opened: it relies on that the process has one thread, and
        // no descriptor of its own open.
        let inherited = match self.permissions.listen_fds() {
            true => listen_fds::take(self.permissions.any_process())?,
            false => Vec::new(),
        };
        self.log.open()?;
        let path = Path::new(path);
        let cache = self.compiling.open_cache();
        let limits = self.limits.limits(self.workers);
        // A dry run lets the program use any path.
        if !self.no_confine && self.dry_run.is_none() {
            confine::confine(&self.needed_files(path, &settings));
        }
        let status = Arc::new(Status::new());
        self.metrics.start(&status)?;
        let wasi = (0..self.workers.get()).map(|_| wasi_ctx(path, args, &self.env));
        let wasi = wasi.collect::<anyhow::Result<Vec<WasiCtx>>>()?;
        let tls = self.tls.load()?;
        let engine = self.engine()?;
        let load = || {
            self.compiling
                .load(&engine, path, &self.streams, cache.as_ref())
        };
        let startup = self.limits.startup_timeout();
        let component = compiling::within(startup, begun, load)?;

        let policy = SharedPolicy::new(self.policy());
        let observer = LogObserver {
            status: Arc::clone(&status),
            learned: self.dry_run.is_some().then(Arc::default),
        };
        let learned = observer.learned.clone();
        let runners = self.runners(
            (wasi, limits, begun.elapsed()),
            &tls,
            &inherited,
            &policy,
            &observer,
        );
        status.started(&runners);
        let handles = runners.iter().map(Runner::stop_handle).collect();
        let reload = self.reload(tls, command_line, policy, settings);
        let stop = signals::watch(handles, self.grace, reload);
        let stop = stop.context("cannot watch for signals")?;
        let reporter = OutcomeReporter {
            linger: self.linger,
            grace: self.grace,
            startup_timeout: startup,
            stats: self.stats,
        };
        let mut failure = None;
        // Called when the store of the run is gone, and with it every connection.
        let ended = |outcome: &RunReport, handle: &StopHandle| {
            let signal = stop.get().map(Stop::to_string);
            let other = failure.map(|_| "the end of another worker".to_owned());
            let stopped_by = signal.or(other);
            reporter.report(outcome, stopped_by.as_deref(), handle.has_served());
            if workers::failed(outcome) {
                failure.get_or_insert(outcome.exit.code());
            }
        };
        let outcomes = workers::run(runners, &engine, &component, self.grace, ended);
        if let Some(learned) = learned {
            learned.write(self.dry_run.iter().flatten().next())?;
        }
        let outcomes = outcomes.with_context(|| path.display().to_string())?;
        if let Some(code) = failure {
            return Ok(code);
        }
        let mut exits = outcomes.iter().map(|outcome| &outcome.exit);
        let stopped = exits.any(|exit| matches!(exit, Exit::Stopped));
        Ok(match stop.get() {
            Some(stop) if stopped => stop.code(),
            _ => 0,
        })
    }

    /// Returns the files that the process needs from now on.
    fn needed_files(&self, program: &Path, settings: &[Setting]) -> confine::Files {
        let mut files = confine::Files::of_the_system();
        files.read(program);
        if let Some(streams) = self.streams.file() {
            files.read(streams);
        }
        for folder in self.policy().socket_folders() {
            files.sockets(folder);
        }
        for file in self.tls.files() {
            files.replaceable(file);
        }
        if let Some(cache) = self.compiling.cache_folder() {
            files.write(&cache);
        }
        if self.perf_map {
            files.write(Path::new("/tmp"));
        }
        // For SIGHUP.
        let included = settings.iter().map(|setting| setting.origin.file.as_path());
        for file in self.files.paths().chain(included) {
            files.replaceable(file);
        }
        if let Some(file) = self.log.file() {
            files.write_beside(file);
        }
        if let Some(file) = self.metrics.file() {
            files.sockets_beside(file);
        }
        files
    }

    /// The files that SIGHUP reads again, if there are any. Without, it ends the process.
    fn reload(
        &self,
        tls: Tls,
        command_line: PermissionArgs,
        policy: SharedPolicy,
        settings: Vec<Setting>,
    ) -> Option<Reload> {
        let tls = tls.reads_files().then_some(tls);
        let policy = (!self.files.is_empty()).then(|| PolicyReload {
            files: self.files.clone(),
            command_line,
            policy,
            settings,
        });
        let any = tls.is_some() || policy.is_some() || self.log.file().is_some();
        any.then_some(Reload { tls, policy })
    }

    fn engine(&self) -> anyhow::Result<Engine> {
        let mut config = asyncio_streams_host::config();
        if self.perf_map {
            config.profiler(ProfilingStrategy::PerfMap);
        }
        Engine::new(&config).map_err(|error| anyhow!("{error:#}"))
    }

    /// One runner for each worker. `elapsed` has passed since the start.
    fn runners(
        &self,
        (wasi, limits, elapsed): (Vec<WasiCtx>, Limits, Duration),
        tls: &Tls,
        inherited: &[(String, InheritedListener)],
        policy: &SharedPolicy,
        observer: &LogObserver,
    ) -> Vec<Runner> {
        let listeners = SharedListeners::new();
        let runner = |wasi| {
            let mut ctx = StreamsCtx::builder()
                .policy(policy.clone())
                .limits(limits)
                .quotas(self.quotas.quotas())
                .dry_run(self.dry_run.is_some())
                .search_domains(self.permissions.search_domains())
                .tls(tls.clone())
                .observer(observer.clone());
            for (name, listener) in inherited {
                ctx = ctx.listener(name, listener.clone());
            }
            if self.workers.get() > 1 {
                ctx = ctx.shared_listeners(&listeners);
            }
            let runner = Runner::new(ctx.build(), wasi)
                .linger(self.linger)
                .grace(self.grace);
            self.limits.limit_time(runner, elapsed)
        };
        wasi.into_iter().map(runner).collect()
    }
}

fn replace<T>(own: &mut T, value: T, given: bool) {
    if !given {
        *own = value;
    }
}

/// Warns of rules that deny a name whose addresses another rule opens. Returns true if there
/// are any.
pub(crate) fn report_bypassed(policy: &Policy) -> bool {
    let bypassed = policy.bypassed_denials();
    for (denied, allowed) in &bypassed {
        report(format_args!(
            "warning: deny-connect {denied} covers only addresses that the program looked up by \
             this name; allow-connect {allowed} opens them to a program that knows them (deny the \
             addresses too)"
        ));
    }
    !bypassed.is_empty()
}

/// The most random bytes that one call of the program gets: the host makes them in memory of
/// its own.
const MAX_RANDOM: u64 = 1 << 20;

/// The standard streams, the arguments, of which the first is the file's name, and the
/// environment.
fn wasi_ctx(path: &Path, args: &[OsString], env: &[String]) -> anyhow::Result<WasiCtx> {
    let mut wasi = WasiCtx::builder();
    let outputs = Output::stdout().and_then(|stdout| Ok((stdout, Output::stderr()?)));
    let (stdout, stderr) = outputs.context("cannot open the standard streams")?;
    wasi.inherit_stdin().stdout(stdout).stderr(stderr);
    wasi.max_random_size(MAX_RANDOM);
    let name = path.file_name().unwrap_or(path.as_os_str());
    wasi.arg(name.to_string_lossy());
    for arg in args {
        let arg = arg
            .to_str()
            .ok_or_else(|| anyhow!("the argument {arg:?} is not UTF-8"))?;
        wasi.arg(arg);
    }
    for (name, value) in environment(env)? {
        wasi.env(name, value);
    }
    Ok(wasi.build())
}

/// The variables, each once, with its last value.
fn environment(variables: &[String]) -> anyhow::Result<BTreeMap<&str, String>> {
    let mut environment = BTreeMap::new();
    for variable in variables {
        let (name, value) = match variable.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => {
                let value = std::env::var(variable)
                    .with_context(|| format!("--env {variable}: cannot pass it on"))?;
                (variable.as_str(), value)
            }
        };
        environment.insert(name, value);
    }
    Ok(environment)
}
