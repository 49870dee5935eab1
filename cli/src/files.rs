use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;

/// Reads a whole file; an error names it.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a result to a file, or to standard output for `-`.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if path.as_os_str() == "-" {
        let written = io::stdout().write_all(bytes);
        return written.context("cannot write to standard output");
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
