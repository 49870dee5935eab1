//! Reads a page as data: its fenced blocks, its command lines, its tables.

use crate::support::workspace;

/// A fenced block: `kind` is the language, `label` the rest of its first line.
struct Block {
    kind: String,
    label: String,
    text: String,
}

/// The README and the guides. The tests build their code and run their commands. A label
/// names one block in all of them together.
pub(crate) const GUIDES: &[&str] = &[
    "README.md",
    "docs/writing-programs.md",
    "docs/permissions.md",
    "docs/operating.md",
    "docs/tls.md",
    "docs/unix-sockets.md",
    "docs/stopping.md",
    "docs/limits.md",
    "docs/embedding.md",
];

/// One page, or several read as one.
pub(crate) struct Page {
    text: String,
    blocks: Vec<Block>,
}

impl Page {
    /// Reads all [`GUIDES`] as one page.
    pub(crate) fn guides() -> Page {
        Page::parse(GUIDES.iter().map(|file| text(file)).collect())
    }

    /// Reads a page of this repository.
    pub(crate) fn read(file: &str) -> Page {
        Page::parse(text(file))
    }

    fn parse(text: String) -> Page {
        let mut blocks = Vec::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some(info) = line.strip_prefix("```") else {
                continue;
            };
            let (kind, label) = info.split_once(' ').unwrap_or((info, ""));
            let inside = lines.by_ref().take_while(|line| *line != "```");
            blocks.push(Block {
                kind: kind.to_owned(),
                label: label.to_owned(),
                text: inside.map(|line| format!("{line}\n")).collect(),
            });
        }
        Page { text, blocks }
    }

    /// Returns the text of the one block with this language and label.
    pub(crate) fn block(&self, kind: &str, label: &str) -> &str {
        let mut found = self
            .blocks
            .iter()
            .filter(|block| block.kind == kind && block.label == label);
        let block = found.next();
        assert!(found.next().is_none(), "two blocks `{kind} {label}`");
        &block
            .unwrap_or_else(|| panic!("no block `{kind} {label}` in the guides"))
            .text
    }

    /// Returns the labels of the blocks in this language.
    pub(crate) fn labels(&self, kind: &str) -> Vec<&str> {
        let blocks = self.blocks.iter().filter(|block| block.kind == kind);
        blocks.map(|block| block.label.as_str()).collect()
    }

    /// Returns the texts of the blocks in this language.
    pub(crate) fn texts(&self, kind: &str) -> Vec<&str> {
        let blocks = self.blocks.iter().filter(|block| block.kind == kind);
        blocks.map(|block| block.text.as_str()).collect()
    }

    /// Returns every command line, as words.
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        let blocks = self.blocks.iter().filter(|block| block.kind == "sh");
        let lines = blocks.flat_map(|block| block.text.lines());
        lines.map(words).collect()
    }

    /// Returns the one command line that begins with `start` and has a word that ends
    /// with `with`.
    pub(crate) fn command(&self, start: &[&str], with: &str) -> Vec<String> {
        let mut found = self.commands().into_iter().filter(|words| {
            let begins = words.iter().zip(start).all(|(word, start)| word == start);
            begins && words.iter().any(|word| word.ends_with(with))
        });
        let command = found.next();
        assert!(found.next().is_none(), "two commands {start:?} {with}");
        command.unwrap_or_else(|| panic!("no command {start:?} {with} in the guides"))
    }

    /// Returns the text outside the fenced blocks.
    pub(crate) fn prose(&self) -> String {
        self.text.split("```").step_by(2).collect()
    }

    /// Returns the headings of the sections.
    pub(crate) fn headings(&self) -> Vec<&str> {
        let lines = self.text.lines();
        lines.filter(|line| line.starts_with("## ")).collect()
    }

    /// Returns the rows of all tables between a heading and the next one.
    pub(crate) fn rows(&self, heading: &str) -> Vec<Vec<String>> {
        let section = self.text.lines().skip_while(|line| *line != heading);
        let section = section.skip(1).take_while(|line| !line.starts_with("## "));
        let rows = section.filter(|line| line.starts_with("| "));
        rows.map(|row| {
            let cells = row.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
    }
}

/// Returns the text of a file of this repository.
pub(crate) fn text(file: &str) -> String {
    let path = workspace().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Returns the text between backticks, span by span.
pub(crate) fn code_spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Splits a line into words as a shell does, as far as the pages need: spaces and quotes.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, ' ') => words.push(String::new()),
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    assert!(quote.is_none(), "an open quote: {line}");
    words.retain(|word| !word.is_empty());
    words
}
