use std::ffi::CStr;
use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, fstat, open, openat, renameat, statat, unlinkat,
};
use rustix::process::geteuid;

use super::CacheError;

/// The permissions of group and others to write.
const OTHERS_WRITE: u32 = 0o022;

/// The precision of a file's last use: its time is written at most this often.
const USED: Duration = Duration::from_secs(60 * 60);

/// The age at which an unfinished file must be one of a process that has ended.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

const SUFFIX: &str = ".tmp";

/// A folder that no other user can write to.
///
/// It is held by descriptor, so that the folder that was checked is the one that is used,
/// even if its path leads to another one later.
#[derive(Debug)]
pub(super) struct Folder {
    descriptor: OwnedFd,
    path: PathBuf,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, CacheError> {
        let unusable = |error: io::Error| CacheError::Unusable {
            folder: path.to_owned(),
            error,
        };
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(path);
        made.map_err(unusable)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = open(path, flags, Mode::empty());
        let descriptor = opened.map_err(|error| unusable(error.into()))?;
        let stat = fstat(&descriptor).map_err(|error| unusable(error.into()))?;
        if stat.st_uid != geteuid().as_raw() {
            return Err(CacheError::NotYours {
                folder: path.to_owned(),
                owner: stat.st_uid,
            });
        }
        let mode = Mode::from_raw_mode(stat.st_mode).bits();
        if mode & OTHERS_WRITE != 0 {
            return Err(CacheError::OthersMayWrite {
                folder: path.to_owned(),
                mode,
            });
        }
        Ok(Self {
            descriptor,
            path: path.to_owned(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a file that no other user can have written. Returns `None` if there is no
    /// such file.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        // NONBLOCK: opening a pipe would wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = match openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a file"));
        }
        if metadata.uid() != geteuid().as_raw() || metadata.mode() & OTHERS_WRITE != 0 {
            return Err(io::Error::other("others may write to the file"));
        }
        let mut content = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
        file.read_to_end(&mut content)?;

        let now = SystemTime::now();
        let used = metadata.modified().ok();
        if used.is_none_or(|used| now.duration_since(used).is_ok_and(|past| past > USED)) {
            // Fails in a read-only folder; then files go in the order of their making.
            let _ = file.set_modified(now);
        }
        Ok(Some(content))
    }

    /// Writes a file. It appears under its name only when it is complete.
    pub(super) fn write(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = format!("{name}.{}.{count}{SUFFIX}", std::process::id());
        let written = self.write_here(&temporary, parts).and_then(|()| {
            Ok(renameat(
                &self.descriptor,
                &*temporary,
                &self.descriptor,
                name,
            )?)
        });
        if written.is_err() {
            let _ = unlinkat(&self.descriptor, &*temporary, AtFlags::empty());
        }
        written
    }

    fn write_here(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        // An earlier process with the same id may have left one.
        let _ = unlinkat(&self.descriptor, name, AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut file = File::from(openat(&self.descriptor, name, flags, mode)?);
        parts.iter().try_for_each(|part| file.write_all(part))
    }

    /// Removes the files with the oldest use until the rest fits into `capacity` bytes.
    /// The file `keep` stays, and so do files that the cache did not make.
    pub(super) fn prune(&self, capacity: u64, keep: &str) -> io::Result<()> {
        let now = SystemTime::now();
        let mut files = Vec::new();
        let mut total = 0_u64;
        for entry in Dir::read_from(self.descriptor.as_fd())? {
            let entry = entry?;
            let Some(kind) = FileKind::of(entry.file_name()) else {
                continue;
            };
            let Ok(stat) = statat(
                &self.descriptor,
                entry.file_name(),
                AtFlags::SYMLINK_NOFOLLOW,
            ) else {
                // Another process has removed it.
                continue;
            };
            if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                continue;
            }
            let seconds = u64::try_from(stat.st_mtime).unwrap_or_default();
            let used = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            if kind == FileKind::UnderWay {
                if now.duration_since(used).is_ok_and(|past| past > ABANDONED) {
                    let _ = unlinkat(&self.descriptor, entry.file_name(), AtFlags::empty());
                }
                continue;
            }
            let size = u64::try_from(stat.st_size).unwrap_or_default();
            total = total.saturating_add(size);
            if entry.file_name().to_bytes() != keep.as_bytes() {
                files.push((used, size, entry.file_name().to_owned()));
            }
        }
        files.sort_unstable_by_key(|(used, ..)| *used);
        for (_, size, name) in files {
            if total <= capacity {
                break;
            }
            let _ = unlinkat(&self.descriptor, name, AtFlags::empty());
            total = total.saturating_sub(size);
        }
        Ok(())
    }
}

#[derive(PartialEq, Eq)]
enum FileKind {
    Kept,
    UnderWay,
}

impl FileKind {
    /// Returns `None` for a file that the cache did not make.
    fn of(name: &CStr) -> Option<Self> {
        let name = name.to_str().ok()?;
        let (key, rest) = name.split_at_checked(64)?;
        let ours = key.bytes().all(|byte| byte.is_ascii_hexdigit());
        match rest {
            "" if ours => Some(Self::Kept),
            _ if ours && rest.ends_with(SUFFIX) => Some(Self::UnderWay),
            _ => None,
        }
    }
}
