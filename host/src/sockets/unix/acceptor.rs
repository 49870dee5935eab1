use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::net::{UnixListener, UnixStream};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::{BoundUnix, SocketFile, UnixSocket};
use crate::StopHandle;
use crate::access::{InheritedListener, SocketPermit};
use crate::sockets::stream::{Acceptor, refuse};

/// A listening Unix socket.
pub(crate) struct UnixAcceptor {
    /// Before the socket, so that what is removed refuses nobody.
    pub(super) file: Option<Arc<SocketFile>>,
    pub(super) listener: UnixListener,
    /// The host's, who goes on to have it.
    pub(super) inherited: Option<InheritedListener>,
}

impl Acceptor for UnixAcceptor {
    type Bound = BoundUnix;
    type Accepted = UnixStream;
    type Socket = UnixSocket;
    type Name = UnixSocket;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        let accepted = self.listener.poll_accept(cx);
        accepted.map_ok(|(stream, _)| stream)
    }

    fn socket(
        &self,
        accepted: Result<UnixStream, ErrorCode>,
        permit: SocketPermit,
        stop: &StopHandle,
    ) -> UnixSocket {
        UnixSocket::accepted(accepted, permit, stop)
    }

    /// There is no reset: being closed is all that the peer can see.
    fn turn_away(_: &UnixStream) {}

    fn close(&self) {
        if self.inherited.is_none() {
            if let Some(file) = &self.file {
                file.remove();
            }
            refuse(self);
        }
    }

    fn inherited(&self) -> Option<&InheritedListener> {
        self.inherited.as_ref()
    }
}

impl AsFd for UnixAcceptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}
