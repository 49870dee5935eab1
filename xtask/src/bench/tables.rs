//! Writes tables in Markdown, with columns that a terminal shows aligned.

use std::fmt;

use super::cases::{CASES, Case, Flow, Work};
use super::figures::{Metric, Results};
use super::peers::Peer;
use super::targets::{TARGETS, Verdict};

/// Rows of cells. The first row is the head.
#[derive(Debug)]
pub(crate) struct Table(Vec<Vec<String>>);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell: &String| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, row) in self.0.iter().enumerate() {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(f, "| {cell:<width$} ")?,
                    _ => write!(f, "| {cell:>width$} ")?,
                }
            }
            writeln!(f, "|")?;
            if number == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let end = if column == 0 { "-" } else { ":" };
                    write!(f, "| {}{end} ", "-".repeat(width.saturating_sub(1)))?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// Returns the divisor of a figure in a table, and the unit of the quotient.
fn unit(work: Work, metric: Metric) -> (f64, &'static str) {
    if let Work::Unix(work) = work {
        return unit(*work, metric);
    }
    let bulk = matches!(work, Work::Bulk(_) | Work::Tls(Flow::Source | Flow::Sink));
    match (work, metric) {
        (_, Metric::Rate) if bulk => (1.0, "MB/s"),
        (Work::Lines(_), Metric::Rate) => (1e6, "M/s"),
        (_, Metric::Rate) => (1e3, "k/s"),
        (Work::Lines(_), Metric::Cpu) => (1.0, "ns"),
        (_, Metric::Cpu) if bulk => (1e3, "µs/MB"),
        (_, Metric::Cpu | Metric::P50 | Metric::P99) => (1e3, "µs"),
        (_, Metric::Memory) => (1024.0, "KiB"),
        (_, Metric::Start) => (1e6, "ms"),
        (_, Metric::Share | Metric::Busy) => (0.01, "%"),
    }
}

/// Returns a table with a column for each peer, and a row for each case with figures.
pub(crate) fn by_peer(results: &Results, metric: Metric) -> Option<Table> {
    rows(results, metric, with_unit, |case, peer| {
        let (divisor, _) = unit(case.work, metric);
        let value = results.get(&(case.name, peer))?.get(&metric)?;
        Some(figure(value / divisor))
    })
}

/// Returns the table of latencies: the median, and the one that 99 % stay below.
pub(crate) fn latencies(results: &Results) -> Option<Table> {
    rows(results, Metric::P50, with_unit, |case, peer| {
        let figures = results.get(&(case.name, peer))?;
        let both = [Metric::P50, Metric::P99].map(|metric| {
            let (divisor, _) = unit(case.work, metric);
            figures.get(&metric).map(|value| figure(value / divisor))
        });
        let [Some(p50), Some(p99)] = both else {
            return None;
        };
        Some(format!("{p50} / {p99}"))
    })
}

/// Returns the table of this project's figures divided by each peer's, as
/// `static / composed`.
pub(crate) fn ratios(results: &Results, metric: Metric) -> Option<Table> {
    rows(
        results,
        metric,
        |case, _| case.title.to_owned(),
        |case, peer| {
            let value = |peer| results.get(&(case.name, peer))?.get(&metric).copied();
            // A ratio to zero has no meaning.
            let base = value(peer).filter(|base| *base > 0.0)?;
            let ours = Peer::OURS.map(|own| match value(own) {
                Some(value) => figure(value / base),
                None => "-".to_owned(),
            });
            Some(ours.join(" / "))
        },
    )
}

fn with_unit(case: &Case, metric: Metric) -> String {
    let (_, unit) = unit(case.work, metric);
    format!("{}, {unit}", case.title)
}

