//! Chooses the cores of the servers and of the load generator.

use std::fmt;
use std::fs;

use anyhow::{Context, Result};

/// The core of the servers and that of the load generator. `None` on a machine with
/// one core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    pub(crate) server: Option<u32>,
    pub(crate) load: Option<u32>,
    /// True if both are threads of one core, which slow each other.
    pub(crate) shared: bool,
}

impl Cores {
    /// Chooses two of the cores that this process may use.
    pub(crate) fn allowed() -> Result<Self> {
        let allowed = cores_of(std::process::id())?;
        let cores = Self::among(&allowed, |core| {
            let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
            let list = fs::read_to_string(path).ok();
            list.and_then(|list| cores(list.trim())).unwrap_or_default()
        });
        match cores {
            Self { load: None, .. } => eprintln!(
                "only one core: the load generator disturbs the servers, do not compare the figures"
            ),
            Self { shared: true, .. } => {
                eprintln!("only two threads of one core: the load generator slows the servers down")
            }
            _ => {}
        }
        Ok(cores)
    }

    /// Gives the load generator the first core, which handles most interrupts. Gives the
    /// servers the last one that is not a thread of the same core.
    fn among(allowed: &[u32], threads_beside: impl Fn(u32) -> Vec<u32>) -> Self {
        let [load, rest @ .., last] = allowed else {
            return Self {
                server: None,
                load: None,
                shared: false,
            };
        };
        let beside = threads_beside(*load);
        let mut others = std::iter::once(last).chain(rest.iter().rev());
        let apart = others.find(|core| !beside.contains(core));
        Self {
            server: Some(*apart.unwrap_or(last)),
            load: Some(*load),
            shared: apart.is_none(),
        }
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(server), Some(load)) = (self.server, self.load) else {
            return f.write_str("Server and load generator on one core.");
        };
        write!(f, "Server on core {server}, load generator on core {load}")?;
        f.write_str(match self.shared {
            true => ", two threads of one core.",
            false => ".",
        })
    }
}

/// Returns the cores that a process may use.
pub(crate) fn cores_of(process: u32) -> Result<Vec<u32>> {
    let status = fs::read_to_string(format!("/proc/{process}/status"));
    let status = status.context("it has ended, or this is no Linux")?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let cores = list.and_then(|list| cores(list.trim()));
    cores.context("the system does not tell which cores there are")
}

/// Reads a list such as `0-2,5`.
fn cores(list: &str) -> Option<Vec<u32>> {
    let mut cores = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        cores.extend(first..=last);
    }
    Some(cores)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use anyhow::ensure;

    use super::*;
    use crate::process::Supervised;

    #[test]
    fn lists_of_cores_are_numbers_and_ranges() {
        assert_eq!(cores("0-1"), Some(vec![0, 1]));
        assert_eq!(cores("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(cores("7"), Some(vec![7]));
        assert_eq!(cores("all"), None);
    }

    #[test]
    fn server_and_load_are_threads_of_different_cores_where_there_are_two() {
        let cores = |server, shared| Cores {
            server: Some(server),
            load: Some(0),
            shared,
        };
        assert_eq!(Cores::among(&[0, 1], |_| vec![0]), cores(1, false));
        assert_eq!(Cores::among(&[0, 1], |_| vec![0, 1]), cores(1, true));
        assert_eq!(Cores::among(&[0, 1, 2, 3], |_| vec![0, 3]), cores(2, false));
        assert_eq!(Cores::among(&[7], |_| vec![7]).load, None);
        assert!(
            cores(1, true)
                .to_string()
                .ends_with("two threads of one core.")
        );
    }

    #[test]
    fn the_cores_of_a_process_are_known() -> Result<()> {
        let first = *cores_of(std::process::id())?.first().context("no core")?;
        let words = ["-c", &first.to_string(), "sleep", "60"];
        let mut sleeper = Supervised::start(Command::new("taskset").args(words))?;
        let (process, started) = (sleeper.child().id(), Instant::now());
        // taskset first, then what it starts.
        while cores_of(process)? != [first] {
            ensure!(started.elapsed() < Duration::from_secs(10), "not pinned");
        }
        Ok(())
    }
}
