//! Names and files of Unix sockets: found, made, replaced where no process listens any
//! more, and removed.

use std::collections::BTreeSet;
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, fchmod};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix, SocketType, bind, connect};

use crate::lock::lock;
use crate::policy::{InvalidUnixName, UnixName};

/// Why a socket cannot be bound or connected at a name.
#[derive(Debug)]
pub(crate) enum UnixSocketError {
    /// There is no such file or folder.
    NotFound,
    /// The file is not a socket.
    NotASocket,
    /// The file is a symbolic link with this target.
    Link(PathBuf),
    /// The kernel does not permit it.
    Permission,
    /// Any error that other kinds of sockets have too.
    Kernel(io::Error),
}

impl From<Errno> for UnixSocketError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::NOTDIR => Self::NotFound,
            Errno::ACCESS | Errno::PERM | Errno::ROFS => Self::Permission,
            other => Self::Kernel(other.into()),
        }
    }
}

impl From<io::Error> for UnixSocketError {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => errno.into(),
            None => Self::Kernel(error),
        }
    }
}

/// The address of a socket, as the kernel reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UnixAddress {
    Unnamed,
    Path(Vec<u8>),
    Abstract(Vec<u8>),
}

impl UnixAddress {
    /// The name, if the address is one that a rule could cover.
    pub(crate) fn name(&self) -> Result<UnixName, InvalidUnixName> {
        match self {
            Self::Unnamed => Err(InvalidUnixName::Empty),
            Self::Path(path) => UnixName::path(path),
            Self::Abstract(name) => UnixName::abstract_name(name),
        }
    }
}

impl TryFrom<SocketAddrAny> for UnixAddress {
    type Error = Errno;

    fn try_from(address: SocketAddrAny) -> Result<Self, Errno> {
        let address = SocketAddrUnix::try_from(address)?;
        if let Some(path) = address.path_bytes() {
            return Ok(Self::Path(path.to_vec()));
        }
        // rustix shows an unnamed socket as one with an empty abstract name.
        #[cfg(target_os = "linux")]
        if let Some(name) = address.abstract_name().filter(|name| !name.is_empty()) {
            return Ok(Self::Abstract(name.to_vec()));
        }
        Ok(Self::Unnamed)
    }
}

/// The kernel's form of an abstract name.
#[cfg(target_os = "linux")]
pub(super) fn abstract_address(name: &[u8]) -> Result<SocketAddrUnix, UnixSocketError> {
    Ok(SocketAddrUnix::new_abstract_name(name)?)
}

/// Only Linux has abstract names.
#[cfg(not(target_os = "linux"))]
pub(super) fn abstract_address(_: &[u8]) -> Result<SocketAddrUnix, UnixSocketError> {
    Err(Errno::OPNOTSUPP.into())
}

