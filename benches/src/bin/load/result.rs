//! The line of results.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::server::Server;
use crate::wire::Spin;

/// The figures of a case. Times are in nanoseconds.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Measured {
    /// Operations per second.
    pub(crate) rate: Option<f64>,
    /// The server's CPU time per operation.
    pub(crate) cpu: Option<f64>,
    /// The median latency.
    pub(crate) p50: Option<f64>,
    /// The latency that 99 % of the operations stay below.
    pub(crate) p99: Option<f64>,
    /// The server's resident memory per connection.
    pub(crate) memory: Option<f64>,
    /// The share of the time in which this process ran. It is less than 1 if another
    /// process had the core.
    pub(crate) share: Option<f64>,
    /// The share of the time in which it had something to do. Near 1, it sets the rate,
    /// and not the server.
    pub(crate) busy: Option<f64>,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = [
            ("rate", self.rate),
            ("cpu", self.cpu),
            ("p50", self.p50),
            ("p99", self.p99),
            ("memory", self.memory),
            ("share", self.share),
            ("busy", self.busy),
        ];
        let known = values
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        for (count, (name, value)) in known.enumerate() {
            let space = if count > 0 { " " } else { "" };
            write!(f, "{space}{name}={value:.3}")?;
        }
        Ok(())
    }
}

/// A stretch of time, and the server's CPU time in it.
#[derive(Debug)]
pub(crate) struct Stretch {
    server: Server,
    started: Instant,
    cpu: u64,
    own: u64,
    idle: Duration,
}

impl Stretch {
    pub(crate) fn begin(server: Server, spin: &Spin) -> Result<Stretch> {
        Ok(Stretch {
            server,
            cpu: server.cpu()?,
            own: this_process().cpu()?,
            idle: spin.idle(),
            started: Instant::now(),
        })
    }

    /// Returns the figures after this many operations.
    pub(crate) fn end(&self, spin: &Spin, operations: f64) -> Result<Measured> {
        let elapsed = self.started.elapsed();
        let idle = spin.idle().saturating_sub(self.idle);
        let cpu = self.server.cpu()?.saturating_sub(self.cpu);
        let own = this_process().cpu()?.saturating_sub(self.own);
        ensure!(operations > 0.0, "not one operation came to its end");
        Ok(Measured {
            rate: Some(operations / elapsed.as_secs_f64()),
            cpu: Some(cpu as f64 / operations),
            share: Some(own as f64 / elapsed.as_nanos() as f64),
            busy: Some(1.0 - idle.as_secs_f64() / elapsed.as_secs_f64()),
            ..Measured::default()
        })
    }
}

fn this_process() -> Server {
    Server::new(std::process::id())
}

/// A case whose operations are timed one by one. The warm-up takes a fifth of its time
/// before. The case goes on until each connection has had an operation, because a slow
/// server answers many at once, and then none for a long time.
#[derive(Debug)]
pub(crate) struct Timed {
    server: Server,
    time: Duration,
    connections: usize,
    started: Instant,
    /// The start of the measurement, after the warm-up.
    stretch: Option<Stretch>,
    latencies: Latencies,
}

impl Timed {
    pub(crate) fn begin(server: Server, time: Duration, connections: usize) -> Timed {
        Timed {
            server,
            time,
            connections,
            started: Instant::now(),
            stretch: None,
            latencies: Latencies::default(),
        }
    }

    /// Counts an operation that began at this time and has ended now.
    pub(crate) fn note(&mut self, since: Instant) {
        self.latencies.note(since.elapsed());
    }

    /// Returns the figures once the time is over.
    pub(crate) fn end(&mut self, now: Instant, spin: &Spin) -> Result<Option<Measured>> {
        let elapsed = now - self.started;
        let warm = self.time / 5;
        if self.stretch.is_none() && elapsed > warm {
            self.latencies.clear();
            self.stretch = Some(Stretch::begin(self.server, spin)?);
        }
        let enough = self.latencies.count() >= self.connections;
        match &self.stretch {
            Some(stretch) if elapsed > self.time + warm && enough => {
                let measured = stretch.end(spin, self.latencies.count() as f64)?;
                Ok(Some(Measured {
                    p50: self.latencies.percentile(50),
                    p99: self.latencies.percentile(99),
                    ..measured
                }))
            }
            _ => Ok(None),
        }
    }
}

/// The latencies of all operations.
#[derive(Debug, Default)]
struct Latencies(Vec<u32>);

impl Latencies {
    fn note(&mut self, time: Duration) {
        self.0
            .push(u32::try_from(time.as_nanos()).unwrap_or(u32::MAX));
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the latency that this many per cent of the operations do not exceed.
    fn percentile(&mut self, hundredths: usize) -> Option<f64> {
        let last = self.0.len().checked_sub(1)?;
        let (_, found, _) = self.0.select_nth_unstable(last * hundredths / 100);
        Some(f64::from(*found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_printed() {
        let measured = Measured {
            rate: Some(2.0),
            p99: Some(0.5),
            ..Measured::default()
        };
        assert_eq!(measured.to_string(), "rate=2.000 p99=0.500");
    }

    #[test]
    fn percentiles_are_values_that_were_noted() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50), None);
        (0..=200)
            .rev()
            .map(Duration::from_nanos)
            .for_each(|time| latencies.note(time));
        assert_eq!(latencies.percentile(50), Some(100.0));
        assert_eq!(latencies.percentile(99), Some(198.0));
    }
}
