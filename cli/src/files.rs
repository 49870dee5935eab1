use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;

/// Writes a result to a file, or to standard output for `-`.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if path.as_os_str() == "-" {
        let mut stdout = io::stdout();
        return stdout
            .write_all(bytes)
            .context("cannot write to standard output");
    }
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
