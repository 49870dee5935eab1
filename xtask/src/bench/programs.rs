//! Builds and installs the programs of a run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::cases::{Case, Work};
use super::peers::Peer;
use super::wasip2;
use crate::debian::{self, Tool, ensure_debian_packages};
use crate::echo;
use crate::process::{cargo, output_of};
use crate::progress::Step;
use crate::setup;
use crate::workspace::{NATIVE, Workspace};

/// The programs of the package `benches`.
const NAMES: [&str; 7] = [
    "certificate",
    "load",
    "raw-epoll-echo",
    "tokio-echo",
    "tokio-lines",
    "tokio-tls",
    "wasip2",
];

const TOOLS: [Tool; 2] = [
    Tool {
        command: "python3",
        package: "python3",
    },
    Tool {
        command: "taskset",
        package: "util-linux",
    },
];

/// The paths of the programs.
#[derive(Debug)]
pub(crate) struct Programs {
    root: PathBuf,
    components: PathBuf,
    command: PathBuf,
    natives: Vec<(String, PathBuf)>,
    /// The peers that are built for WASI 0.2.
    wasip2: Vec<(String, PathBuf)>,
    /// A python3 that has uvloop.
    pub(crate) uvloop: PathBuf,
    missing: Vec<Peer>,
    /// The reasons why peers are missing that every machine can have.
    pub(crate) problems: Vec<String>,
    /// The reasons why peers are missing that some machines cannot have.
    pub(crate) notes: Vec<String>,
}

impl Programs {
    /// Builds all programs. Does not build the command if another build is given.
    pub(crate) fn build(
        workspace: &Workspace,
        peers: &[Peer],
        command: Option<&Path>,
    ) -> Result<Self> {
        let toolchain = setup::run(workspace, None)?;
        ensure_debian_packages(&TOOLS).context("the peers need them")?;
        let command = match command {
            Some(command) => std::path::absolute(command)?,
            None => echo::host_command(workspace)?,
        };
        ensure!(command.is_file(), "there is no {}", command.display());
        let venv = workspace.root().join("target").join("uvloop");
        let mut programs = Self {
            root: workspace.root().to_owned(),
            components: workspace.components(),
            command,
            natives: natives(workspace)?,
            wasip2: Vec::new(),
            uvloop: venv.join("bin").join("python"),
            missing: Vec::new(),
            problems: Vec::new(),
            notes: Vec::new(),
        };
        programs.make_certificate()?;
        if peers.contains(&Peer::Uvloop)
            && let Err(error) = install_uvloop(&venv, &programs.uvloop)
        {
            eprintln!("    going on without uvloop: {error:#}");
            programs.problems.push(format!("uvloop: {error:#}"));
            programs.missing.push(Peer::Uvloop);
        }
        if peers.contains(&Peer::TokioWasip2) {
            match wasip2::build(workspace, &toolchain) {
                Ok(built) => programs.wasip2 = built,
                Err(error) => {
                    eprintln!("    going on without tokio-wasip2: {error:#}");
                    programs.notes.push(format!("tokio-wasip2: {error:#}"));
                    programs.missing.push(Peer::TokioWasip2);
                }
            }
        }
        Ok(programs)
    }

    /// Returns true if this machine cannot run the peer.
    pub(crate) fn lacks(&self, peer: Peer) -> bool {
        self.missing.contains(&peer)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of one of [`NAMES`].
    pub(crate) fn native(&self, name: &str) -> Result<&Path> {
        find(&self.natives, name)
    }

    /// Returns the folder of compiled programs, which a later start reuses.
    pub(crate) fn cache(&self) -> PathBuf {
        self.root.join("target").join("bench").join("cache")
    }

    /// Returns the PEM file of the servers' certificate and its key. Each run makes a new
    /// one.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.root.join("target").join("bench").join("tls.pem")
    }

    fn make_certificate(&self) -> Result<()> {
        let path = self.certificate();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let program = self.native("certificate")?;
        output_of(Command::new(program).arg(&path)).context("no certificate for TLS")?;
        Ok(())
    }

