//! The differential test: runs the same random scripts over real sockets with CPython's
//! asyncio and with ours, and compares every result.
//!
//! A script is a connection between a subject and its peer, which this program plays.
//! First CPython is the subject, then our library, linked statically and composed
//! (`driver`, `driver-wit`). Each difference has to be one of the departures that are
//! made on purpose (`departures.rs`).
//!
//! The scripts in `scripts/` come first, then random ones. The variable
//! `ASYNCIO_STREAMS_SCRIPTS` sets their number, and `ASYNCIO_STREAMS_SEED` the seed of
//! the first one. A script that fails is made shorter and written to
//! `target/differential/`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod answer;
mod compare;
mod departures;
mod generate;
mod peer;
mod random;
mod run;
mod script;
mod session;
mod shrink;
mod subject;
mod words;

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::compare::Uses;
use crate::run::{Bench, Failure};
use crate::script::{Role, Script};

/// The number of random scripts, unless the variable sets it.
const SCRIPTS: usize = 400;
const WORKERS: usize = 2;
/// The number of failures after which the test stops: enough to see what is wrong.
const FAILURES: usize = 5;

/// A script to run.
enum Job {
    /// A script from a file.
    Written(PathBuf),
    Random(u64),
}

/// Prints the script that was running if a subject breaks down.
struct Running<'a>(&'a Job);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            match self.0 {
                Job::Written(file) => eprintln!("that was {}", file.display()),
                Job::Random(seed) => eprintln!("that was the script of seed {seed}"),
            }
        }
    }
}

/// The results so far.
#[derive(Default)]
struct Report {
    clients: usize,
    servers: usize,
    steps: usize,
    uses: Uses,
    failures: Vec<String>,
}

#[test]
fn scripts_come_to_the_same_as_with_cpython() {
    let count = number("ASYNCIO_STREAMS_SCRIPTS").map_or(SCRIPTS, |count| count as usize);
    let seed = number("ASYNCIO_STREAMS_SEED").unwrap_or_else(now);
    println!("{count} scripts from seed {seed}");
    let written = written().into_iter().map(Job::Written);
    let random = (0..count as u64).map(|number| Job::Random(seed.wrapping_add(number)));
    let jobs = Mutex::new(written.chain(random).collect::<VecDeque<_>>());
    let report = Mutex::new(Report::default());
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| work(&jobs, &report));
        }
    });
    let report = report.into_inner().unwrap();
    println!(
        "{} scripts with {} steps, each with CPython and with both forms, in {:.1} s: \
         as a client {}, as a server {}",
        report.clients + report.servers,
        report.steps,
        started.elapsed().as_secs_f64(),
        report.clients,
        report.servers,
    );
    println!("departures needed:");
    for (id, what) in departures::table() {
        println!("{:>8}  {id:4} {what}", report.uses.get(id).unwrap_or(&0));
    }
    let failures = report.failures;
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn work(jobs: &Mutex<VecDeque<Job>>, report: &Mutex<Report>) {
    let mut bench = Bench::new();
    loop {
        let Some(job) = jobs.lock().unwrap().pop_front() else {
            return;
        };
        let mut uses = Uses::new();
        let _running = Running(&job);
        let (script, failure) = match &job {
            Job::Written(file) => {
                let script = Script::parse(&fs::read_to_string(file).unwrap()).unwrap();
                let told = match bench.check(&script, &mut uses) {
                    Ok(()) => None,
                    Err(Failure::Differs(how)) => Some(how),
                    Err(Failure::Impossible(step)) => Some(format!("{step}: cannot be done")),
                };
                let told = told.map(|failure| format!("{}: {failure}", file.display()));
                (script, told)
            }
            Job::Random(seed) => {
                let (script, failure) = bench.make(*seed, &mut uses);
                let told = failure.map(|failure| failed(&mut bench, *seed, &script, &failure));
                (script, told)
            }
        };
        let mut report = report.lock().unwrap();
        match script.role {
            Role::Client => report.clients += 1,
            Role::Server => report.servers += 1,
        }
        report.steps += script.steps.len();
        for (id, count) in uses {
            *report.uses.entry(id).or_default() += count;
        }
        if let Some(failure) = failure {
            println!("{failure}\n");
            report.failures.push(failure);
        }
        if report.failures.len() >= FAILURES {
            return;
        }
    }
}

/// Makes the script shorter and writes it to a file. Returns the message for the user.
fn failed(bench: &mut Bench, seed: u64, script: &Script, failure: &str) -> String {
    let folder = workspace().join("target/differential");
    fs::create_dir_all(&folder).unwrap();
    let (short, failure) = shrink::shrink(bench, script, failure);
    let file = folder.join(format!("{seed}.txt"));
    let comment: String = failure.lines().map(|line| format!("# {line}\n")).collect();
    fs::write(&file, format!("{comment}{short}")).unwrap();
    format!("seed {seed}, {}:\n{short}{failure}", file.display())
}

fn written() -> Vec<PathBuf> {
    let folder = workspace().join("tests/differential/scripts");
    let files = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={value}: not a number")),
    )
}

/// Returns another seed each time.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::from(now.subsec_nanos()) << 20
}
