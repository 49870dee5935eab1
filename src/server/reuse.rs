//! What a server asks of its sockets before it binds them.

use wasi::sockets::types::TcpSocket;

use crate::error::{ErrorCode, ListenError};
use crate::tcp_options;

/// Sets an option of a socket. A program in which nothing takes the address of
/// such a function does not import it.
type Setter = fn(&TcpSocket, bool) -> Result<(), ErrorCode>;

/// What is not as usual: addresses are used again, ports are not shared.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reuse {
    address: Option<Setter>,
    port: Option<Setter>,
}

impl Reuse {
    // Inlined, these two leave nothing of a call that asks for what is usual.
    #[inline]
    pub(crate) fn set_address(&mut self, reuse: bool) {
        self.address = (!reuse).then_some(tcp_options::set_reuse_address);
    }

    #[inline]
    pub(crate) fn set_port(&mut self, reuse: bool) {
        self.port = reuse.then_some(tcp_options::set_reuse_port);
    }

    pub(super) fn is_usual(self) -> bool {
        self.address.is_none() && self.port.is_none()
    }

    /// Refuses what this build cannot do.
    pub(super) fn check(self) -> Result<(), ListenError> {
        if tcp_options::AVAILABLE || self.is_usual() {
            return Ok(());
        }
        let option = match self.port {
            Some(_) => "reuse-port",
            None => "reuse-address = false",
        };
        Err(ListenError::NotSupported(format!(
            "{option}: WASI's own sockets cannot; compose with the variant `full` of the \
             streams component"
        )))
    }

    /// For a socket that is not bound yet.
    pub(super) fn apply(self, socket: &TcpSocket) -> Result<(), ErrorCode> {
        if let Some(set) = self.address {
            set(socket, false)?;
        }
        if let Some(set) = self.port {
            set(socket, true)?;
        }
        Ok(())
    }
}
