//! Describes the machine of a run.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::cores::Cores;
use super::programs::Programs;
use crate::process::output_of;

/// The facts about a machine that affect figures.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) pinned: Cores,
    pub(crate) date: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    /// The load average of the minute before the run.
    pub(crate) busy: String,
    pub(crate) python: String,
    pub(crate) uvloop: String,
    pub(crate) commit: String,
}

impl Machine {
    pub(crate) fn look(programs: &Programs, pinned: Cores) -> Result<Self> {
        let info = fs::read_to_string("/proc/cpuinfo")?;
        let model = info
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let load = fs::read_to_string("/proc/loadavg")?;
        let said =
            |command: &mut Command| output_of(command).unwrap_or_else(|_| "unknown".to_owned());
        let uvloop = "import uvloop; print(uvloop.__version__)";
        Ok(Self {
            pinned,
            date: said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])),
            cpu: model
                .map_or("unknown", |model| {
                    model.trim_start_matches([' ', '\t', ':'])
                })
                .to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            kernel: said(Command::new("uname").arg("-sr")),
            busy: load.split(' ').next().unwrap_or("unknown").to_owned(),
            python: said(Command::new("python3").arg("--version")),
            uvloop: said(Command::new(&programs.uvloop).args(["-c", uvloop])),
            commit: said(Command::new("git").args(["describe", "--always", "--dirty"])),
        })
    }
}
