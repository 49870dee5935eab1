//! Builds components of Python programs: the examples and the tests' application.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle, available_parallelism};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::debian;
use crate::process::{as_typed, output_of};
use crate::progress::{Step, seconds};
use crate::workspace::Workspace;

/// The folders of programs. Each file or package in them is one program.
const PROGRAMS: [&str; 2] = ["examples/python", "python/tests"];

/// The files there that are not programs: the tests run them with CPython.
const PEERS: [&str; 2] = ["certificates", "peer"];

/// The sources that every component is made of, besides its program.
const SHARED: [&str; 4] = [
    "wit",
    "python/wit",
    "python/asyncio_streams",
    "python/requirements.txt",
];

/// A program that becomes a component.
struct Program {
    module: String,
    folder: &'static str,
    sources: u64,
}

/// Builds `target/components/<program>-py.wasm` for each program that changed.
pub(crate) fn build_all(workspace: &Workspace) -> Result<()> {
    let mut stale = Vec::new();
    for program in programs(workspace)? {
        let stamp = std::fs::read_to_string(stamp(workspace, &program)).unwrap_or_default();
        if stamp != program.sources.to_string() || !component(workspace, &program).is_file() {
            stale.push(program);
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    ensure_componentize(workspace)?;
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    eprintln!("==> building the components in Python, {cores} at a time");
    let waiting = Mutex::new(stale.iter());
    let work = || loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next();
        match next {
            Some(program) => build(workspace, program)?,
            None => return Ok(()),
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut ends = workers.into_iter().map(ScopedJoinHandle::join);
        ends.try_for_each(|end| end.unwrap_or_else(|_| bail!("a build panicked")))
    })
}

fn programs(workspace: &Workspace) -> Result<Vec<Program>> {
    let mut shared = DefaultHasher::new();
    for path in SHARED {
        hash(&workspace.root().join(path), &mut shared)?;
    }
    let mut programs = Vec::new();
    for folder in PROGRAMS {
        for file in entries(&workspace.root().join(folder))? {
            let module = file.file_stem().unwrap_or_default().to_string_lossy();
            let is_python = file.extension().is_some_and(|extension| extension == "py")
                || file.join("__init__.py").is_file();
            if !is_python || PEERS.contains(&module.as_ref()) {
                continue;
            }
            let mut sources = shared.clone();
            hash(&file, &mut sources)?;
            programs.push(Program {
                module: module.into_owned(),
                folder,
                sources: sources.finish(),
            });
        }
    }
    Ok(programs)
}

fn build(workspace: &Workspace, program: &Program) -> Result<()> {
    let path = component(workspace, program);
    let part = folder(workspace).join(format!("{}.wasm", program.module));
    std::fs::create_dir_all(workspace.components())?;
    let mut command = Command::new(venv(workspace).join("bin/componentize-py"));
    command
        .args(["-q", "-d", "wit", "-d", "python/wit"])
        .args(["-w", "asyncio:python/program"])
        .args(["componentize", &program.module])
        .args(["-p", "python", "-p", program.folder])
        .arg("-o")
        .arg(&part)
        .env_remove("VIRTUAL_ENV")
        .current_dir(workspace.root());
    let started = Instant::now();
    let name = workspace.relative(&path).display();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", as_typed(&command)))?;
    if !output.status.success() {
        bail!(
            "building {name}: `{}` failed ({}):\n{}",
            as_typed(&command),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    eprintln!("    {name} in {}", seconds(started.elapsed()));
    std::fs::rename(&part, &path).with_context(|| format!("cannot write {}", path.display()))?;
    std::fs::write(stamp(workspace, program), program.sources.to_string())?;
    Ok(())
}

/// Installs componentize-py, in the version of requirements.txt, into an environment
/// of its own.
fn ensure_componentize(workspace: &Workspace) -> Result<()> {
    let requirements = workspace.root().join("python/requirements.txt");
    let wanted = std::fs::read_to_string(&requirements)?;
    let installed = folder(workspace).join("installed");
    if std::fs::read_to_string(&installed).is_ok_and(|before| before == wanted) {
        return Ok(());
    }
    if output_of(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_err() {
        debian::install(&["python3-venv"])?;
    }
    std::fs::create_dir_all(folder(workspace))?;
    let mut environment = Command::new("python3");
    environment.args(["-m", "venv"]).arg(venv(workspace));
    Step::new("making an environment for Python").run(&mut environment)?;
    let mut pip = Command::new(venv(workspace).join("bin/pip"));
    pip.args(["--disable-pip-version-check", "install", "-q", "-r"])
        .arg(&requirements);
    Step::new("installing componentize-py").run(&mut pip)?;
    std::fs::write(&installed, &wanted)?;
    Ok(())
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root().join("target").join("python")
}

fn venv(workspace: &Workspace) -> PathBuf {
    folder(workspace).join("venv")
}

fn stamp(workspace: &Workspace, program: &Program) -> PathBuf {
    folder(workspace).join(format!("{}.stamp", program.module))
}

/// Returns the path of a program's component. Modules of Python have underscores in
/// their names, components dashes.
fn component(workspace: &Workspace, program: &Program) -> PathBuf {
    let name = program.module.replace('_', "-");
    workspace.components().join(format!("{name}-py.wasm"))
}

/// Hashes a file's name and content, or those of all files under a folder.
fn hash(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    if !path.is_dir() {
        path.file_name().hash(hasher);
        let content = std::fs::read(path);
        content
            .with_context(|| format!("cannot read {}", path.display()))?
            .hash(hasher);
        return Ok(());
    }
    let entries = entries(path)?;
    ensure!(!entries.is_empty(), "{} is empty", path.display());
    entries.iter().try_for_each(|entry| hash(entry, hasher))
}

/// Returns the entries of a folder, sorted, without Python's cache.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|entry| Ok(entry?.path()));
    let mut entries = entries.collect::<Result<Vec<_>>>()?;
    entries.retain(|path| !path.ends_with("__pycache__"));
    entries.sort_unstable();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_found_and_its_sources_count() -> Result<()> {
        let workspace = Workspace::find()?;
        let programs = programs(&workspace)?;
        let named = |name: &str| programs.iter().find(|program| program.module == name);
        let client = named("tcp_echo_client").context("no client")?;
        let server = named("tcp_echo_server").context("no server")?;
        assert!(named("behaviours").is_some() && named("peer").is_none());
        assert_ne!(client.sources, server.sources);
        assert!(component(&workspace, client).ends_with("tcp-echo-client-py.wasm"));
        Ok(())
    }
}
