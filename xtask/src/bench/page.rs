//! Writes `results.md`, and the tables on standard output.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::cases::CASES;
use super::figures::{LEISURE, Metric, Results, is_bounded_by_the_load};
use super::machine::Machine;
use super::{measure, plot, tables};
use crate::progress::seconds;

/// A run and its results.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) results: &'a Results,
    pub(crate) problems: &'a [String],
    /// The peers that this machine cannot run, with the reasons.
    pub(crate) notes: &'a [String],
    pub(crate) rounds: u32,
    pub(crate) quick: bool,
    pub(crate) elapsed: Duration,
}

/// The least share of its core that the load generator has on an idle machine.
const ALONE: f64 = 0.97;

const PEERS: &str = "\
- `raw-epoll`: an epoll loop with one `recv` and one `send` for a message
- `tokio`: tokio on one thread, with tokio-rustls for TLS
- `tokio-wasip2`: the same program compiled for `wasm32-wasip2`, on the same engine as
  this project's guests, with wasmtime-wasi's sockets for WASI 0.2
- `uvloop`, `asyncio`: CPython's streams on uvloop, and on its own loop
- `static`: a guest that links the crate
- `composed`: a guest written against the WIT, composed with the streams component
- `stream`: as `composed`, but the bytes cross as one `stream<u8>`
";

fn method() -> String {
    format!(
        "\
Server and load generator are pinned to one core each. In each case all servers run.
They take turns, in another order each round. A round takes {round} ms, after {warm} ms
of warm-up; each figure is the median of all rounds. The load generator
(`benches/src/bin/load`) polls without sleeping and verifies every byte that comes
back; for lines it compares the server's counts. CPU is the time of all threads of the
server, user and system, from `/proc/PID/task/*/schedstat`. The load generator measures
the latency.

Memory is the growth of the server's resident memory, host and guest, divided by the
number of connections. It grows from the end of a first connection until all connections
are open. Each connection has had one byte sent back, or the megabyte that its case
names, 32 connections at a time. The kernel's memory for sockets does not count.

A start is the time from spawning the process to its line `listening on`, unpinned, for
a program that was compiled before.

TLS is version 1.3 with TLS_AES_128_GCM_SHA256 and X25519: the load generator offers
nothing else. All servers have the same certificate (P-256), made for the run. Bulk is
one connection, 251 KiB written or 64 KiB read at a time; a server counts the bytes that
it receives. The load generator encrypts and decrypts as much as the server does, so it
may set the rate. For a handshake it does less: it knows the certificate, and does not
check the signature of the handshake, which would take longer than the server's whole
part. Resumed sessions have a key exchange too.

Over Unix sockets the same programs echo, each at a path in a folder of its own. This
project's guest asks the host for the socket (`asyncio:host/unix-sockets`).

{PEERS}",
        round = measure::ROUND,
        warm = measure::ROUND / 5,
    )
}

