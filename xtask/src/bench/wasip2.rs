//! The peers on tokio as programs for WASI 0.2.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::programs::executables;
use crate::process::cargo;
use crate::progress::Step;
use crate::toolchain::{Toolchain, WASIP2, add_target, has_target};
use crate::workspace::Workspace;

/// Those of the package `benches` that are made for it too.
const NAMES: [&str; 2] = ["tokio-echo", "tokio-lines"];

/// Builds them with the active toolchain, which gets the target if it can.
pub(super) fn build(
    workspace: &Workspace,
    toolchain: &Toolchain,
) -> Result<Vec<(String, PathBuf)>> {
    // Where Debian's compiler is in use, rustup has been found not to work.
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
        // tokio has sockets there behind this flag.
        .env("RUSTFLAGS", "--cfg tokio_unstable")
        .current_dir(workspace.root());
    let heading = format!("building the peers on tokio for {WASIP2}");
    let messages = Step::new(heading).capture(&mut command)?;
    Ok(executables(&messages))
}
