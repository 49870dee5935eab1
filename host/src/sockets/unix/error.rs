use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

/// Why a socket cannot be had where it was asked for.
#[derive(Debug)]
pub(crate) enum UnixSocketError {
    /// Nothing is there, or its folder does not exist.
    NotFound,
    /// Something that is no socket is there.
    NotASocket,
    /// A symbolic link is there, and this is written in it.
    Link(PathBuf),
    /// The system does not permit it.
    Permission,
    /// As for sockets of other kinds.
    KernelSocket(io::Error),
}

impl From<Errno> for UnixSocketError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::NOTDIR => Self::NotFound,
            Errno::ACCESS | Errno::PERM | Errno::ROFS => Self::Permission,
            other => Self::KernelSocket(other.into()),
        }
    }
}

impl From<io::Error> for UnixSocketError {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => errno.into(),
            None => Self::KernelSocket(error),
        }
    }
}
