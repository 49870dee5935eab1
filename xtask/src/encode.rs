//! Encodes core modules as components, if they changed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wit_component::ComponentEncoder;

/// The encoder's version, which stands in each stamp before the module's hash.
/// Another version makes all components again.
const ENCODING: &str = "wit-component 0.263";

/// The result of encoding.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// The component's file.
    pub(crate) path: PathBuf,
    /// True if the file was written, because its bytes are new.
    pub(crate) changed: bool,
}

/// Encodes the core module `module` into `folder/<name>.wasm`.
///
/// Does nothing if the stamp has the module's hash. Does not write a component whose
/// bytes are the same, so that cargo rebuilds nothing that depends on the file's time.
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

/// Removes components that this program has made and that are not among `names`.
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

/// Makes `folder/<link>.wasm` a link to `<name>.wasm`.
pub(crate) fn link(folder: &Path, link: &str, name: &str) -> Result<()> {
    let (path, target) = (folder.join(format!("{link}.wasm")), format!("{name}.wasm"));
    if std::fs::read_link(&path).is_ok_and(|before| before.as_os_str() == target.as_str()) {
        return Ok(());
    }
    let part = folder.join(format!(".{link}.{}", std::process::id()));
    std::os::unix::fs::symlink(&target, &part)
        .and_then(|()| std::fs::rename(&part, &path))
        .with_context(|| format!("cannot link {}", path.display()))
}

/// The folder of stamps, one for each component that this program has made.
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

/// Writes a file by renaming a complete one, so that a reader sees the old bytes or
/// the new ones.
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
