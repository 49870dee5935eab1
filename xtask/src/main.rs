//! The repository's own commands: set-up, build of the components, demo, tests,
//! benchmarks.
//!
//! `cargo xtask --help` lists them. They need cargo on the PATH and nothing else. A
//! command installs the programs that it lacks, or says how to install them.

#![forbid(unsafe_code)]

mod args;
mod bench;
mod conformance;
mod debian;
mod differential;
mod echo;
mod encode;
mod fuzz;
mod guests;
mod process;
mod progress;
mod python;
mod setup;
mod test;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::{Invocation, USAGE};
use crate::workspace::Workspace;

fn main() -> ExitCode {
    let invocation = match Invocation::parse(std::env::args().skip(1)) {
        Ok(invocation) => invocation,
        Err(error) => {
            eprintln!("error: {error:#}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match dispatch(invocation) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(invocation: Invocation) -> Result<ExitCode> {
    if let Invocation::Help = invocation {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    let workspace = Workspace::find()?;
    match invocation {
        Invocation::Help => {}
        Invocation::Setup { way } => {
            setup::run(&workspace, way)?;
        }
        Invocation::Build { path: None, .. } => {
            setup::run(&workspace, None)?;
        }
        Invocation::Build {
            path: Some(path),
            cargo_args,
        } => {
            let toolchain = setup::choose(&workspace, None)?;
            for component in guests::build_crate(&workspace, &toolchain, &path, &cargo_args)? {
                println!("{}", component.display());
            }
        }
        Invocation::Echo { message, form } => echo::run(&workspace, &message, form)?,
        Invocation::Fuzz { target, time } => fuzz::run(&workspace, target.as_deref(), time)?,
        Invocation::Differential { scripts, seed } => {
            return differential::run(&workspace, scripts, seed);
        }
        Invocation::Bench(options) => return bench::run(&workspace, &options),
        Invocation::Conformance => conformance::run(&workspace, None)?,
        Invocation::Test { args } => return test::run(&workspace, &args),
    }
    Ok(ExitCode::SUCCESS)
}
