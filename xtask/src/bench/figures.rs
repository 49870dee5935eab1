//! Figures and their medians.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::peers::Peer;

/// A metric, in the unit that the load generator prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    /// Operations per second.
    Rate,
    /// The server's CPU time per operation, in ns.
    Cpu,
    /// The median latency, in ns.
    P50,
    /// The latency that 99 % of the operations stay below, in ns.
    P99,
    /// Resident memory per connection, in bytes.
    Memory,
    /// The time from the start to `listening`, in ns.
    Start,
    /// The share of the time in which the load generator ran. It never sleeps.
    Share,
    /// The share of the time in which the load generator had something to do.
    Busy,
}

impl Metric {
    const ALL: [(&'static str, Self); 8] = [
        ("rate", Self::Rate),
        ("cpu", Self::Cpu),
        ("p50", Self::P50),
        ("p99", Self::P99),
        ("memory", Self::Memory),
        ("start", Self::Start),
        ("share", Self::Share),
        ("busy", Self::Busy),
    ];
}

/// One measurement, or the medians of several.
pub(crate) type Figures = BTreeMap<Metric, f64>;

/// The medians of each case and peer.
pub(crate) type Results = BTreeMap<(&'static str, Peer), Figures>;

/// Reads `rate=1.5 cpu=2.0`.
pub(crate) fn parse(line: &str) -> Result<Figures> {
    let word = |word: &str| {
        let (name, value) = word.split_once('=')?;
        let (_, metric) = Metric::ALL.into_iter().find(|(known, _)| *known == name)?;
        Some((metric, value.parse().ok()?))
    };
    let figures = line.split_whitespace().map(word).collect::<Option<_>>();
    figures.with_context(|| format!("the load generator printed `{line}`, which are not figures"))
}

/// The largest share of its time in which the load generator may be busy, so that the
/// server sets the rate.
pub(crate) const LEISURE: f64 = 0.95;

/// Returns true if the load generator, and not the server, set the rate. Only the CPU
/// time then describes the server.
pub(crate) fn is_bounded_by_the_load(figures: &Figures) -> bool {
    figures
        .get(&Metric::Busy)
        .is_some_and(|busy| *busy > LEISURE)
}

/// Returns the median of each metric.
pub(crate) fn medians(samples: &[Figures]) -> Figures {
    let metrics = Metric::ALL.into_iter().filter_map(|(_, metric)| {
        let values = samples.iter().filter_map(|sample| sample.get(&metric));
        Some((metric, median(values.copied().collect())?))
    });
    metrics.collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let above = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(above);
    }
    let below = *values.get(values.len() / 2 - 1)?;
    Some(f64::midpoint(below, above))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn each_metric_has_a_median_of_its_own() -> Result<()> {
        let samples = ["rate=1 cpu=30", "rate=2 cpu=20", "rate=3 cpu=40"];
        let samples = samples.map(parse).into_iter().collect::<Result<Vec<_>>>()?;
        let expected = Figures::from([(Metric::Rate, 2.0), (Metric::Cpu, 30.0)]);
        assert_eq!(medians(&samples), expected);
        Ok(())
    }

    #[test]
    fn what_no_metric_is_called_is_refused() {
        for line in ["speed=1", "rate", "rate=fast"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
