//! The files of listening sockets: made, put in the place of those that nobody
//! listens at any more, and removed.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, fchmod};
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, bind, connect};

use super::entry::{Entry, Id};
use super::{UnixSocketError, open};

/// Those that this process has made and still has. One of them may be bound and not
/// listening yet, so that it seems to be left by somebody.
static FILES: Mutex<BTreeSet<Id>> = Mutex::new(BTreeSet::new());

/// How often somebody else may be faster.
const ATTEMPTS: usize = 3;

/// The file of a socket that was bound. It is removed when it is dropped, if it is
/// still there.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    entry: Entry,
    unlink: AtomicBool,
    removed: AtomicBool,
}

impl SocketFile {
    /// Binds the socket to the path. Its file has this mode.
    pub(super) fn bind(
        socket: BorrowedFd<'_>,
        path: &Path,
        mode: u32,
    ) -> Result<SocketFile, UnixSocketError> {
        // Linux takes the mode of the file from here, so that it never has more
        // than this. Elsewhere it fails, and the file has it a moment later.
        let _ = fchmod(socket, Mode::from_raw_mode(mode));
        let file = SocketFile::make(socket, path)?;
        // The umask has taken from it.
        file.entry.set_mode(mode)?;
        Ok(file)
    }

    fn make(socket: BorrowedFd<'_>, path: &Path) -> Result<SocketFile, UnixSocketError> {
        let address = SocketAddrUnix::new(path)?;
        // Locked all the time, so that each one that is bound is among them.
        let mut files = files();
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

    /// Whether it is removed at all.
    pub(super) fn set_unlink(&self, unlink: bool) {
        self.unlink.store(unlink, Ordering::Relaxed);
    }

    /// Removes it, if it is still there: what is at its path by then may be
    /// somebody else's.
    pub(super) fn remove(&self) {
        if self.removed.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut files = files();
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

/// Removes the file of a socket at which nobody listens.
fn make_way(files: &BTreeSet<Id>, path: &Path) -> Result<(), UnixSocketError> {
    let entry = match Entry::open(path) {
        // It is gone by now.
        Err(UnixSocketError::NotFound) => return Ok(()),
        entry => entry?,
    };
    if files.contains(&entry.id()) || !is_left(&entry)? {
        return Err(Errno::ADDRINUSE.into());
    }
    Ok(unlink(path, entry.id())?)
}

/// Whether nobody has the socket any more.
fn is_left(entry: &Entry) -> Result<bool, UnixSocketError> {
    let probe = open()?;
    let address = entry.address()?;
    match rustix::io::retry_on_intr(|| connect(&probe, &address)) {
        Err(Errno::CONNREFUSED) => Ok(true),
        Err(errno @ (Errno::ACCESS | Errno::PERM)) => Err(errno.into()),
        // Whatever listens there, such as for datagrams, or with a full queue.
        _ => Ok(false),
    }
}

/// Removes the file at the path, if it is this one.
fn unlink(path: &Path, id: Id) -> std::io::Result<()> {
    match Entry::open(path) {
        Ok(now) if now.id() == id => fs::remove_file(path),
        _ => Ok(()),
    }
}

/// No code panics while it holds this lock.
fn files() -> MutexGuard<'static, BTreeSet<Id>> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}