impl Page<'_> {
    /// Returns all tables, and the list of problems.
    pub(crate) fn tables(&self) -> String {
        let results = self.results;
        let sections = [
            (
                "CPU: the server's, per operation",
                tables::by_peer(results, Metric::Cpu),
            ),
            (
                "CPU: ours as a multiple of each peer's, static / composed",
                tables::ratios(results, Metric::Cpu),
            ),
            ("Rate", tables::by_peer(results, Metric::Rate)),
            (
                "Rate: ours as a multiple of each peer's, static / composed",
                tables::ratios(results, Metric::Rate),
            ),
            ("Latency: p50 / p99", tables::latencies(results)),
            (
                "Memory per connection: the growth of the server's process",
                tables::by_peer(results, Metric::Memory),
            ),
            (
                "Memory: ours as a multiple of each peer's, static / composed",
                tables::ratios(results, Metric::Memory),
            ),
            ("Start", tables::by_peer(results, Metric::Start)),
            (
                "Load generator: the share of its time in which it was busy",
                tables::by_peer(results, Metric::Busy),
            ),
            ("Targets", Some(tables::targets(results))),
        ];
        let mut text = String::new();
        for (title, table) in sections {
            if let Some(table) = table {
                let _ = write!(text, "\n## {title}\n\n{table}");
            }
        }
        if let Some(share) = self.share().filter(|share| *share < ALONE) {
            let _ = write!(
                text,
                "\n**Something else ran as well:** in some case the load generator had only \
                 {:.0} % of its core. Do not compare these figures.\n",
                share * 100.0
            );
        }
        if let Some(limited) = self.limited_by_the_load() {
            let _ = write!(
                text,
                "\n**The load generator set these rates**, as it was busy for more than {:.0} % of \
                 the time. Compare the servers' CPU times instead: {limited}.\n",
                LEISURE * 100.0
            );
        }
        for (title, items) in [
            ("Not measured on this machine", self.notes),
            ("Problems", self.problems),
        ] {
            if !items.is_empty() {
                let _ = writeln!(text, "\n## {title}\n");
            }
            for item in items {
                let _ = writeln!(text, "- {item}");
            }
        }
        text
    }

    /// Returns the cases and peers whose rates the load generator set, such as
    /// `bulk (raw-epoll, tokio)`.
    fn limited_by_the_load(&self) -> Option<String> {
        let peers = |name| {
            let of_case = self
                .results
                .iter()
                .filter(move |((case, _), _)| *case == name);
            let limited = of_case.filter(|(_, figures)| is_bounded_by_the_load(figures));
            let peers: Vec<_> = limited.map(|((_, peer), _)| peer.name()).collect();
            (!peers.is_empty()).then(|| format!("{name} ({})", peers.join(", ")))
        };
        let cases: Vec<_> = CASES.iter().filter_map(|case| peers(case.name)).collect();
        (!cases.is_empty()).then(|| cases.join(", "))
    }

    /// Returns the least share of its core that the load generator had in any case.
    fn share(&self) -> Option<f64> {
        let shares = self
            .results
            .values()
            .filter_map(|figures| figures.get(&Metric::Share));
        shares.copied().min_by(f64::total_cmp)
    }

    /// Writes the page and the plot, and returns their paths.
    pub(crate) fn write(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        std::fs::create_dir_all(folder)?;
        let files = [
            ("results.md", Some(self.text())),
            ("results.svg", plot::svg(self.results)),
        ];
        let mut written = Vec::new();
        for (name, content) in files {
            let Some(content) = content else { continue };
            let path = folder.join(name);
            std::fs::write(&path, content).with_context(|| path.display().to_string())?;
            written.push(path);
        }
        Ok(written)
    }

    fn text(&self) -> String {
        let Machine {
            pinned,
            date,
            cpu,
            cores,
            kernel,
            busy,
            python,
            uvloop,
            commit,
        } = self.machine;
        let short = if self.quick { ", quick" } else { "" };
        format!(
            "# Results\n\n\
             Written by `cargo xtask bench` on {date}, commit {commit}; {} rounds{short}, {}.\n\
             {cpu}, {cores} cores, {kernel}; {python}, uvloop {uvloop}. \
             {pinned} Load average before it: {busy}.\n\n\
             ![Server CPU per round trip](results.svg)\n\
             {}\n## Method\n\n{}",
            self.rounds,
            seconds(self.elapsed),
            self.tables(),
            method(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cores::Cores;
    use crate::bench::figures::Figures;
    use crate::bench::peers::Peer;

    static NOTHING: Results = Results::new();

    fn machine() -> Machine {
        Machine {
            pinned: Cores {
                server: Some(1),
                load: Some(0),
                shared: false,
            },
            date: "2026-01-02 03:04 UTC".to_owned(),
            cpu: "a CPU".to_owned(),
            cores: 2,
            kernel: "Linux 6".to_owned(),
            busy: "0.10".to_owned(),
            python: "Python 3".to_owned(),
            uvloop: "0".to_owned(),
            commit: "abc".to_owned(),
        }
    }

    fn page(machine: &Machine) -> Page<'_> {
        Page {
            machine,
            results: &NOTHING,
            problems: &[],
            notes: &[],
            rounds: 5,
            quick: false,
            elapsed: Duration::from_secs(60),
        }
    }

    #[test]
    fn a_machine_that_was_shared_is_named_so() {
        let figures = |share| Figures::from([(Metric::Share, share)]);
        let machine = machine();
        let said = |share| {
            let results = Results::from([
                (("bulk", Peer::Tokio), figures(1.0)),
                (("bulk", Peer::Static), figures(share)),
            ]);
            let page = Page {
                results: &results,
                ..page(&machine)
            };
            page.tables().contains("had only 60 % of its core")
        };
        assert!(said(0.6) && !said(0.99));
    }

    #[test]
    fn a_page_names_date_machine_method_and_problems() {
        let machine = machine();
        let text = Page {
            problems: &["bulk, tokio: gone".to_owned()],
            notes: &["tokio-wasip2: no such target".to_owned()],
            ..page(&machine)
        }
        .text();
        for part in [
            "2026-01-02",
            "a CPU, 2 cores, Linux 6",
            "5 rounds",
            "schedstat",
            "Server on core 1",
            "## Problems\n\n- bulk, tokio: gone",
            "## Not measured on this machine\n\n- tokio-wasip2",
            "## Targets",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn rates_that_the_load_generator_set_are_named() {
        let figures = |busy| Figures::from([(Metric::Busy, busy), (Metric::Rate, 1.0)]);
        let results = Results::from([
            (("bulk", Peer::RawEpoll), figures(0.99)),
            (("bulk", Peer::Tokio), figures(0.97)),
            (("bulk", Peer::Static), figures(0.8)),
            (("connect", Peer::Static), figures(0.5)),
        ]);
        let machine = machine();
        let text = Page {
            results: &results,
            ..page(&machine)
        }
        .tables();
        assert!(text.contains("CPU times instead: bulk (raw-epoll, tokio)."));
        assert!(text.contains("met, load at its limit") || text.contains("MISSED, load at"));
    }
}
