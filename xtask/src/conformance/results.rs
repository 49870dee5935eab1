//! Reads the results of tests from the output of the test programs.

use std::collections::BTreeSet;

/// The tests of a run, by their paths.
#[derive(Debug, Default)]
pub(crate) struct Results {
    passed: BTreeSet<String>,
    /// The tests that failed or were ignored.
    others: BTreeSet<String>,
}

impl Results {
    /// Reads a line of a test program's output.
    pub(crate) fn note(&mut self, line: &str) {
        let line = without_colours(line);
        let Some(rest) = line.strip_prefix("test ") else {
            return;
        };
        let Some((path, outcome)) = rest.rsplit_once(" ... ") else {
            return;
        };
        let path = path.strip_suffix(" - should panic").unwrap_or(path);
        let tests = match outcome.trim_end() {
            "ok" => &mut self.passed,
            _ => &mut self.others,
        };
        tests.insert(path.to_owned());
    }

    /// Returns true if tests with this name have run and passed, in any module.
    pub(super) fn passed(&self, name: &str) -> bool {
        let is_named = |path: &String| path.rsplit("::").next() == Some(name);
        self.passed.iter().any(is_named) && !self.others.iter().any(is_named)
    }

    /// Returns true if tests with such a start of a name in their paths have run, and
    /// all have passed.
    pub(super) fn all_passed(&self, start: &str) -> bool {
        let is_one = |path: &String| path.split("::").any(|name| name.starts_with(start));
        self.passed.iter().any(is_one) && !self.others.iter().any(is_one)
    }
}

/// Removes the terminal's sequences `ESC [ ... m`.
fn without_colours(text: &str) -> String {
    let mut pieces = text.split('\u{1b}');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        plain.push_str(piece.split_once('m').map_or("", |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(lines: &[&str]) -> Results {
        let mut results = Results::default();
        for line in lines {
            results.note(line);
        }
        results
    }

    #[test]
    fn a_test_is_found_by_the_end_of_its_path() {
        let results = results(&[
            "running 3 tests\n",
            "test a::b::first ... ok\n",
            "test second ... \u{1b}[32mok\u{1b}(B\u{1b}[m\n",
            "test a::third - should panic ... ok\n",
            "test fourth ... FAILED\n",
            "test fifth ... ignored, takes an hour\n",
            "test sixth has been running for over 60 seconds\n",
            "test src/lib.rs - seventh (line 3) ... ok\n",
        ]);
        for name in ["first", "second", "third"] {
            assert!(results.passed(name), "{name}");
        }
        for name in ["b", "irst", "fourth", "fifth", "sixth", "seventh"] {
            assert!(!results.passed(name), "{name}");
        }
    }

    #[test]
    fn one_of_two_tests_with_a_name_that_fails_is_a_failure() {
        let results = results(&["test a::same ... ok\n", "test b::same ... FAILED\n"]);
        assert!(!results.passed("same"));
    }

    #[test]
    fn all_of_none_have_not_passed() {
        let mut results = results(&["test of_the_battery_only ... ok\n"]);
        assert!(!results.all_passed("battery_"));
        results.note("test tcp::battery_static ... ok\n");
        assert!(results.all_passed("battery_"));
        results.note("test tcp::battery_composed ... ignored\n");
        assert!(!results.all_passed("battery_"));
    }
}
