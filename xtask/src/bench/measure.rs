//! Takes one measurement.

use std::ffi::{OsStr, OsString};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::cases::{Case, Work};
use super::cores::{Cores, cores_of};
use super::figures::{self, Figures, Metric};
use super::folder::Folder;
use super::peers::Peer;
use super::programs::Programs;
use super::server::Server;

/// The length of a round, in ms. The warm-up takes a fifth more.
pub(crate) const ROUND: u32 = 700;
const QUICK_ROUND: u32 = 150;

/// The settings of all measurements.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) cores: Cores,
    pub(crate) quick: bool,
}

impl Bench<'_> {
    /// Starts a peer's server for a case.
    pub(crate) fn start(&self, peer: Peer, case: &Case) -> Result<Server> {
        let folder = match case.work {
            Work::Unix(_) => Some(Folder::new()?),
            _ => None,
        };
        let socket = folder.as_ref().map(|folder| folder.path().join("socket"));
        let words = self.programs.server(peer, case, socket.as_deref())?;
        let server = Server::start(&mut self.pinned(self.cores.server, &words))?;
        let server = server.keeping(folder);
        if let Some(core) = self.cores.server {
            let allowed = cores_of(server.pid())?;
            ensure!(
                allowed == [core],
                "it runs on {allowed:?}, not on core {core} alone"
            );
        }
        Ok(server)
    }

    /// Measures the time until a peer's server listens, on any core. Nothing else runs
    /// meanwhile, and the start of `taskset` would count as well.
    pub(crate) fn start_time(&self, peer: Peer, case: &Case) -> Result<Figures> {
        let words = self.programs.server(peer, case, None)?;
        let (program, words) = words.split_first().context("no program")?;
        let mut command = self.at_root(program);
        let server = Server::start(command.args(words))?;
        Ok(Figures::from([(
            Metric::Start,
            server.took().as_nanos() as f64,
        )]))
    }

    /// Measures one round of a case.
    pub(crate) fn load(&self, server: &Server, case: &Case) -> Result<Figures> {
        let time = if self.quick { QUICK_ROUND } else { ROUND };
        let (name, numbers) = case.work.arguments(time, self.quick);
        let fixed = [
            name.to_owned(),
            server.address().to_owned(),
            server.pid().to_string(),
        ];
        let mut words = vec![self.programs.native("load")?.as_os_str().to_owned()];
        if let Work::Tls(_) = case.work {
            words.extend(["--tls".into(), self.programs.certificate().into()]);
        }
        words.extend(fixed.into_iter().chain(numbers).map(OsString::from));
        let mut command = self.pinned(self.cores.load, &words);
        let output = command.stdin(Stdio::null()).output();
        let output = output.context("cannot run the load generator")?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!("{}{}", error.trim(), server.said());
        }
        figures::parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// Returns a command that runs on this core, with as many open files as the system
    /// permits. The shell becomes the program, so that the process id is the program's.
    fn pinned(&self, core: Option<u32>, words: &[OsString]) -> Command {
        let script = match core {
            Some(core) => format!("{LIMITS}; exec taskset -c {core} \"$@\""),
            None => format!("{LIMITS}; exec \"$@\""),
        };
        let mut command = self.at_root("sh".as_ref());
        command.args(["-c", &script, "sh"]).args(words);
        command
    }

    fn at_root(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        command
            .env_remove("ASYNCIO_STREAMS_COMPONENT")
            .env_remove("ASYNCIO_STREAMS_LOG")
            .env("ASYNCIO_STREAMS_CACHE", self.programs.cache())
            .current_dir(self.programs.root());
        command
    }
}

/// Raises the limit on open files, which is usually lower than the number of idle
/// connections.
const LIMITS: &str = "ulimit -n \"$(ulimit -H -n)\"";