    /// Returns the command line of a case's server, which listens at a free port or at
    /// `socket`, and prints the address on standard error.
    pub(crate) fn server(
        &self,
        peer: Peer,
        case: &Case,
        socket: Option<&Path>,
    ) -> Result<Vec<OsString>> {
        let address = socket.map(|path| join("unix:", path));
        let service = match case.work {
            Work::Lines(reads) => Some(reads.name()),
            Work::Tls(flow) => Some(flow.service()),
            _ => None,
        };
        let speaks_tls = matches!(case.work, Work::Tls(_));
        let certificate = self.certificate();
        let python = |python: &Path, option: Option<&str>| {
            // CPython cannot read several lines at once.
            let service = match service {
                Some("readlines") => "readline",
                service => service.unwrap_or("echo"),
            };
            let mut words: Vec<OsString> = vec![python.into()];
            words.extend(["benches/peers/asyncio_echo.py", service].map(OsString::from));
            words.extend(option.map(OsString::from));
            if speaks_tls {
                words.extend(["--tls".into(), certificate.clone().into()]);
            }
            words.extend(address.clone());
            words
        };
        let ours = |form: &str| {
            let name = match case.work {
                Work::Lines(_) => "lines-server",
                Work::Tls(_) => "tls-flows",
                Work::Unix(_) => "echo-server-unix",
                _ if peer == Peer::Stream => "echo-stream",
                _ => "echo-server",
            };
            let component = self.components.join(format!("{name}{form}.wasm"));
            let mut words: Vec<OsString> = vec![self.command.clone().into()];
            let rule = socket.map(|path| join("unix://", path));
            let rule = rule.unwrap_or_else(|| "tcp://127.0.0.1:0".into());
            words.extend(["run".into(), "--allow-listen".into(), rule]);
            if speaks_tls {
                let identity = join("bench=", &certificate);
                words.extend(["--tls-identity".into(), identity]);
            }
            words.push(component.into());
            words.extend(service.map(OsString::from));
            match socket {
                Some(path) => words.push(path.into()),
                None => words.extend(["127.0.0.1", "0"].map(OsString::from)),
            }
            words
        };
        let tokio = match case.work {
            Work::Lines(_) => "tokio-lines",
            Work::Tls(_) => "tokio-tls",
            _ => "tokio-echo",
        };
        Ok(match peer {
            Peer::RawEpoll => {
                let mut words = vec![self.native("raw-epoll-echo")?.into()];
                words.extend(address);
                words
            }
            Peer::Tokio => {
                let mut words = vec![self.native(tokio)?.into()];
                if let Work::Tls(flow) = case.work {
                    words.extend([flow.service().into(), certificate.into()]);
                }
                words.extend(address);
                words
            }
            Peer::TokioWasip2 => {
                let program = find(&self.wasip2, tokio)?;
                vec![self.native("wasip2")?.into(), program.into()]
            }
            Peer::Uvloop => python(&self.uvloop, Some("--uvloop")),
            Peer::Asyncio => python(Path::new("python3"), None),
            Peer::Static => ours(""),
            Peer::Composed | Peer::Stream => ours("-wit"),
        })
    }
}

fn join(start: &str, path: &Path) -> OsString {
    let mut word = OsString::from(start);
    word.push(path);
    word
}

fn find<'a>(programs: &'a [(String, PathBuf)], name: &str) -> Result<&'a Path> {
    let found = programs.iter().find(|(known, _)| known == name);
    let (_, path) = found.with_context(|| format!("cargo built no {name}"))?;
    Ok(path)
}

fn natives(workspace: &Workspace) -> Result<Vec<(String, PathBuf)>> {
    let mut command = cargo();
    command.arg("build").args(NATIVE);
    for name in NAMES {
        command.args(["--bin", name]);
    }
    command
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(workspace.root());
    let messages =
        Step::new("building the load generator and the native peers").capture(&mut command)?;
    Ok(executables(&messages))
}

/// Returns names and paths of the programs in cargo's messages.
pub(super) fn executables(messages: &str) -> Vec<(String, PathBuf)> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let executables = messages.filter_map(|message: Value| {
        let name = message.get("target")?.get("name")?.as_str()?.to_owned();
        Some((name, message.get("executable")?.as_str()?.into()))
    });
    executables.collect()
}