/// Returns a table with a row for each case with figures.
fn rows(
    results: &Results,
    metric: Metric,
    title: impl Fn(&Case, Metric) -> String,
    cell: impl Fn(&Case, Peer) -> Option<String>,
) -> Option<Table> {
    let peers: Vec<Peer> = Peer::ALL
        .into_iter()
        .filter(|peer| {
            results
                .iter()
                .any(|((_, found), figures)| found == peer && figures.contains_key(&metric))
        })
        .collect();
    let head = std::iter::once("case").chain(peers.iter().map(|peer| peer.name()));
    let mut table = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    for case in &CASES {
        let cells: Vec<_> = peers.iter().map(|&peer| cell(case, peer)).collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        let cells = cells
            .into_iter()
            .map(|cell| cell.unwrap_or_else(|| "-".to_owned()));
        table.push(std::iter::once(title(case, metric)).chain(cells).collect());
    }
    (table.len() > 1).then_some(Table(table))
}

/// Returns the table of targets with their verdicts.
pub(crate) fn targets(results: &Results) -> Table {
    let head = ["target", "promised", "measured", "verdict"].map(str::to_owned);
    let mut table = vec![head.to_vec()];
    for target in &TARGETS {
        let (value, mut verdict) = match target.verdict(results) {
            Verdict::Met(value) => (figure(value), "met".to_owned()),
            Verdict::Missed(value) => (figure(value), "MISSED".to_owned()),
            Verdict::Unknown => ("-".to_owned(), "not measured".to_owned()),
        };
        if target.is_bounded_by_the_load(results) {
            verdict.push_str(", load at its limit");
        }
        table.push(vec![
            target.title.to_owned(),
            target.promise(),
            value,
            verdict,
        ]);
    }
    Table(table)
}

/// Formats a value with three digits, or with all digits before the point.
pub(crate) fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Figures;

    fn results() -> Results {
        let figures =
            |cpu| Figures::from([(Metric::Cpu, cpu), (Metric::P50, 1e5), (Metric::P99, 2e6)]);
        Results::from([
            (("ping-pong-64x64", Peer::Tokio), figures(5000.0)),
            (("ping-pong-64x64", Peer::Static), figures(12_500.0)),
            (
                ("readline", Peer::Static),
                Figures::from([(Metric::Cpu, 80.0)]),
            ),
        ])
    }

    #[test]
    fn figures_have_three_digits_or_more() {
        let shown = [0.123, 9.996, 12.34, 99.96, 1234.5].map(figure);
        assert_eq!(shown, ["0.12", "10.0", "12.3", "100", "1234"]);
    }

    #[test]
    fn a_table_has_a_column_for_each_peer_with_figures() {
        let table = by_peer(&results(), Metric::Cpu).map(|table| table.to_string());
        let expected = "\
| case                               | tokio | static |
| ---------------------------------- | ----: | -----: |
| 64 B ping-pong, 64 connections, µs |  5.00 |   12.5 |
| readline, 100-byte lines, ns       |     - |   80.0 |
";
        assert_eq!(table.as_deref(), Some(expected));
        assert!(by_peer(&results(), Metric::Memory).is_none());
    }

    #[test]
    fn what_goes_over_a_unix_socket_has_the_units_it_has_elsewhere() {
        for metric in [Metric::Rate, Metric::Cpu, Metric::P50] {
            for work in [&Work::Bulk(0), &Work::PingPong(64, 64)] {
                assert_eq!(unit(Work::Unix(work), metric), unit(*work, metric));
            }
        }
    }

    #[test]
    fn latencies_and_ratios_stand_two_in_a_cell() {
        let latencies = latencies(&results()).map(|table| table.to_string());
        assert!(latencies.is_some_and(|table| table.contains("| 100 / 2000 |")));
        let ratios = ratios(&results(), Metric::Cpu).map(|table| table.to_string());
        assert!(ratios.is_some_and(|table| table.contains("| 2.50 / - |")));
    }

    #[test]
    fn targets_without_figures_are_not_measured() {
        let table = targets(&results()).to_string();
        assert_eq!(table.lines().count(), TARGETS.len() + 2);
        assert_eq!(table.matches("not measured").count(), TARGETS.len());
    }
}
