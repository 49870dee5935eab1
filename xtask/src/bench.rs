//! `cargo xtask bench`: measures this project's servers and others in turn.
//!
//! In each case all servers run, and the load generator talks to one at a time. They
//! take turns, in an order that changes from round to round, so that disturbances of
//! the machine affect all of them. Servers share one core; the load generator has
//! another.

mod cases;
mod cores;
mod figures;
mod folder;
mod machine;
mod measure;
mod order;
mod page;
mod peers;
mod plot;
mod programs;
mod server;
mod tables;
mod targets;
mod wasip2;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::progress::seconds;
use crate::workspace::Workspace;

use cases::{CASES, Case, Work};
use cores::Cores;
use figures::{Figures, Results};
use machine::Machine;
use measure::Bench;
use order::order;
use page::Page;
use peers::Peer;
use programs::Programs;

/// The usual number of rounds. Medians of fewer rounds vary too much to be compared.
const ROUNDS: u32 = 5;

/// The options of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The number of rounds; `None` means [`ROUNDS`].
    pub(crate) rounds: Option<u32>,
    /// Makes rounds short, and one of them the default.
    pub(crate) quick: bool,
    /// Starts of names of cases; an empty list means all cases.
    pub(crate) cases: Vec<String>,
    /// Names of peers; an empty list means all peers.
    pub(crate) peers: Vec<String>,
    /// Another build of the command; `None` builds this one.
    pub(crate) command: Option<PathBuf>,
}

impl Options {
    fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { ROUNDS })
    }

    /// Returns true if the results are complete enough to replace those in the
    /// repository.
    fn is_complete(&self) -> bool {
        let enough = !self.quick && self.rounds() >= ROUNDS;
        enough && self.cases.is_empty() && self.peers.is_empty() && self.command.is_none()
    }

    fn cases(&self) -> Result<Vec<&'static Case>> {
        for name in &self.cases {
            let known = || CASES.map(|case| case.name).join(", ");
            ensure!(
                CASES.iter().any(|case| case.name.starts_with(name)),
                "no case starts with `{name}`: there are {}",
                known()
            );
        }
        let wanted = |case: &&Case| self.cases.iter().any(|name| case.name.starts_with(name));
        let all = self.cases.is_empty();
        Ok(CASES.iter().filter(|case| all || wanted(case)).collect())
    }

    fn peers(&self) -> Result<Vec<Peer>> {
        let named = self.peers.iter().map(|name| Peer::parse(name));
        let named = named.collect::<Result<Vec<_>>>()?;
        let all = named.is_empty();
        let wanted = |peer: &Peer| all || named.contains(peer);
        Ok(Peer::ALL.into_iter().filter(wanted).collect())
    }
}

/// Measures, prints the tables, and writes the page: to `benches/` after a complete
/// run, else to `target/bench/`.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let (cases, mut peers) = (options.cases()?, options.peers()?);
    let programs = Programs::build(workspace, &peers, options.command.as_deref())?;
    let mut problems = programs.problems.clone();
    peers.retain(|peer| !programs.lacks(*peer));
    let cores = Cores::allowed()?;
    let machine = Machine::look(&programs, cores)?;
    let bench = Bench {
        programs: &programs,
        cores,
        quick: options.quick,
    };

    let started = Instant::now();
    let mut results = Results::new();
    for (number, case) in cases.iter().enumerate() {
        eprintln!(
            "==> {} ({} of {}, after {})",
            case.title,
            number + 1,
            cases.len(),
            seconds(started.elapsed())
        );
        measure_case(
            &bench,
            case,
            &peers,
            options.rounds(),
            &mut results,
            &mut problems,
        );
    }

    let page = Page {
        machine: &machine,
        results: &results,
        problems: &problems,
        notes: &programs.notes,
        rounds: options.rounds(),
        quick: options.quick,
        elapsed: started.elapsed(),
    };
    println!("{}", page.tables());
    let folder = match options.is_complete() {
        true => workspace.root().join("benches"),
        false => workspace.root().join("target").join("bench"),
    };
    let written = page.write(&folder);
    for path in written.context("cannot write the results")? {
        eprintln!("wrote {}", workspace.relative(&path).display());
    }
    Ok(match problems.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Measures all peers in one case. Leaves out a peer that fails, and goes on.
fn measure_case(
    bench: &Bench<'_>,
    case: &'static Case,
    peers: &[Peer],
    rounds: u32,
    results: &mut Results,
    problems: &mut Vec<String>,
) {
    let mut fail = |peer: Peer, when: &str, error: anyhow::Error| {
        let problem = format!("{}, {}, {when}: {error:#}", case.name, peer.name());
        eprintln!("    {problem}");
        problems.push(problem);
    };
    let mut players: Vec<Peer> = Vec::new();
    let mut servers = BTreeMap::new();
    for peer in peers.iter().copied().filter(|peer| case.is_for(*peer)) {
        match bench.start(peer, case) {
            Ok(server) => {
                players.push(peer);
                // This start has put the compiled program into the cache. Where each
                // round starts a server of its own, this one ends here.
                if !case.work.needs_a_fresh_server() {
                    servers.insert(peer, server);
                }
            }
            Err(error) => fail(peer, "starting it", error),
        }
    }
    let mut samples: BTreeMap<Peer, Vec<Figures>> = BTreeMap::new();
    for round in 0..rounds {
        let order = order(&players, round as usize);
        for &peer in &order {
            let measured = match (servers.get(&peer), case.work) {
                (Some(server), _) => bench.load(server, case),
                (None, Work::Start) => bench.start_time(peer, case),
                (None, _) => bench
                    .start(peer, case)
                    .and_then(|server| bench.load(&server, case)),
            };
            match measured {
                Ok(figures) => samples.entry(peer).or_default().push(figures),
                Err(error) => {
                    // The median of fewer rounds would be of another quality.
                    samples.remove(&peer);
                    players.retain(|player| *player != peer);
                    fail(peer, &format!("round {}", round + 1), error);
                }
            }
        }
        let order: Vec<_> = order.into_iter().map(Peer::name).collect();
        eprintln!("    round {} of {rounds}: {}", round + 1, order.join(", "));
    }
    for (peer, samples) in samples {
        results.insert((case.name, peer), figures::medians(&samples));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_named_by_how_they_start_and_peers_by_their_names() -> Result<()> {
        let options = |case: &str, peer: &str| Options {
            cases: vec![case.to_owned()],
            peers: vec![peer.to_owned()],
            ..Options::default()
        };
        let some = options("bulk", "static");
        let names: Vec<_> = some.cases()?.iter().map(|case| case.name).collect();
        assert_eq!(names, ["bulk", "bulk-256k"]);
        assert_eq!(some.peers()?, [Peer::Static]);
        assert!(!some.is_complete() && Options::default().is_complete());
        let few = Options {
            rounds: Some(ROUNDS - 1),
            ..Options::default()
        };
        assert!(!few.is_complete());
        assert_eq!(Options::default().cases()?.len(), CASES.len());
        assert_eq!(Options::default().peers()?, Peer::ALL);
        assert!(options("bluk", "static").cases().is_err());
        assert!(options("bulk", "twisted").peers().is_err());
        Ok(())
    }
}
