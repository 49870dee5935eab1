//! Hostile programs, written as text: each says `now` on standard error, by WASI 0.2, and
//! then holds its host up.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

/// A program that computes or waits for ever.
pub(crate) struct Hostile {
    pub(crate) name: &'static str,
    /// The instructions of the core module's start function.
    start: &'static str,
    /// Those of `run`, which leaves a code for its task, and of the task's callback.
    run: &'static str,
    callback: &'static str,
}

const EXIT: &str = "(i32.const 0)";

impl Hostile {
    const fn runs(name: &'static str, run: &'static str) -> Self {
        Self {
            name,
            start: "",
            run,
            callback: "unreachable",
        }
    }

    const fn starts(name: &'static str, start: &'static str) -> Self {
        Self {
            name,
            start,
            run: EXIT,
            callback: "unreachable",
        }
    }

    /// Returns the component.
    pub(crate) fn component(&self) -> Vec<u8> {
        let text = include_str!("hostile.wat")
            .replace("{start}", self.start)
            .replace("{run}", self.run)
            .replace("{callback}", self.callback);
        wat::parse_str(text).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Writes the component to a file of this folder.
    pub(crate) fn file(&self, folder: &TempDir) -> PathBuf {
        let path = folder.path().join(format!("{}.wasm", self.name));
        fs::write(&path, self.component()).unwrap();
        path
    }
}

/// It computes in `run`.
pub(crate) const SPINS: Hostile = Hostile::runs("spins", "(call $spin) (i32.const 0)");

/// It waits in `run` within a call of WASI 0.2.
pub(crate) const POLLS: Hostile = Hostile::runs("polls", "(call $poll) (i32.const 0)");

/// It waits in `run` for an event that never comes, and holds nothing up.
pub(crate) const WAITS: Hostile = Hostile::runs(
    "waits",
    "(call $now) (i32.or (i32.const 2) (i32.shl (call $new-set) (i32.const 4)))",
);

/// Its task gives way for ever.
pub(crate) const YIELDS: Hostile = Hostile {
    name: "yields",
    start: "",
    run: "(call $now) (i32.const 1)",
    callback: "(i32.const 1)",
};

/// It computes in a core module's start function.
pub(crate) const SPINS_AT_START: Hostile = Hostile::starts("spins-at-start", "(call $spin)");

/// It waits while it is instantiated, within a call of WASI 0.2.
pub(crate) const POLLS_AT_START: Hostile = Hostile::starts("polls-at-start", "(call $poll)");

/// Its `run` returns a success, and goes on computing.
pub(crate) const SPINS_AFTER_RETURN: Hostile = Hostile::runs(
    "spins-after-return",
    "(call $return (i32.const 0)) (call $spin) (i32.const 0)",
);

/// Its `run` returns an error, and goes on computing.
pub(crate) const SPINS_AFTER_FAILURE: Hostile = Hostile::runs(
    "spins-after-failure",
    "(call $return (i32.const 1)) (call $spin) (i32.const 0)",
);

/// Its `run` returns a success, and waits within a call of WASI 0.2.
pub(crate) const POLLS_AFTER_RETURN: Hostile = Hostile::runs(
    "polls-after-return",
    "(call $return (i32.const 0)) (call $poll) (i32.const 0)",
);

/// The programs that do not return.
pub(crate) const ENDLESS: [&Hostile; 6] = [
    &SPINS,
    &POLLS,
    &WAITS,
    &YIELDS,
    &SPINS_AT_START,
    &POLLS_AT_START,
];

/// The programs that are busy after their return.
pub(crate) const AFTER_RETURN: [&Hostile; 3] = [
    &SPINS_AFTER_RETURN,
    &SPINS_AFTER_FAILURE,
    &POLLS_AFTER_RETURN,
];
