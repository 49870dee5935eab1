//! Where it was measured.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::programs::Programs;
use crate::process::output_of;

/// The core the servers run on, and the load generator's; none where there is
/// only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    pub(crate) server: Option<u32>,
    pub(crate) load: Option<u32>,
}

impl Cores {
    /// The first of those this process may use has most interrupts: the load's.
    pub(crate) fn allowed() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let cores = list.and_then(|list| cores(list.trim()));
        let cores = cores.context("cannot tell which cores there are: Linux only")?;
        let [load, .., server] = cores.as_slice() else {
            eprintln!(
                "only one core: the load generator disturbs the servers, and figures say little"
            );
            return Ok(Self {
                server: None,
                load: None,
            });
        };
        Ok(Self {
            server: Some(*server),
            load: Some(*load),
        })
    }
}

/// The numbers in `0-2,5`.
fn cores(list: &str) -> Option<Vec<u32>> {
    let mut cores = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        cores.extend(first..=last);
    }
    Some(cores)
}

/// What is worth knowing about it.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    /// How many processes ran, on average, in the minute before.
    pub(crate) busy: String,
    pub(crate) python: String,
    pub(crate) uvloop: String,
    pub(crate) commit: String,
}

impl Machine {
    pub(crate) fn look(programs: &Programs) -> Result<Self> {
        let info = fs::read_to_string("/proc/cpuinfo")?;
        let model = info
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let load = fs::read_to_string("/proc/loadavg")?;
        let said =
            |command: &mut Command| output_of(command).unwrap_or_else(|_| "unknown".to_owned());
        let uvloop = "import uvloop; print(uvloop.__version__)";
        Ok(Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_numbers_and_ranges() {
        assert_eq!(cores("0-1"), Some(vec![0, 1]));
        assert_eq!(cores("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(cores("7"), Some(vec![7]));
        assert_eq!(cores("all"), None);
    }
}