/// Opens a socket that does not block.
#[cfg(target_os = "linux")]
pub(super) fn open() -> Result<OwnedFd, Errno> {
    use rustix::net::{SocketFlags, socket_with};

    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Opens a socket that does not block. Only Linux takes the flags with the call.
#[cfg(not(target_os = "linux"))]
pub(super) fn open() -> Result<OwnedFd, Errno> {
    use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};

    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// The file of a socket that exists.
///
/// On Linux it is held open by O_PATH, without any right to it. So each step is done
/// with this very file, even if another one is at the path by then, and its inode
/// number is not used again meanwhile.
#[derive(Debug)]
pub(super) struct Entry {
    #[cfg(target_os = "linux")]
    file: fs::File,
    #[cfg(not(target_os = "linux"))]
    path: PathBuf,
    metadata: Metadata,
}

/// The identity of a file: its device and its inode number.
type FileId = (u64, u64);

impl Entry {
    /// Finds the socket at the path. Links are followed in its folder, but not at the
    /// path itself: a rule covers the socket that it names.
    pub(super) fn open(path: &Path) -> Result<Entry, UnixSocketError> {
        let entry = Entry::any(path)?;
        let kind = entry.metadata.file_type();
        if kind.is_symlink() {
            // The target is shown to the operator, and not used.
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
    fn any(path: &Path) -> Result<Entry, UnixSocketError> {
        use rustix::fs::OFlags;

        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::File::from(rustix::fs::open(path, flags, Mode::empty())?);
        let metadata = file.metadata()?;
        Ok(Entry { file, metadata })
    }

    #[cfg(not(target_os = "linux"))]
    fn any(path: &Path) -> Result<Entry, UnixSocketError> {
        Ok(Entry {
            metadata: fs::symlink_metadata(path)?,
            path: path.to_owned(),
        })
    }

    fn id(&self) -> FileId {
        (self.metadata.dev(), self.metadata.ino())
    }

    /// The address to connect to this file.
    pub(super) fn address(&self) -> Result<SocketAddrUnix, UnixSocketError> {
        let path = self.path();
        if cfg!(target_os = "linux") && !fs::exists(&path)? {
            return Err(UnixSocketError::Kernel(io::Error::other(
                "/proc is not mounted",
            )));
        }
        Ok(SocketAddrUnix::new(path)?)
    }

    fn set_mode(&self, mode: u32) -> Result<(), UnixSocketError> {
        if self.metadata.mode() & 0o7777 != mode {
            fs::set_permissions(self.path(), Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// A path that leads to this file. Linux has one for each descriptor: proc(5).
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

/// The files that this process has made and still has. A file may be bound and not
/// listening yet; a probe alone would take it for one that a process has left behind.
static FILES: Mutex<BTreeSet<FileId>> = Mutex::new(BTreeSet::new());

/// How often another process may take the path between our probe and our bind.
const ATTEMPTS: usize = 3;

/// The file of a socket that we have bound. Dropping it removes the file, if it is
/// still at the path.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    entry: Entry,
    unlink: AtomicBool,
    removed: AtomicBool,
}

impl SocketFile {
    /// Binds the socket to the path and gives its file this mode.
    pub(super) fn bind(
        socket: BorrowedFd<'_>,
        path: &Path,
        mode: u32,
    ) -> Result<SocketFile, UnixSocketError> {
        // Linux gives the file the mode of the socket, less the umask, so that other
        // users never see wider permissions. Elsewhere fchmod fails on a socket, and
        // the file gets its mode a moment after bind.
        let _ = fchmod(socket, Mode::from_raw_mode(mode));
        let file = SocketFile::make(socket, path)?;
        // Adds the bits that the umask has taken.
        file.entry.set_mode(mode)?;
        Ok(file)
    }

    fn make(socket: BorrowedFd<'_>, path: &Path) -> Result<SocketFile, UnixSocketError> {
        let address = SocketAddrUnix::new(path)?;
        // Held until the file is in the set, so that no other bind of this process
        // takes it for one that was left behind.
        let mut files = lock(&FILES);
        for _ in 0..ATTEMPTS {
            match bind(socket, &address) {
                Ok(()) => {
                    let entry = Entry::open(path)?;
                    files.insert(entry.id());
                    return Ok(SocketFile {
                        path: path.to_owned(),
                        entry,
                        unlink: AtomicBool::new(true),
                        removed: AtomicBool::new(false),
                    });
                }
                Err(Errno::ADDRINUSE) => make_way(&files, path)?,
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(Errno::ADDRINUSE.into())
    }

    /// Sets whether the file is removed at all.
    pub(super) fn set_unlink(&self, unlink: bool) {
        self.unlink.store(unlink, Ordering::Relaxed);
    }

    /// Removes the file, unless another one is at the path by now.
    pub(super) fn remove(&self) {
        if self.removed.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut files = lock(&FILES);
        if self.unlink.load(Ordering::Relaxed)
            && let Err(error) = unlink(&self.path, self.entry.id())
        {
            let path = self.path.display();
            tracing::debug!(%path, %error, "the file of a socket stays");
        }
        files.remove(&self.entry.id());
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Removes a socket's file at which no process listens any more.
fn make_way(files: &BTreeSet<FileId>, path: &Path) -> Result<(), UnixSocketError> {
    let entry = match Entry::open(path) {
        // Its owner has removed it since.
        Err(UnixSocketError::NotFound) => return Ok(()),
        entry => entry?,
    };
    if files.contains(&entry.id()) || !is_left(&entry)? {
        return Err(Errno::ADDRINUSE.into());
    }
    Ok(unlink(path, entry.id())?)
}

/// Probes whether a process still has the socket.
fn is_left(entry: &Entry) -> Result<bool, UnixSocketError> {
    let probe = open()?;
    let address = entry.address()?;
    match rustix::io::retry_on_intr(|| connect(&probe, &address)) {
        Err(Errno::CONNREFUSED) => Ok(true),
        Err(errno @ (Errno::ACCESS | Errno::PERM)) => Err(errno.into()),
        // Such as a full queue, or a socket for datagrams: a process has it.
        _ => Ok(false),
    }
}

/// Removes the file at the path, if it is this one.
fn unlink(path: &Path, id: FileId) -> io::Result<()> {
    match Entry::open(path) {
        Ok(now) if now.id() == id => fs::remove_file(path),
        _ => Ok(()),
    }
}
