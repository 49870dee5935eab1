use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use rustix::net::bind;

use super::address::abstract_address;
use super::{SocketFile, UnixSocketError};
use crate::policy::UnixName;
use crate::sockets::shared_listeners::{self, Sockets};

/// A socket of the system that is bound.
pub(crate) struct BoundUnix {
    /// Before the socket, so that what is removed refuses nobody.
    pub(super) file: Option<Arc<SocketFile>>,
    pub(super) fd: OwnedFd,
    pub(super) name: UnixName,
}

impl BoundUnix {
    pub(super) fn new(
        socket: &OwnedFd,
        name: &UnixName,
        mode: u32,
    ) -> Result<BoundUnix, UnixSocketError> {
        let fd = socket.try_clone()?;
        let file = match name.as_path() {
            Some(path) => Some(Arc::new(SocketFile::bind(socket.as_fd(), path, mode)?)),
            None => {
                let name = name.as_abstract().unwrap_or_default();
                bind(socket, &abstract_address(name)?)?;
                None
            }
        };
        let name = name.clone();
        Ok(BoundUnix { file, fd, name })
    }

    /// Another descriptor of it.
    pub(super) fn duplicate(&self) -> io::Result<BoundUnix> {
        Ok(BoundUnix {
            file: self.file.clone(),
            fd: self.fd.try_clone()?,
            name: self.name.clone(),
        })
    }
}

impl shared_listeners::BoundSocket for BoundUnix {
    type Address = UnixName;

    const REOPENS: bool = false;

    fn address(&self) -> &UnixName {
        &self.name
    }

    fn among(registry: &shared_listeners::Registry) -> &Sockets<Self> {
        &registry.unix
    }
}
