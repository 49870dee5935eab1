//! The counters in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use asyncio_streams_host::StatsSnapshot;

use crate::run::status::Status;

/// The time to wait for a program to count its tables.
const PATIENCE: Duration = Duration::from_millis(200);

/// The figures of a worker, and its denials by their labels.
type Worker = (StatsSnapshot, BTreeMap<&'static str, u64>);

/// The name, the help and the value of a figure.
type Figure = (&'static str, &'static str, fn(&StatsSnapshot) -> u64);

/// Figures that rise and fall.
const GAUGES: &[Figure] = &[
    ("sockets_open", "Open sockets, listeners included.", |now| {
        now.sockets_open as u64
    }),
    ("listeners_open", "Open listeners.", |now| {
        now.listeners_open as u64
    }),
    ("memory_bytes", "Linear memory of the program.", |now| {
        now.memory_bytes as u64
    }),
    (
        "resources_open",
        "Entries in the host's resource table.",
        |now| now.table_len as u64,
    ),
    ("tasks_open", "Tasks, streams and futures.", |now| {
        now.concurrent_len as u64
    }),
];

/// Figures that only rise.
const COUNTERS: &[Figure] = &[
    ("sockets_opened_total", "Sockets made or accepted.", |now| {
        now.sockets_opened_total
    }),
    ("received_bytes_total", "Bytes received.", |now| {
        now.bytes_received_total
    }),
    ("sent_bytes_total", "Bytes sent.", |now| {
        now.bytes_sent_total
    }),
    ("lookups_total", "Names looked up.", |now| now.lookups_total),
    (
        "lookups_failed_total",
        "Look-ups that gave no address.",
        |now| now.lookups_failed_total,
    ),
];

/// Counts the workers' tables, and writes all figures.
pub(super) async fn render(status: &Status) -> String {
    let mut workers = Vec::new();
    for run in status.runs() {
        let sample = tokio::time::timeout(PATIENCE, run.stats.sample()).await;
        let figures = sample.unwrap_or_else(|_| run.stats.snapshot());
        workers.push((figures, run.stats.denials()));
    }
    write(&workers, status.not_ready().is_none())
}

fn write(workers: &[Worker], ready: bool) -> String {
    let mut text = Text::default();
    text.family("info", "gauge", "The version of the command.");
    text.line("info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.family(
        "ready",
        "gauge",
        "1 if the program is ready for connections.",
    );
    text.line("ready", &[], u64::from(ready));
    for (figures, kind) in [(GAUGES, "gauge"), (COUNTERS, "counter")] {
        for (name, help, value) in figures {
            text.family(name, kind, help);
            for (number, (figures, _)) in workers.iter().enumerate() {
                let worker = number.to_string();
                text.line(name, &[("worker", &worker)], value(figures));
            }
        }
    }
    let name = "connections_total";
    text.family(name, "counter", "Connections accepted (in) and made (out).");
    for (number, (figures, _)) in workers.iter().enumerate() {
        let worker = number.to_string();
        let both = [
            ("in", figures.accepted_total),
            ("out", figures.connected_total),
        ];
        for (direction, value) in both {
            let labels = [("worker", worker.as_str()), ("direction", direction)];
            text.line(name, &labels, value);
        }
    }
    let name = "denied_total";
    text.family(
        name,
        "counter",
        "Requests denied by a rule, a limit or a quota, by the reason.",
    );
    for (number, (_, denials)) in workers.iter().enumerate() {
        let worker = number.to_string();
        for (reason, value) in denials {
            let labels = [("worker", worker.as_str()), ("reason", *reason)];
            text.line(name, &labels, *value);
        }
    }
    text.0
}

/// The text while it is written. All labels are ours, so that none needs escaping.
#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.0,
            "# HELP asyncio_streams_{name} {help}\n# TYPE asyncio_streams_{name} {kind}"
        );
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{value}\""))
            .collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.0, "asyncio_streams_{name}{labels} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_belongs_to_a_family_that_is_described() {
        let denials = BTreeMap::from([("no-rule", 3), ("quota-connect-rate", 1)]);
        let workers = [
            (StatsSnapshot::default(), denials),
            (StatsSnapshot::default(), BTreeMap::new()),
        ];
        let text = write(&workers, true);
        let mut families = Vec::new();
        for line in text.lines() {
            if let Some(family) = line.strip_prefix("# TYPE ") {
                let (name, kind) = family.split_once(' ').unwrap();
                assert!(!families.contains(&name), "twice: {name}");
                assert!(["gauge", "counter"].contains(&kind), "{line}");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                families.push(name);
            } else if !line.starts_with('#') {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let name = sample.split('{').next().unwrap();
                assert_eq!(families.last(), Some(&name), "{line}");
                value.parse::<u64>().unwrap();
            }
        }
        let denied = r#"asyncio_streams_denied_total{worker="0",reason="no-rule"} 3"#;
        assert!(text.lines().any(|line| line == denied), "{text}");
        assert!(text.contains("asyncio_streams_ready 1\n"), "{text}");
    }
}
