//! The kernel's figures about the server: `/proc/PID`.

use std::fs;

use anyhow::{Context, Result};

/// A server's process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pid: u32,
}

impl Server {
    pub(crate) fn new(pid: u32) -> Server {
        Server { pid }
    }

    /// Returns the CPU time of all its threads, in nanoseconds. It lacks the time of
    /// threads that have ended, so only differences are meaningful.
    pub(crate) fn cpu(self) -> Result<u64> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid));
        let mut sum = 0;
        for thread in threads.context("the server is gone")? {
            // Skip a thread that has just ended.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else {
                continue;
            };
            sum += run_time(&text).context("the system counts no CPU time in schedstat")?;
        }
        Ok(sum)
    }

    /// Returns its resident memory, in bytes.
    pub(crate) fn memory(self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid));
        resident(&status.context("the server is gone")?).context("no VmRSS in its status")
    }
}

/// Reads the first of schedstat's three numbers.
fn run_time(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_files_are_understood() {
        assert_eq!(run_time("339757290 45758485 67\n"), Some(339_757_290));
        assert_eq!(run_time(""), None);
        let status = "Name:\tx\nVmRSS:\t   10240 kB\nThreads:\t1\n";
        assert_eq!(resident(status), Some(10 << 20));
        assert_eq!(resident("Name:\tx\n"), None);
    }
}
