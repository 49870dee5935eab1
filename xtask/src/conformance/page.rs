//! Reads the list of rows, and the page with its tables.

/// The verdicts as they are written on the page.
pub(super) const VERDICTS: &str = "same, departs (D1, ...), later version, \
                                   no meaning here (why)";

/// The first line of a table of rows.
const HEAD: [&str; 4] = ["id", "what", "verdict", "shown by"];

/// A row of the page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) id: &'a str,
    pub(super) verdict: &'a str,
    /// The names of tests, which are in backticks.
    pub(super) tests: Vec<&'a str>,
}

/// The verdict on a behaviour.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    Same,
    /// The ids of the departures.
    Departs(Vec<&'a str>),
    LaterVersion,
    NoMeaning,
}

impl<'a> Verdict<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Verdict<'a>> {
        let within = |start: &str| {
            let inner = text.strip_prefix(start)?.strip_suffix(')')?.trim();
            (!inner.is_empty()).then_some(inner)
        };
        match text {
            "same" => Some(Verdict::Same),
            "later version" => Some(Verdict::LaterVersion),
            _ => within("departs (")
                .map(|ids| Verdict::Departs(ids.split(',').map(str::trim).collect()))
                .or_else(|| within("no meaning here (").map(|_| Verdict::NoMeaning)),
        }
    }

    pub(super) fn needs_no_test(&self) -> bool {
        matches!(self, Verdict::NoMeaning)
    }
}

/// Returns the id at the start of a line of the list.
pub(super) fn id(line: &str) -> Option<&str> {
    line.split_whitespace().next()
}

/// Returns the rows of all tables that begin with [`HEAD`].
pub(super) fn rows(page: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if cells(line) != HEAD {
            continue;
        }
        let table = lines.by_ref().take_while(|line| line.starts_with('|'));
        // Skip the line below the head.
        rows.extend(table.skip(1).map(|line| row(&cells(line))));
    }
    rows
}

/// Makes a row of cells. A row with too few cells has an empty verdict, which is an
/// error of its own.
fn row<'a>(cells: &[&'a str]) -> Row<'a> {
    let cell = |index: usize| cells.get(index).copied().unwrap_or_default();
    let tests = cell(3).split('`').skip(1).step_by(2);
    Row {
        id: cell(0),
        verdict: cell(2),
        tests: tests.collect(),
    }
}

fn cells(line: &str) -> Vec<&str> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let line = line.strip_suffix('|').unwrap_or(line);
    line.split('|').map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tables_with_the_right_head_have_rows() {
        let page = "| verdict | meaning |\n|---|---|\n| same | as there |\n\n\
                    | id | what | verdict | shown by |\n|---|---|---|---|\n\
                    | K1 | a limit | same | `one`, `two` |\n| K2 | another | later version | |\n\n\
                    | K3 | in no table | same | |\n";
        let row = |id, verdict, tests: &[&'static str]| Row {
            id,
            verdict,
            tests: tests.to_vec(),
        };
        assert_eq!(
            rows(page),
            [
                row("K1", "same", &["one", "two"]),
                row("K2", "later version", &[])
            ]
        );
    }

    #[test]
    fn a_verdict_is_one_of_those_listed() {
        let departs = Verdict::Departs(vec!["D1", "D12"]);
        assert_eq!(Verdict::parse("departs (D1, D12)"), Some(departs));
        assert_eq!(Verdict::parse("same"), Some(Verdict::Same));
        assert_eq!(Verdict::parse("later version"), Some(Verdict::LaterVersion));
        let why = "no meaning here (why)";
        assert_eq!(Verdict::parse(why), Some(Verdict::NoMeaning));
        for text in [
            "",
            "Same",
            "departs",
            "departs ()",
            "no meaning here",
            "with E",
        ] {
            assert_eq!(Verdict::parse(text), None, "{text}");
        }
    }
}
