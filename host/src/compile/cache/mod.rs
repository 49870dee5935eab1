mod entry;
mod error;
mod folder;
mod key;

use std::env;
use std::path::{Path, PathBuf};

use tracing::{debug, warn};
use wasmtime::Engine;
use wasmtime::component::Component;

pub use error::CacheError;

use super::{CompileError, compile, precompiled};
use folder::Folder;
use key::Key;

/// A folder that keeps compiled programs for the next run.
///
/// The key of a program is made of its bytes, those of the streams component, the
/// version and the configuration of wasmtime, and the features of the processor. So a
/// hit needs neither composing nor compiling, and an update misses.
///
/// The folder holds native code, and loading it trusts the folder. The folder and each
/// file must belong to the user that the process runs as, and no other user may write
/// to them. A file that is damaged or not ours is ignored and replaced. Processes may
/// share a folder.
#[derive(Debug)]
pub struct Cache {
    folder: Folder,
    capacity: u64,
}

impl Cache {
    /// The default capacity: 1 GiB.
    pub const CAPACITY: u64 = 1 << 30;

    /// Opens a cache, and makes the folder if it is missing.
    ///
    /// # Errors
    ///
    /// Fails when the folder cannot be made, belongs to another user, or other users may
    /// write to it.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, CacheError> {
        Ok(Self {
            folder: Folder::open(folder.as_ref())?,
            capacity: Self::CAPACITY,
        })
    }

    /// Returns the usual folder: `asyncio-streams` in the user's folder for caches
    /// (`XDG_CACHE_HOME`, else `~/.cache`, on macOS `~/Library/Caches`). Returns `None` if
    /// the environment names neither.
    #[must_use]
    pub fn usual_place() -> Option<PathBuf> {
        let absolute = |name| {
            env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let caches = if cfg!(target_os = "macos") {
            "Library/Caches"
        } else {
            ".cache"
        };
        absolute("XDG_CACHE_HOME")
            .or_else(|| Some(absolute("HOME")?.join(caches)))
            .map(|folder| folder.join("asyncio-streams"))
    }

    /// Sets how many bytes the files may have together. Beyond that, the files with the
    /// oldest use are removed, but never the newest one.
    #[must_use]
    pub fn capacity(mut self, bytes: u64) -> Self {
        self.capacity = bytes;
        self
    }

    /// Returns what [`compile()`] would: from the folder if it is there, else compiled and
    /// kept. When it cannot be kept, a warning is logged.
    ///
    /// # Errors
    ///
    /// Fails as [`compile()`] does; the cache adds no errors.
    pub fn component(
        &self,
        engine: &Engine,
        program: &[u8],
        streams: Option<&[u8]>,
    ) -> Result<Component, CompileError> {
        let key = Key::new(engine, program, streams);
        if let Some(component) = self.load(engine, &key) {
            return Ok(component);
        }
        let component = compile(engine, program, streams)?;
        self.keep(&key, &component);
        Ok(component)
    }

    #[expect(
        unsafe_code,
        reason = "native code is loaded from a folder that was checked"
    )]
    fn load(&self, engine: &Engine, key: &Key) -> Option<Component> {
        let file = match self.folder.read(key.file_name()) {
            Ok(file) => file?,
            Err(error) => {
                debug!(file = key.file_name(), %error, "not taken from the cache");
                return None;
            }
        };
        let Some(native) = entry::open(&file) else {
            debug!(file = key.file_name(), "damaged in the cache");
            return None;
        };
        // SAFETY: these bytes were read from a file that only this user can
        // write, in a folder that only this user can write (`Folder` has checked
        // the very descriptors it reads from), and the checksum says that they
        // are what `keep` wrote there, under a name that only the same program
        // and the same compiler give.
        match unsafe { precompiled::load(engine, native) } {
            Ok(component) => {
                debug!(file = key.file_name(), "taken from the cache");
                Some(component)
            }
            Err(error) => {
                debug!(file = key.file_name(), %error, "not taken from the cache");
                None
            }
        }
    }

    fn keep(&self, key: &Key, component: &Component) {
        let kept = component.serialize().map_err(|error| format!("{error:#}"));
        let kept = kept.and_then(|native| {
            let parts = [&entry::header(&native)[..], &native];
            let written = self.folder.write(key.file_name(), &parts);
            written.map_err(|error| error.to_string())
        });
        if let Err(error) = kept {
            let folder = self.folder.path().display();
            warn!("a compiled program cannot be kept in {folder}: {error}");
            return;
        }
        debug!(file = key.file_name(), "kept in the cache");
        if let Err(error) = self.folder.prune(self.capacity, key.file_name()) {
            debug!(%error, "the cache was not cleaned up");
        }
    }
}

#[cfg(test)]
mod tests;
