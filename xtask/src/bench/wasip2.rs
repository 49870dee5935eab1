//! Builds the peers on tokio as programs for WASI 0.2.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::programs::executables;
use crate::process::cargo;
use crate::progress::Step;
use crate::toolchain::{Toolchain, WASIP2, add_target, has_target};
use crate::workspace::Workspace;

/// The programs of the package `benches` that are also built for WASI 0.2.
const NAMES: [&str; 2] = ["tokio-echo", "tokio-lines"];

/// Builds the programs with the active toolchain, after adding the target to it.
pub(super) fn build(
    workspace: &Workspace,
    toolchain: &Toolchain,
) -> Result<Vec<(String, PathBuf)>> {
    // Debian's compiler is in use only if rustup does not work on this machine.
    ensure!(
        has_target(WASIP2)? || *toolchain == Toolchain::Active,
        "the active toolchain has no target {WASIP2}, and Debian's compiler no C library for it"
    );
    add_target(WASIP2).with_context(|| format!("no target {WASIP2}"))?;
    let mut command = cargo();
    command.args(["build", "--package", "benches"]);
    for name in NAMES {
        command.args(["--bin", name]);
    }
    command
        .args(["--profile", "guest", "--target", WASIP2])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--target-dir")
        .arg(workspace.guests())
        // tokio has sockets for this target only with this flag.
        .env("RUSTFLAGS", "--cfg tokio_unstable")
        .current_dir(workspace.root());
    let heading = format!("building the peers on tokio for {WASIP2}");
    let messages = Step::new(heading).capture(&mut command)?;
    Ok(executables(&messages))
}
