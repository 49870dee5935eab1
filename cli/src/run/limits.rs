use std::num::NonZeroUsize;
use std::time::Duration;

use asyncio_streams_host::{Limits, Runner};
use clap::Args;

use super::descriptors;
use crate::policy::Setting;

const SOCKETS: &str = "Sockets open at the same time: TCP and Unix, listeners and connections. The \
workers divide them among themselves";

/// The resources that the program may take.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits (with --workers, of each worker)")]
pub(crate) struct LimitArgs {
    #[arg(long, value_name = "N", help = format!("{SOCKETS} [default: {}, or fewer if the limit of open files is lower]", Limits::default().sockets))]
    max_sockets: Option<usize>,

    /// When all of them are open and a peer connects, reset for it the accepted connection that has
    /// been idle for longest, if it has been for this time. Without the option, the new connection is
    /// refused
    #[arg(long, value_name = "TIME", value_parser = duration)]
    close_idle: Option<Duration>,

    /// Memory of the program, and everything that the host keeps for it, such as TLS sessions: a
    /// number of bytes, or with a unit, such as 64KiB, 64MiB, 4GiB. Handles, tasks and resources
    /// take as much again at most
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    max_memory: usize,

    /// Component handles at the same time; a connection takes about five
    #[arg(long, value_name = "N", default_value_t = Limits::default().handles)]
    max_handles: usize,

    /// Tasks, streams and futures at the same time; a connection takes about twenty
    #[arg(long, value_name = "N", default_value_t = Limits::default().concurrent)]
    max_concurrent: usize,

    /// Resources of the host at the same time: one for each listener, and one for each connection
    /// while the program holds its socket
    #[arg(long, value_name = "N", default_value_t = Limits::default().resources)]
    max_resources: usize,

    /// Processor time that the program may use: a number of seconds, or with a unit, such as 500ms,
    /// 5s, 2m, 1h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_cpu: Option<Duration>,

    /// Time in which the program has to end, its connections included
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,

    /// Time in which the program has to be compiled and started, up to the call of its `run`
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    startup_timeout: Duration,
}

impl LimitArgs {
    /// Takes a setting of a policy file, unless the command line has the option. Returns
    /// false if it is none of these options.
    pub(super) fn apply(&mut self, setting: &Setting, given: bool) -> anyhow::Result<bool> {
        if self.apply_time(setting, given)? {
            return Ok(true);
        }
        let (own, value) = match setting.option {
            "max-sockets" => (self.max_sockets.get_or_insert_default(), setting.parse()?),
            "max-memory" => (&mut self.max_memory, setting.parse_by(size)?),
            "max-handles" => (&mut self.max_handles, setting.parse()?),
            "max-concurrent" => (&mut self.max_concurrent, setting.parse()?),
            "max-resources" => (&mut self.max_resources, setting.parse()?),
            _ => return Ok(false),
        };
        if !given {
            *own = value;
        }
        Ok(true)
    }

    fn apply_time(&mut self, setting: &Setting, given: bool) -> anyhow::Result<bool> {
        let own = match setting.option {
            "max-cpu" => self.max_cpu.get_or_insert_default(),
            "timeout" => self.timeout.get_or_insert_default(),
            "close-idle" => self.close_idle.get_or_insert_default(),
            "startup-timeout" => &mut self.startup_timeout,
            _ => return Ok(false),
        };
        let time = setting.parse_by(duration)?;
        if !given {
            *own = time;
        }
        Ok(true)
    }

    /// Sets the limits of time, of which `elapsed` has passed since the start of the command.
    pub(super) fn limit_time(&self, runner: Runner, elapsed: Duration) -> Runner {
        let mut runner = runner.startup_timeout(self.startup_timeout.saturating_sub(elapsed));
        if let Some(time) = self.max_cpu {
            runner = runner.max_cpu(time);
        }
        if let Some(time) = self.timeout {
            runner = runner.timeout(time);
        }
        runner
    }

    pub(super) fn startup_timeout(&self) -> Duration {
        self.startup_timeout
    }

    /// Returns the limits of each worker.
    pub(super) fn limits(&self, workers: NonZeroUsize) -> Limits {
        let mut limits = Limits::default();
        limits.sockets = descriptors::sockets_of_each(self.max_sockets, limits.sockets, workers);
        limits.close_idle = self.close_idle;
        limits.memory = self.max_memory;
        limits.handles = self.max_handles;
        limits.concurrent = self.max_concurrent;
        limits.resources = self.max_resources;
        limits
    }
}

/// Parses `5`, `0.5`, `500ms`, `5s`, `2m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let (number, unit) = units
        .iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit)))
        .unwrap_or((text, 1.0));
    number
        .trim()
        .parse::<f64>()
        .ok()
        .and_then(|number| Duration::try_from_secs_f64(number * unit).ok())
        .ok_or_else(|| {
            "a duration is a number of seconds, or has a unit: 500ms, 5s, 2m, 1h".to_owned()
        })
}

/// Parses `1048576`, `64KiB`, `64MiB`, `4GiB`.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let (number, shift) = units
        .iter()
        .find_map(|(suffix, shift)| Some((text.strip_suffix(suffix)?, *shift)))
        .unwrap_or((text, 0));
    number
        .trim()
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| "a size is a number of bytes, or has a unit: 64KiB, 64MiB, 4GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, millis) in [
            ("5", 5000),
            ("0.5", 500),
            ("500ms", 500),
            ("2s", 2000),
            ("1m", 60_000),
            ("1.5h", 5_400_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1", "1d", "inf", "nan", "1e300"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("0", 0), ("100", 100), ("64KiB", 65536), ("4GiB", 4 << 30)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "KiB", "-1", "4TiB", "99999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
