//! Checks that the files and folders named in the pages exist.

use std::path::Path;

use super::page::{Page, code_spans, text};
use super::pages;
use crate::support::workspace;

const ARCHITECTURE: &str = "docs/architecture.md";

/// The folders at the root of the repository. The tests check paths that begin with one.
const ROOTS: &[&str] = &[
    "benches",
    "cli",
    "components",
    "docs",
    "examples",
    "host",
    "python",
    "src",
    "tests",
    "wit",
    "xtask",
];

#[test]
fn the_paths_that_the_pages_name_exist() {
    for page in pages() {
        let prose = Page::read(&page).prose();
        for span in code_spans(&prose) {
            let root = span.split('/').next().unwrap();
            // NAME stands for a name of the reader's choice.
            if span.contains('/') && ROOTS.contains(&root) && !span.contains("NAME") {
                let path = span.split([' ', '*', ':']).next().unwrap();
                assert!(workspace().join(path).exists(), "{page} names `{span}`");
            }
        }
    }
}

#[test]
fn the_architecture_page_is_short_and_names_only_files_that_exist() {
    let page = text(ARCHITECTURE);
    let lines = page.lines().count();
    assert!(lines <= 150, "{lines} lines");
    let mut named = 0;
    for span in code_spans(&Page::read(ARCHITECTURE).prose()) {
        // A path has a slash; an address or an interface also has a colon.
        if span.contains('/') && !span.contains(':') {
            named += 1;
            assert!(Path::new(&workspace()).join(span).exists(), "`{span}`");
        }
    }
    assert!(named > 30, "{named} paths");
}
