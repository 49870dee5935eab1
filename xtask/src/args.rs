//! The command line, parsed into one value per command.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::bench;
use crate::echo::Form;
use crate::toolchain::Way;

/// The text of `cargo xtask --help`, and of `cargo xtask` alone.
pub(crate) const USAGE: &str = "\
usage: cargo xtask COMMAND [OPTIONS]

To try it:

  echo [--form wit|static] [MESSAGE]
      build the command and two components, start the echo server on a free port,
      run the echo client against it, and show what both print
        MESSAGE         the text that the client sends (default: `Hello World!`)
        --form wit      the programs written against the WIT, composed with the
                        streams component (the default)
        --form static   the programs that link the crate

To build components:

  setup [--toolchain auto|installed|rustup|debian]
      find a compiler for WebAssembly, and build this repository's components
        auto            the first of the others that works (the default)
        installed       the target wasm32-unknown-unknown of the active toolchain
        rustup          `rustup target add wasm32-unknown-unknown`
        debian          Debian's packages rustc-web and rust-web-src
  build [DIR] [-- CARGO-ARGS]
      build this repository's components into target/components; or build the crate
      in DIR, into the folder `components` in its own target folder

To test:

  test [-- ARGS]
      run everything that continuous integration runs: build, formatting, lints,
      documentation, tests, conformance
        ARGS            arguments for the test programs, such as a name to filter by
  conformance
      compare docs/conformance.md with the list of its rows and with the names of the
      tests (`test` also checks that these have passed)
  differential [--scripts N] [--seed S]
      run random scripts over real sockets with CPython's asyncio and with this
      project, and compare every result
        --scripts N     the number of scripts (default: 20000)
        --seed S        the seed of an earlier run, to repeat it
  fuzz [--seconds N] [TARGET]
      run all targets in tests/fuzz, or one, with random input; corpora and inputs that
      fail are in target/fuzz (installs cargo-fuzz; needs a C++ compiler)
        --seconds N     the time for each target (default: 60)

To measure:

  bench [--rounds N] [--quick] [--case NAME]... [--peer NAME]... [--command FILE]
      measure this project beside an epoll loop, tokio, tokio on WASI 0.2, uvloop and
      CPython; takes about 11 minutes, in which nothing else should run; prints tables
      and targets, and writes them to benches/results.md, or to target/bench if
      options leave something out
        --rounds N      the number of rounds (default: 5)
        --quick         one short round of everything, which takes a minute
        --case NAME     only cases whose names start with NAME, such as `tls`
        --peer NAME     only this peer
        --command FILE  another build of the command

  --help
      this text";

/// A parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// Print [`USAGE`].
    Help,
    /// Find a toolchain and build all components.
    Setup {
        /// The way to get a toolchain; `None` keeps the one chosen before.
        way: Option<Way>,
    },
    /// Build all components, or those of one crate.
    Build {
        /// A crate's folder or manifest; `None` means this repository.
        path: Option<PathBuf>,
        /// Passed on to `cargo build`.
        cargo_args: Vec<String>,
    },
    /// Run the echo server and the echo client.
    Echo {
        /// The text that the client sends.
        message: String,
        /// The form of both components.
        form: Form,
    },
    /// Measure this project's servers and others.
    Bench(bench::Options),
    /// Run fuzz targets.
    Fuzz {
        /// One target; `None` means all.
        target: Option<String>,
        /// The time for each target.
        time: Duration,
    },
    /// Compare the page on conformance with the tests.
    Conformance,
    /// Run random scripts with CPython and with this project.
    Differential {
        /// The number of scripts.
        scripts: u32,
        /// The seed of the first script; `None` means a new one each time.
        seed: Option<u64>,
    },
    /// Run all checks of continuous integration.
    Test {
        /// Passed on to the test programs.
        args: Vec<String>,
    },
}