fn install_uvloop(venv: &Path, python: &Path) -> Result<()> {
    if output_of(Command::new(python).args(["-c", "import uvloop"])).is_ok() {
        return Ok(());
    }
    if output_of(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_err() {
        debian::install(&["python3-venv"])?;
    }
    Step::new("making an environment for uvloop")
        .run(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    let pip = [
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "-q",
        "uvloop",
    ];
    Step::new("installing uvloop").run(Command::new(python).args(pip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cases::{CASES, Flow, Reads};

    fn programs() -> Programs {
        Programs {
            root: PathBuf::from("/r"),
            components: PathBuf::from("/c"),
            command: PathBuf::from("/asyncio-streams"),
            natives: ["raw-epoll-echo", "tokio-lines", "tokio-tls", "wasip2"]
                .map(|name| (name.to_owned(), Path::new("/").join(name)))
                .into(),
            wasip2: vec![("tokio-lines".to_owned(), PathBuf::from("/lines.wasm"))],
            uvloop: PathBuf::from("/venv/python"),
            missing: Vec::new(),
            problems: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn each_peer_has_a_server_for_lines_and_one_for_echo() -> Result<()> {
        let programs = programs();
        let case = |work| {
            CASES
                .iter()
                .find(|case| case.work == work)
                .context("no case")
        };
        let lines = case(Work::Lines(Reads::Readlines))?;
        let bulk = case(Work::Bulk(0))?;
        let words = |peer, case| -> Result<String> {
            let words = programs.server(peer, case, None)?;
            Ok(words.join(" ".as_ref()).to_string_lossy().into_owned())
        };
        assert_eq!(
            words(Peer::Composed, lines)?,
            "/asyncio-streams run --allow-listen tcp://127.0.0.1:0 /c/lines-server-wit.wasm \
             readlines 127.0.0.1 0"
        );
        assert!(words(Peer::Static, bulk)?.ends_with("/c/echo-server.wasm 127.0.0.1 0"));
        assert!(words(Peer::Stream, bulk)?.ends_with("/c/echo-stream-wit.wasm 127.0.0.1 0"));
        assert_eq!(words(Peer::Tokio, lines)?, "/tokio-lines");
        assert_eq!(words(Peer::TokioWasip2, lines)?, "/wasip2 /lines.wasm");
        assert_eq!(
            words(Peer::Uvloop, lines)?,
            "/venv/python benches/peers/asyncio_echo.py readline --uvloop"
        );
        assert!(words(Peer::Tokio, bulk).is_err());
        Ok(())
    }

    #[test]
    fn servers_of_tls_have_the_certificate() -> Result<()> {
        let programs = programs();
        let mut cases = CASES.iter();
        let case = cases.find(|case| case.work == Work::Tls(Flow::Source));
        let case = case.context("no case")?;
        let words = |peer| -> Result<String> {
            let words = programs.server(peer, case, None)?;
            Ok(words.join(" ".as_ref()).to_string_lossy().into_owned())
        };
        assert_eq!(
            words(Peer::Static)?,
            "/asyncio-streams run --allow-listen tcp://127.0.0.1:0 \
             --tls-identity bench=/r/target/bench/tls.pem /c/tls-flows.wasm source 127.0.0.1 0"
        );
        assert_eq!(
            words(Peer::Tokio)?,
            "/tokio-tls source /r/target/bench/tls.pem"
        );
        assert_eq!(
            words(Peer::Asyncio)?,
            "python3 benches/peers/asyncio_echo.py source --tls /r/target/bench/tls.pem"
        );
        Ok(())
    }

    #[test]
    fn servers_of_unix_sockets_have_their_path() -> Result<()> {
        let programs = programs();
        let mut cases = CASES.iter();
        let case = cases.find(|case| matches!(case.work, Work::Unix(_)));
        let case = case.context("no case")?;
        let words = |peer| -> Result<String> {
            let words = programs.server(peer, case, Some(Path::new("/tmp/b/s")))?;
            Ok(words.join(" ".as_ref()).to_string_lossy().into_owned())
        };
        assert_eq!(
            words(Peer::Composed)?,
            "/asyncio-streams run --allow-listen unix:///tmp/b/s /c/echo-server-unix-wit.wasm \
             /tmp/b/s"
        );
        assert_eq!(words(Peer::RawEpoll)?, "/raw-epoll-echo unix:/tmp/b/s");
        assert_eq!(
            words(Peer::Uvloop)?,
            "/venv/python benches/peers/asyncio_echo.py echo --uvloop unix:/tmp/b/s"
        );
        Ok(())
    }

    #[test]
    fn programs_are_those_cargo_names() {
        let messages = "{\"target\":{\"name\":\"mio\"},\"executable\":null}\n\
                        {\"target\":{\"name\":\"load\"},\"executable\":\"/t/load\"}\n{\"success\":true}";
        assert_eq!(
            executables(messages),
            [("load".to_owned(), PathBuf::from("/t/load"))]
        );
    }
}
