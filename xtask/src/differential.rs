//! `cargo xtask differential`: the differential test (`tests/differential/`) with
//! any number of scripts.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::process::cargo;
use crate::setup;
use crate::workspace::{NATIVE, Workspace};

/// Builds the components and the test, and gives the terminal to the test.
pub(crate) fn run(workspace: &Workspace, scripts: u32, seed: Option<u64>) -> Result<ExitCode> {
    setup::run(workspace, None)?;
    let mut command = cargo();
    command
        .arg("test")
        .args(NATIVE)
        .args(["--test", "differential", "--", "--nocapture"])
        .env("ASYNCIO_STREAMS_SCRIPTS", scripts.to_string())
        .current_dir(workspace.root());
    if let Some(seed) = seed {
        command.env("ASYNCIO_STREAMS_SEED", seed.to_string());
    }
    let status = command.status().context("cannot run cargo")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
