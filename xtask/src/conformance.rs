//! `cargo xtask conformance`: checks that docs/conformance.md has a row for every
//! known behaviour, and that every row names the tests that show it.
//!
//! Alone it looks for the names of the tests in the sources. `cargo xtask test` also
//! checks that they have run and passed.

mod names;
mod page;
mod results;

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};

use self::names::{Kind, Names};
use self::page::{Row, Verdict};
pub(crate) use self::results::Results;
use crate::workspace::Workspace;

const ROWS: &str = "tests/conformance/rows.txt";
const PAGE: &str = "docs/conformance.md";

/// The test that runs the checks of python/tests/behaviours/.
const PYTHON_CHECKS: &str = "the_module_behaves_as_asyncio_does";

/// The start of the names of the tests that run the battery.
const BATTERY: &str = "battery_";

/// Compares the page, the list of rows and the names of the tests, and also the
/// results of a run of all tests if there are any. Prints every error.
pub(crate) fn run(workspace: &Workspace, results: Option<&Results>) -> Result<()> {
    let read = |path: &str| {
        let text = fs::read_to_string(workspace.root().join(path));
        text.with_context(|| format!("cannot read {path}"))
    };
    let names = Names::of(workspace.root())?;
    let (rows, page) = (read(ROWS)?, read(PAGE)?);
    let errors = errors(&rows, &page, &names, results);
    for error in &errors {
        eprintln!("conformance: {error}");
    }
    if !errors.is_empty() {
        bail!("{} errors in {PAGE}", errors.len());
    }
    eprintln!("conformance: {}", summary(&page));
    Ok(())
}

/// Returns all errors, each with a remedy.
fn errors(rows: &str, page: &str, names: &Names, results: Option<&Results>) -> Vec<String> {
    let ids: Vec<&str> = rows.lines().filter_map(page::id).collect();
    let table = page::rows(page);
    let mut errors = counted(&ids, &table);
    for row in &table {
        let id = row.id;
        match Verdict::parse(row.verdict) {
            None => errors.push(format!(
                "{id}: there is no verdict `{}`; use one of: {}",
                row.verdict,
                page::VERDICTS
            )),
            Some(Verdict::Departs(departures)) => {
                let unknown = departures.into_iter().filter(|one| !ids.contains(one));
                errors.extend(
                    unknown.map(|one| {
                        format!("{id}: there is no row {one}; name the departure's row")
                    }),
                );
            }
            Some(_) => {}
        }
        errors.extend(shown(row, names, results));
    }
    errors
}

/// Returns an error for each row that is missing, unknown, or there twice.
fn counted(ids: &[&str], table: &[Row<'_>]) -> Vec<String> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for id in ids {
        counts.entry(id).or_default().0 += 1;
    }
    for row in table {
        counts.entry(row.id).or_default().1 += 1;
    }
    let wrong = counts.into_iter().filter_map(|(id, count)| match count {
        (1, 1) => None,
        (0, _) => Some(format!("{id}: not in {ROWS}; add it there, or take it out")),
        (1, 0) => Some(format!("{id}: not in {PAGE}; add a row for it")),
        (1, _) => Some(format!("{id}: twice in {PAGE}; keep one")),
        _ => Some(format!(
            "{id}: twice in {ROWS}; give one of them another id"
        )),
    });
    wrong.collect()
}

/// Returns the errors in the tests that a row names.
fn shown(row: &Row<'_>, names: &Names, results: Option<&Results>) -> Vec<String> {
    let id = row.id;
    let verdict = Verdict::parse(row.verdict);
    if row.tests.is_empty() && verdict.is_some_and(|verdict| !verdict.needs_no_test()) {
        return vec![format!("{id}: no test; name one that shows it")];
    }
    let wrong = row.tests.iter().filter_map(|test| {
        let kinds = names.kinds(test);
        if kinds.is_empty() {
            return Some(format!(
                "{id}: there is no test `{test}`; correct the name, or write it"
            ));
        }
        let results = results?;
        let passed = kinds.into_iter().all(|kind| match kind {
            Kind::Rust => results.passed(test),
            Kind::Battery => results.all_passed(BATTERY),
            Kind::Python => results.passed(PYTHON_CHECKS),
        });
        (!passed).then(|| format!("{id}: `{test}` has not run and passed; fix it, or name another"))
    });
    wrong.collect()
}

