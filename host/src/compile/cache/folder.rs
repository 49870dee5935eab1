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

/// Permissions of others to write.
const OTHERS_WRITE: u32 = 0o022;

/// How exactly the last use of a file is known.
const USED: Duration = Duration::from_secs(60 * 60);

/// A file under way that is older than this was left by a process that ended.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

const SUFFIX: &str = ".tmp";

/// A folder that nobody else can write to. Held by descriptor, so that what was
/// checked is what is used, whatever its path leads to later.
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

    /// The content of a file, which others cannot have written; none if there is
    /// no such file.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        // Not waiting for the other end, should it be a pipe.
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
            // A folder that cannot be written to is as good.
            let _ = file.set_modified(now);
        }
        Ok(Some(content))
    }

    /// Writes a file, which appears when it is whole.
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
        // Left by a process that had this number before.
        let _ = unlinkat(&self.descriptor, name, AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut file = File::from(openat(&self.descriptor, name, flags, mode)?);
        parts.iter().try_for_each(|part| file.write_all(part))
    }

    /// Removes the files used longest ago, until the rest has no more bytes than
    /// this; never the one with this name, nor what is not the cache's.
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
                // Another process was faster.
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
    /// None for a file that the cache did not make.
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
