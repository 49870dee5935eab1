//! The folders of this repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The packages that run natively; the tests' guests are WebAssembly only.
///
/// Every native build selects them. Cargo unites the features of the selected
/// packages, so another selection would build wasmtime a second time.
pub(crate) const NATIVE: [&str; 3] = ["--workspace", "--exclude", "guests"];

/// The repository.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Finds the repository that this program belongs to.
    pub(crate) fn find() -> Result<Self> {
        // The path from compile time is wrong in a clone that was copied or moved.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .context("xtask has no folder above it: run it as `cargo xtask`")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Returns the folder of the workspace's Cargo.toml.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the target folder of guests. It is separate, because two cargo runs in
    /// one folder wait for each other.
    pub(crate) fn guests(&self) -> PathBuf {
        self.root.join("target").join("guests")
    }

    /// Returns the folder of components, each of them `<name>.wasm`.
    pub(crate) fn components(&self) -> PathBuf {
        self.root.join("target").join("components")
    }

    /// Returns `path` relative to the root, if it is under it.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::process::{cargo, output_of};

    /// Returns the dependencies of the selected packages, with their features.
    fn dependencies(
        workspace: &Workspace,
        selection: &[&str],
        edges: &str,
    ) -> Result<BTreeSet<String>> {
        let mut command = cargo();
        command
            .args([
                "tree",
                "--offline",
                "--edges",
                edges,
                "--prefix",
                "none",
                "--format",
                "{p} [{f}]",
            ])
            .args(selection)
            .current_dir(workspace.root());
        let tree = output_of(&mut command)?;
        let lines = tree.lines().map(|line| line.trim_end_matches(" (*)"));
        Ok(lines.map(str::to_owned).collect())
    }

    #[test]
    fn the_command_and_xtask_share_their_dependencies() -> Result<()> {
        let workspace = Workspace::find()?;
        // Cargo keeps the features of macros' dependencies apart from the others.
        for edges in ["normal,no-proc-macro", "normal,build"] {
            let own = dependencies(&workspace, &["--package", "xtask"], edges)?;
            let all = dependencies(&workspace, &NATIVE, edges)?;
            let only_own: Vec<_> = own.difference(&all).collect();
            assert!(own.len() > 10);
            assert!(
                only_own.is_empty(),
                "built twice, add features in xtask/Cargo.toml: {only_own:?}"
            );
        }
        Ok(())
    }
}
