//! Core modules into components, only where something changed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wit_component::ComponentEncoder;

/// Stands in a stamp before the module's hash; change it when encoding changes.
const ENCODING: &str = "wit-component 0.263";

/// A component's file, and whether it was written now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// The component.
    pub(crate) path: PathBuf,
    /// Whether its bytes are new.
    pub(crate) changed: bool,
}

/// Encodes the core module `module` into `folder/<name>.wasm`.
///
/// A stamp with the module's hash says whether there is anything to do. A
/// component that comes out the same is not written again, so nothing that
/// depends on its time is rebuilt.
pub(crate) fn component(module: &Path, folder: &Path, name: &str) -> Result<Encoded> {
    let bytes =
        std::fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let stamp_path = stamp(folder, name);
    let path = folder.join(format!("{name}.wasm"));
    let stamp = format!("{ENCODING} {:016x}", hash(&bytes));
    if path.is_file() && std::fs::read_to_string(&stamp_path).is_ok_and(|before| before == stamp) {
        return Ok(Encoded {
            path,
            changed: false,
        });
    }
    let component = encode(&bytes).with_context(|| format!("cannot make a component of {name}"))?;
    let changed = std::fs::read(&path).map_or(true, |before| before != component);
    if changed {
        write(&path, &component)?;
    }
    write(&stamp_path, stamp.as_bytes())?;
    Ok(Encoded { path, changed })
}

/// Removes components that were made here before and are no longer among `names`.
pub(crate) fn prune(folder: &Path, names: &[&str]) -> Result<()> {
    let Ok(stamps) = std::fs::read_dir(folder.join(STAMPS)) else {
        return Ok(());
    };
    for file in stamps {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        if names.contains(&name.as_str()) || name.starts_with('.') {
            continue;
        }
        match std::fs::remove_file(folder.join(format!("{name}.wasm"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => std::fs::remove_file(file.path())?,
        }
    }
    Ok(())
}

/// The folder with one stamp for each component made here.
const STAMPS: &str = ".stamps";

fn stamp(folder: &Path, name: &str) -> PathBuf {
    folder.join(STAMPS).join(name)
}

fn encode(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)?
        .encode()
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// Writes the whole file or nothing: a reader sees the old or the new one.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file without a folder")?;
    let name = path.file_name().context("a file without a name")?;
    let part = folder.join(format!(
        ".{}.{}",
        name.to_string_lossy(),
        std::process::id()
    ));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&part, bytes))
        .and_then(|()| std::fs::rename(&part, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest core module: magic and version.
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";

    fn folder(name: &str) -> Result<PathBuf> {
        let folder = std::env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    #[test]
    fn an_unchanged_module_is_not_encoded_again() -> Result<()> {
        let folder = folder("unchanged")?;
        let module = folder.join("module");
        std::fs::write(&module, MODULE)?;
        let first = component(&module, &folder, "app")?;
        assert!(first.changed);
        assert!(!component(&module, &folder, "app")?.changed);
        std::fs::remove_file(&first.path)?;
        assert!(
            component(&module, &folder, "app")?.changed,
            "a lost component comes back"
        );
        std::fs::remove_dir_all(&folder)?;
        Ok(())
    }

    #[test]
    fn what_is_no_module_leaves_nothing_behind() -> Result<()> {
        let folder = folder("broken")?;
        let module = folder.join("module");
        std::fs::write(&module, b"nonsense")?;
        assert!(component(&module, &folder, "app").is_err());
        assert_eq!(std::fs::read_dir(&folder)?.count(), 1, "only the module");
        std::fs::remove_dir_all(&folder)?;
        Ok(())
    }

    #[test]
    fn only_components_made_here_are_pruned() -> Result<()> {
        let folder = folder("pruned")?;
        let module = folder.join("module");
        std::fs::write(&module, MODULE)?;
        std::fs::write(folder.join("foreign.wasm"), MODULE)?;
        for name in ["old", "new"] {
            component(&module, &folder, name)?;
        }
        prune(&folder, &["new"])?;
        assert!(!folder.join("old.wasm").exists());
        assert!(folder.join("new.wasm").exists() && folder.join("foreign.wasm").exists());
        std::fs::remove_dir_all(&folder)?;
        Ok(())
    }
}