impl Invocation {
    /// Parses the arguments that follow the program's name.
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Self> {
        let mut args = args.peekable();
        let Some(command) = args.next() else {
            return Ok(Self::Help);
        };
        let mut words = Words::default();
        words.take(args, &command)?;
        if words.help {
            return Ok(Self::Help);
        }
        match command.as_str() {
            "help" | "--help" | "-h" => Ok(Self::Help),
            "setup" => words.setup(),
            "bench" => words.bench(),
            "build" => words.build(),
            "echo" => words.echo(),
            "fuzz" => words.fuzz(),
            "conformance" => words.conformance(),
            "differential" => words.differential(),
            "test" => words.test(),
            other => bail!("there is no command `{other}`"),
        }
    }
}

/// The arguments of a command, by kind.
#[derive(Default)]
struct Words {
    help: bool,
    toolchain: Option<String>,
    form: Option<String>,
    seconds: Option<String>,
    scripts: Option<String>,
    seed: Option<String>,
    rounds: Option<String>,
    quick: bool,
    cases: Vec<String>,
    peers: Vec<String>,
    command: Option<String>,
    positional: Vec<String>,
    /// The arguments after `--`.
    rest: Vec<String>,
}

impl Words {
    fn take(&mut self, mut args: impl Iterator<Item = String>, command: &str) -> Result<()> {
        while let Some(arg) = args.next() {
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (arg.as_str(), None),
            };
            match (command, name) {
                (_, "--") => {
                    self.rest.extend(args);
                    return Ok(());
                }
                (_, "--help" | "-h") => self.help = true,
                ("setup", "--toolchain") => {
                    let value = value.or_else(|| args.next());
                    self.toolchain = Some(value.context("`--toolchain` needs a value")?);
                }
                ("echo", "--form") => {
                    let value = value.or_else(|| args.next());
                    self.form = Some(value.context("`--form` needs a value")?);
                }
                ("bench", "--quick") if value.is_none() => self.quick = true,
                ("bench", "--rounds") => {
                    let value = value.or_else(|| args.next());
                    self.rounds = Some(value.context("`--rounds` needs a value")?);
                }
                ("bench", "--case") => {
                    let value = value.or_else(|| args.next());
                    self.cases.push(value.context("`--case` needs a value")?);
                }
                ("bench", "--peer") => {
                    let value = value.or_else(|| args.next());
                    self.peers.push(value.context("`--peer` needs a value")?);
                }
                ("bench", "--command") => {
                    let value = value.or_else(|| args.next());
                    self.command = Some(value.context("`--command` needs a value")?);
                }
                ("fuzz", "--seconds") => {
                    let value = value.or_else(|| args.next());
                    self.seconds = Some(value.context("`--seconds` needs a value")?);
                }
                ("differential", "--scripts") => {
                    let value = value.or_else(|| args.next());
                    self.scripts = Some(value.context("`--scripts` needs a value")?);
                }
                ("differential", "--seed") => {
                    let value = value.or_else(|| args.next());
                    self.seed = Some(value.context("`--seed` needs a value")?);
                }
                (_, option) if option.len() > 1 && option.starts_with('-') => {
                    bail!("`{command}` has no option `{option}`");
                }
                _ => self.positional.push(arg),
            }
        }
        Ok(())
    }

    fn setup(self) -> Result<Invocation> {
        let way = self.toolchain.as_deref().map(Way::parse).transpose()?;
        none_of("setup", self.positional.iter().chain(&self.rest))?;
        Ok(Invocation::Setup { way })
    }

    fn bench(self) -> Result<Invocation> {
        none_of("bench", self.positional.iter().chain(&self.rest))?;
        let rounds = match self.rounds.as_deref().map(|text| (text, text.parse())) {
            None => None,
            Some((_, Ok(rounds @ 1..=u32::MAX))) => Some(rounds),
            Some((text, _)) => bail!("`--rounds` takes a number from 1 on, not `{text}`"),
        };
        Ok(Invocation::Bench(bench::Options {
            rounds,
            quick: self.quick,
            cases: self.cases,
            peers: self.peers,
            command: self.command.map(PathBuf::from),
        }))
    }

    fn build(self) -> Result<Invocation> {
        let mut positional = self.positional.into_iter();
        let path = positional.next().map(PathBuf::from);
        none_of("build", positional.as_slice())?;
        if path.is_none() {
            none_of("build", &self.rest)?;
        }
        Ok(Invocation::Build {
            path,
            cargo_args: self.rest,
        })
    }

    fn echo(self) -> Result<Invocation> {
        let form = self.form.as_deref().map(Form::parse).transpose()?;
        let mut words = self.positional.into_iter().chain(self.rest);
        let message = words.next().unwrap_or_else(|| "Hello World!".to_owned());
        if words.next().is_some() {
            bail!("`echo` takes one message: put quotes around several words");
        }
        Ok(Invocation::Echo {
            message,
            form: form.unwrap_or(Form::Wit),
        })
    }

    fn fuzz(self) -> Result<Invocation> {
        let seconds = match self.seconds.as_deref().map(|text| (text, text.parse())) {
            None => 60,
            Some((_, Ok(seconds @ 1..=u32::MAX))) => seconds,
            Some((text, _)) => bail!("`--seconds` takes a number from 1 on, not `{text}`"),
        };
        let mut words = self.positional.into_iter().chain(self.rest);
        let target = words.next();
        if let Some(word) = words.next() {
            bail!("`fuzz` takes one target or none, and does not take `{word}`");
        }
        Ok(Invocation::Fuzz {
            target,
            time: Duration::from_secs(seconds.into()),
        })
    }

    fn conformance(self) -> Result<Invocation> {
        none_of("conformance", self.positional.iter().chain(&self.rest))?;
        Ok(Invocation::Conformance)
    }

    fn differential(self) -> Result<Invocation> {
        none_of("differential", self.positional.iter().chain(&self.rest))?;
        let scripts = match self.scripts.as_deref().map(|text| (text, text.parse())) {
            None => 20_000,
            Some((_, Ok(scripts))) => scripts,
            Some((text, Err(_))) => bail!("`--scripts` takes a number, not `{text}`"),
        };
        let seed = match self.seed.as_deref().map(|text| (text, text.parse())) {
            None => None,
            Some((_, Ok(seed))) => Some(seed),
            Some((text, Err(_))) => bail!("`--seed` takes a number, not `{text}`"),
        };
        Ok(Invocation::Differential { scripts, seed })
    }

    fn test(self) -> Result<Invocation> {
        none_of("test", &self.positional)
            .context("arguments for the test programs follow a `--`")?;
        Ok(Invocation::Test { args: self.rest })
    }
}

