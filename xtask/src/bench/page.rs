//! `results.md`, and what is printed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::cases::CASES;
use super::figures::{LEISURE, Metric, Results, is_bounded_by_the_load};
use super::machine::Machine;
use super::{measure, plot, tables};
use crate::progress::seconds;

/// A run and what came of it.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) results: &'a Results,
    pub(crate) problems: &'a [String],
    /// Who is missing without being a problem.
    pub(crate) notes: &'a [String],
    pub(crate) rounds: u32,
    pub(crate) quick: bool,
    pub(crate) elapsed: Duration,
}

/// The part of its core that the load generator has on a machine of its own.
const ALONE: f64 = 0.97;

const PEERS: &str = "\
- `raw-epoll`: an epoll loop with one `recv` and one `send` for a message
- `tokio`: tokio on one thread, with tokio-rustls for TLS
- `tokio-wasip2`: the same program compiled for `wasm32-wasip2`, on the engine that
  ours run on, with wasmtime-wasi's sockets for WASI 0.2
- `uvloop`, `asyncio`: CPython's streams on uvloop, and on its own loop
- `static`: a guest that links the crate
- `composed`: a guest written against the WIT, composed with the streams component
- `stream`: as `composed`, and the bytes cross as one `stream<u8>`
";

fn method() -> String {
    format!(
        "\
Server and load generator are pinned to a core each. In each case all servers run,
and take turns, round by round, each round in another order. A round is {round} ms,
after {warm} ms for getting warm; each figure is the median of its rounds. The load
generator (`benches/src/bin/load`) polls without sleeping and verifies every byte
that comes back; for lines it compares the server's counts. CPU is the server's own,
user and system, of all its threads, from `/proc/PID/task/*/schedstat`. Latency is
what the load generator sees.

Memory is the resident memory of the whole server process, host and guest, less what
it was after a first connection had come and gone, divided by the number of
connections, which are all open. Each has had one byte sent back, or the megabyte its
case names, 32 connections at a time. What the kernel holds for sockets is not in it.
A start is from spawning the process to its line `listening on`, unpinned, of a
program that was compiled before.

TLS is 1.3 with TLS_AES_128_GCM_SHA256 and X25519, all that the load generator
offers; the certificate (P-256) is made for the run, and the same for all. Bulk is
one connection, 251 KiB written or 64 KiB read at a time; what a server receives it
counts. The load generator encrypts and decrypts as much as the server does, so that
it may be the one that sets the rate. For a handshake it does less: it knows the certificate,
and does not check the signature of the handshake, which would take it longer than
the server takes for all of it. Sessions that are resumed have a key exchange too.

Over Unix sockets the same programs echo, each at a path in a folder of its own; ours
is a guest that asks the host for the socket (`asyncio:host/unix-sockets`).

{PEERS}",
        round = measure::ROUND,
        warm = measure::ROUND / 5,
    )
}

impl Page<'_> {
    /// All tables, and what went wrong.
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
                "Memory per connection: what all of them add to the server's process",
                tables::by_peer(results, Metric::Memory),
            ),
            (
                "Memory: ours as a multiple of each peer's, static / composed",
                tables::ratios(results, Metric::Memory),
            ),
            ("Start", tables::by_peer(results, Metric::Start)),
            (
                "Load generator: the part of its time it had something to do",
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
                 {:.0} % of its core. These figures say little.\n",
                share * 100.0
            );
        }
        if let Some(limited) = self.limited_by_the_load() {
            let _ = write!(
                text,
                "\n**Rates that the load generator set**, busy for more than {:.0} % of the \
                 time, say nothing about the server, while its CPU time does: {limited}.\n",
                LEISURE * 100.0
            );
        }
        for (title, items) in [
            ("Not measured on this machine", self.notes),
            ("What went wrong", self.problems),
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

    /// Where it had hardly a moment to wait in: `bulk (raw-epoll, tokio)`.
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

    /// The smallest part of its core that the load generator had in any case.
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
    fn a_page_says_when_where_how_and_what_went_wrong() {
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
            "## What went wrong\n\n- bulk, tokio: gone",
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
        assert!(text.contains("while its CPU time does: bulk (raw-epoll, tokio)."));
        assert!(text.contains("met, load at its limit") || text.contains("MISSED, load at"));
    }
}