/// Returns the number of rows for each kind of verdict, as text.
fn summary(page: &str) -> String {
    let table = page::rows(page);
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for row in &table {
        let kind = row.verdict.split(" (").next().unwrap_or_default();
        match counts.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => counts.push((kind, 1)),
        }
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    format!("{} rows: {}", table.len(), counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "| id | what | verdict | shown by |\n|---|---|---|---|\n";

    fn names() -> Names {
        let mut names = Names::default();
        names.add_rust("#[test]\nfn rust() {}\n");
        names.add_battery("async fn battery(\n");
        names.add_python("@check\nasync def python():\n");
        names
    }

    fn found(rows: &str, page: &str) -> Vec<String> {
        errors(rows, &format!("{HEAD}{page}"), &names(), None)
    }

    #[test]
    fn a_page_with_a_row_and_a_test_for_each_id_is_fine() {
        let page = "| A1 | a | same | `rust`, `battery` |\n\
                    | A2 | b | departs (A1) | `python` |\n\
                    | A3 | c | no meaning here (why) | |\n\
                    | A4 | d | later version | `rust` |\n";
        let none: [&str; 0] = [];
        assert_eq!(found("A1 a\nA2 b\nA3 c\nA4 d\n", page), none);
        let summary = summary(&format!("{HEAD}{page}"));
        assert_eq!(
            summary,
            "4 rows: 1 same, 1 departs, 1 no meaning here, 1 later version"
        );
    }

    #[test]
    fn ids_that_are_missing_unknown_or_double_are_named() {
        let page = "| A1 | a | same | `rust` |\n\
                    | A1 | a | same | `rust` |\n\
                    | B1 | b | same | `rust` |\n";
        assert_eq!(
            found("A1 a\nA2 b\nA3 c\nA3 c\n", page),
            [
                "A1: twice in docs/conformance.md; keep one",
                "A2: not in docs/conformance.md; add a row for it",
                "A3: twice in tests/conformance/rows.txt; give one of them another id",
                "B1: not in tests/conformance/rows.txt; add it there, or take it out",
            ]
        );
    }

    #[test]
    fn verdicts_are_those_of_the_list() {
        let page = "| A1 | a | maybe | `rust` |\n| A2 | b | departs (D7) | `rust` |\n";
        let found = found("A1 a\nA2 b\n", page);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("A1: there is no verdict `maybe`; use one of: same, "));
        assert_eq!(found[1], "A2: there is no row D7; name the departure's row");
    }

    #[test]
    fn a_row_without_a_test_or_with_an_unknown_one_is_named() {
        let page = "| A1 | a | same | |\n| A2 | b | same | `gone` |\n";
        assert_eq!(
            found("A1 a\nA2 b\n", page),
            [
                "A1: no test; name one that shows it",
                "A2: there is no test `gone`; correct the name, or write it",
            ]
        );
    }

    #[test]
    fn with_results_every_test_has_to_have_passed() {
        let page = "| A1 | a | same | `rust` |\n\
                    | A2 | b | same | `battery` |\n\
                    | A3 | c | same | `python` |\n";
        let page = format!("{HEAD}{page}");
        let errors = |results: &Results| {
            let errors = errors("A1 a\nA2 b\nA3 c\n", &page, &names(), Some(results));
            let ids = errors.iter().map(|error| error[..2].to_owned());
            ids.collect::<Vec<_>>().join(" ")
        };
        let mut results = Results::default();
        assert_eq!(errors(&results), "A1 A2 A3");
        results.note("test a::rust ... ok\n");
        results.note("test tcp::battery_static ... ok\n");
        assert_eq!(errors(&results), "A3");
        results.note("test python::the_module_behaves_as_asyncio_does ... ok\n");
        assert_eq!(errors(&results), "");
        results.note("test memory::battery_all ... FAILED\n");
        assert_eq!(errors(&results), "A2");
    }
}
