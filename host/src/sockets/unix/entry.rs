//! What is at a path.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::net::SocketAddrUnix;

use super::UnixSocketError;

/// The file of a socket. On Linux it is kept open, without any right to it: what
/// is done with it is done with this very file, whatever is at its path by then,
/// and its number is nobody else's meanwhile.
#[derive(Debug)]
pub(super) struct Entry {
    #[cfg(target_os = "linux")]
    file: fs::File,
    #[cfg(not(target_os = "linux"))]
    path: PathBuf,
    metadata: Metadata,
}

/// Which file it is: the numbers of its device and its own.
pub(super) type Id = (u64, u64);

impl Entry {
    /// The socket at the path itself. Links in its folder are followed.
    pub(super) fn open(path: &Path) -> Result<Entry, UnixSocketError> {
        let entry = Entry::whatever(path)?;
        let kind = entry.metadata.file_type();
        if kind.is_symlink() {
            // What it says is only to be told.
            return Err(UnixSocketError::Link(
                fs::read_link(path).unwrap_or_default(),
            ));
        }
        match kind.is_socket() {
            true => Ok(entry),
            false => Err(UnixSocketError::NotASocket),
        }
    }

    #[cfg(target_os = "linux")]
    fn whatever(path: &Path) -> Result<Entry, UnixSocketError> {
        use rustix::fs::{Mode, OFlags};

        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::File::from(rustix::fs::open(path, flags, Mode::empty())?);
        let metadata = file.metadata()?;
        Ok(Entry { file, metadata })
    }

    #[cfg(not(target_os = "linux"))]
    fn whatever(path: &Path) -> Result<Entry, UnixSocketError> {
        Ok(Entry {
            metadata: fs::symlink_metadata(path)?,
            path: path.to_owned(),
        })
    }

    pub(super) fn id(&self) -> Id {
        (self.metadata.dev(), self.metadata.ino())
    }

    /// Where to connect to it.
    pub(super) fn address(&self) -> Result<SocketAddrUnix, UnixSocketError> {
        let path = self.path();
        if cfg!(target_os = "linux") && !fs::exists(&path)? {
            return Err(UnixSocketError::KernelSocket(io::Error::other(
                "/proc is not mounted",
            )));
        }
        Ok(SocketAddrUnix::new(path)?)
    }

    /// Has the file have this mode.
    pub(super) fn set_mode(&self, mode: u32) -> Result<(), UnixSocketError> {
        if self.metadata.mode() & 0o7777 != mode {
            fs::set_permissions(self.path(), Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// A path that leads to it.
    fn path(&self) -> PathBuf {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsRawFd as _;

            format!("/proc/self/fd/{}", self.file.as_raw_fd()).into()
        }
        #[cfg(not(target_os = "linux"))]
        self.path.clone()
    }
}
