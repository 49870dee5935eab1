//! Where things lie in this repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The packages that run natively; the tests' guests are WebAssembly only.
///
/// Every native build selects these: cargo unites the features of the packages
/// selected, and another selection would build wasmtime a second time.
pub(crate) const NATIVE: [&str; 3] = ["--workspace", "--exclude", "guests"];

/// The repository's root, and the folders under it.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The repository this program belongs to.
    pub(crate) fn find() -> Result<Self> {
        // Cargo's variable first: a copied or moved clone keeps its built xtask.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .context("xtask has no folder above it: run it as `cargo xtask`")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// The folder with the workspace's Cargo.toml.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo builds guests: a folder of its own, as nested cargo runs in
    /// one folder wait for each other for ever.
    pub(crate) fn guests(&self) -> PathBuf {
        self.root.join("target").join("guests")
    }

    /// Where encoded components go, each as `<name>.wasm`.
    pub(crate) fn components(&self) -> PathBuf {
        self.root.join("target").join("components")
    }

    /// `path` as one would type it at the root.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}