fn none_of<'a>(command: &str, words: impl IntoIterator<Item = &'a String>) -> Result<()> {
    match words.into_iter().next() {
        Some(word) => bail!("`{command}` does not take `{word}`"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Result<Invocation> {
        Invocation::parse(line.iter().map(|word| (*word).to_owned()))
    }

    fn echo(message: &str, form: Form) -> Invocation {
        Invocation::Echo {
            message: message.to_owned(),
            form,
        }
    }

    #[test]
    fn nothing_and_help_show_the_usage() -> Result<()> {
        for line in [&[][..], &["--help"], &["help"], &["echo", "-h"]] {
            assert_eq!(parse(line)?, Invocation::Help);
        }
        Ok(())
    }

    #[test]
    fn echo_says_hello_world_unless_told_otherwise() -> Result<()> {
        assert_eq!(parse(&["echo"])?, echo("Hello World!", Form::Wit));
        assert_eq!(parse(&["echo", "a b"])?, echo("a b", Form::Wit));
        assert_eq!(parse(&["echo", "--", "-x"])?, echo("-x", Form::Wit));
        assert_eq!(parse(&["echo", "a=b"])?, echo("a=b", Form::Wit));
        assert_eq!(
            parse(&["echo", "--form", "static"])?,
            echo("Hello World!", Form::Static)
        );
        assert!(parse(&["echo", "a", "b"]).is_err());
        Ok(())
    }

    #[test]
    fn setup_takes_a_way() -> Result<()> {
        let way = Some(Way::Debian);
        assert_eq!(
            parse(&["setup", "--toolchain=debian"])?,
            Invocation::Setup { way }
        );
        assert_eq!(parse(&["setup"])?, Invocation::Setup { way: None });
        assert!(parse(&["setup", "--toolchain"]).is_err());
        assert!(parse(&["setup", "--toolchain", "nix"]).is_err());
        assert!(parse(&["setup", "debian"]).is_err());
        Ok(())
    }

    #[test]
    fn bench_takes_rounds_cases_and_peers() -> Result<()> {
        let all = bench::Options::default();
        assert_eq!(parse(&["bench"])?, Invocation::Bench(all));
        let line = ["--rounds=3", "--quick", "--case", "bulk", "--case=idle"];
        let line = [
            &["bench"],
            &line[..],
            &["--peer", "static", "--command", "x"],
        ]
        .concat();
        let some = bench::Options {
            rounds: Some(3),
            quick: true,
            cases: vec!["bulk".to_owned(), "idle".to_owned()],
            peers: vec!["static".to_owned()],
            command: Some(PathBuf::from("x")),
        };
        assert_eq!(parse(&line)?, Invocation::Bench(some));
        assert!(parse(&["bench", "--rounds", "0"]).is_err());
        assert!(parse(&["bench", "--case"]).is_err());
        assert!(parse(&["bench", "--quick=yes"]).is_err());
        assert!(parse(&["bench", "bulk"]).is_err());
        Ok(())
    }

    #[test]
    fn fuzz_takes_a_target_and_a_time() -> Result<()> {
        let fuzz = |target: Option<&str>, seconds| Invocation::Fuzz {
            target: target.map(str::to_owned),
            time: Duration::from_secs(seconds),
        };
        assert_eq!(parse(&["fuzz"])?, fuzz(None, 60));
        assert_eq!(parse(&["fuzz", "policy"])?, fuzz(Some("policy"), 60));
        assert_eq!(
            parse(&["fuzz", "--seconds", "5", "buffer"])?,
            fuzz(Some("buffer"), 5)
        );
        assert_eq!(parse(&["fuzz", "--seconds=5"])?, fuzz(None, 5));
        assert!(parse(&["fuzz", "--seconds"]).is_err());
        assert!(parse(&["fuzz", "--seconds", "0"]).is_err());
        assert!(parse(&["fuzz", "--seconds", "soon"]).is_err());
        assert!(parse(&["fuzz", "a", "b"]).is_err());
        Ok(())
    }

    #[test]
    fn test_passes_on_what_follows_the_dashes() -> Result<()> {
        let args = vec!["echo".to_owned(), "--nocapture".to_owned()];
        assert_eq!(
            parse(&["test", "--", "echo", "--nocapture"])?,
            Invocation::Test { args }
        );
        assert!(parse(&["test", "echo"]).is_err());
        Ok(())
    }

    #[test]
    fn conformance_takes_nothing() -> Result<()> {
        assert_eq!(parse(&["conformance"])?, Invocation::Conformance);
        assert!(parse(&["conformance", "RD8"]).is_err());
        assert!(parse(&["conformance", "--", "RD8"]).is_err());
        Ok(())
    }

    #[test]
    fn differential_takes_a_number_of_scripts_and_a_seed() -> Result<()> {
        let differential = |scripts, seed| Invocation::Differential { scripts, seed };
        assert_eq!(parse(&["differential"])?, differential(20_000, None));
        assert_eq!(
            parse(&["differential", "--scripts", "5", "--seed=7"])?,
            differential(5, Some(7))
        );
        assert!(parse(&["differential", "--scripts"]).is_err());
        assert!(parse(&["differential", "--seed", "x"]).is_err());
        assert!(parse(&["differential", "5"]).is_err());
        Ok(())
    }

    #[test]
    fn what_is_unknown_is_refused() {
        assert!(parse(&["bulid"]).is_err());
        assert!(parse(&["build", "--fast"]).is_err());
        assert!(parse(&["build", "a", "b"]).is_err());
    }
}
