//! Finds the names of tests and checks in the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The folders of tests in Rust.
const FOLDERS: [&str; 5] = ["src", "host", "cli", "tests", "xtask"];

/// The folder of the battery. Its checks are functions that take a connection.
const BATTERY: &str = "tests/conformance";

const PYTHON: &str = "python/tests/behaviours";

/// The kind of test that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A test function.
    Rust,
    /// A check that one test per transport runs.
    Battery,
    /// A check that a test runs in Python.
    Python,
}

/// All names, by kind.
#[derive(Debug, Default)]
pub(super) struct Names {
    rust: BTreeSet<String>,
    battery: BTreeSet<String>,
    python: BTreeSet<String>,
}

impl Names {
    /// Finds the names in the repository at `root`.
    pub(super) fn of(root: &Path) -> Result<Names> {
        let mut names = Names::default();
        for folder in FOLDERS {
            each_file(&root.join(folder), "rs", &mut |text| names.add_rust(text))?;
        }
        each_file(&root.join(BATTERY), "rs", &mut |text| {
            names.add_battery(text)
        })?;
        each_file(&root.join(PYTHON), "py", &mut |text| names.add_python(text))?;
        Ok(names)
    }

    /// Returns the kinds of tests with this name, which may be none.
    pub(super) fn kinds(&self, name: &str) -> Vec<Kind> {
        let kinds = [
            (Kind::Rust, &self.rust),
            (Kind::Battery, &self.battery),
            (Kind::Python, &self.python),
        ];
        let found = kinds.into_iter().filter(|(_, names)| names.contains(name));
        found.map(|(kind, _)| kind).collect()
    }

    /// Adds the functions with the attribute `#[test]`, or one that ends like it.
    pub(super) fn add_rust(&mut self, text: &str) {
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            if line.starts_with("#[") {
                is_test |= line.starts_with("#[test]") || line.contains("::test");
            } else if let Some(name) = function(line, "fn ") {
                if std::mem::take(&mut is_test) {
                    self.rust.insert(name.to_owned());
                }
            } else if !line.is_empty() && !line.starts_with("//") {
                is_test = false;
            }
        }
    }

    /// Adds the asynchronous functions at the top level.
    pub(super) fn add_battery(&mut self, text: &str) {
        let found = text.lines().filter(|line| line.starts_with("async fn "));
        let found = found.filter_map(|line| function(line, "fn "));
        self.battery.extend(found.map(str::to_owned));
    }

    /// Adds the functions with the decorator `@check`.
    pub(super) fn add_python(&mut self, text: &str) {
        let found = text.split("@check\n").skip(1);
        let found = found.filter_map(|rest| function(rest.lines().next()?, "def "));
        self.python.extend(found.map(str::to_owned));
    }
}

/// The name of the function that this line begins.
fn function<'a>(line: &'a str, keyword: &str) -> Option<&'a str> {
    let start = line.strip_prefix("pub(crate) ").unwrap_or(line);
    let start = start.strip_prefix("async ").unwrap_or(start);
    let name = start.strip_prefix(keyword)?.split(['(', '<']).next()?;
    (!name.is_empty()).then_some(name)
}

/// Each file under this path whose name ends so.
fn each_file(path: &Path, ending: &str, take: &mut impl FnMut(&str)) -> Result<()> {
    if path.is_dir() {
        let entries = fs::read_dir(path);
        for entry in entries.with_context(|| format!("cannot read {}", path.display()))? {
            each_file(&entry?.path(), ending, take)?;
        }
    } else if path.extension().is_some_and(|found| found == ending) {
        take(&read(path)?);
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_functions_are_told_from_others() {
        let mut names = Names::default();
        names.add_rust(
            "fn helper() {}\n\
             #[test]\nfn plain() {}\n\
             fn after() {}\n\
             #[test]\n#[cfg(unix)]\n    /// With words.\n    fn more() {}\n\
             #[tokio::test]\nasync fn waits() {}\n\
             #[cfg(test)]\nmod tests {\n    fn within() {}\n}\n\
             #[test]\nconst NOT: u8 = 0;\nfn not() {}\n",
        );
        let found: Vec<&str> = names.rust.iter().map(String::as_str).collect();
        assert_eq!(found, ["more", "plain", "waits"]);
    }

    #[test]
    fn checks_are_those_of_the_battery_and_of_python() {
        let mut names = Names::default();
        names.add_battery("async fn one(\n    maker: &impl Maker,\n) {}\nfn helper() {}\n");
        names.add_python("@check\nasync def reading():\n    pass\n\nasync def main():\n");
        assert_eq!(names.kinds("one"), [Kind::Battery]);
        assert_eq!(names.kinds("reading"), [Kind::Python]);
        assert_eq!(names.kinds("helper"), []);
        assert_eq!(names.kinds("main"), []);
    }

    #[test]
    fn this_repository_has_names_of_each_kind() -> Result<()> {
        let root = crate::workspace::Workspace::find()?;
        let names = Names::of(root.root())?;
        assert!(
            names
                .rust
                .contains("this_repository_has_names_of_each_kind")
        );
        assert!(!names.battery.is_empty() && !names.python.is_empty());
        Ok(())
    }
}
