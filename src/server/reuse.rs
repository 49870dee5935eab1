//! The options that a server sets on its sockets before it binds them.

use wasi::sockets::types::TcpSocket;

use crate::error::{ErrorCode, ListenError};
use crate::tcp_options;

/// Sets an option of a socket.
///
/// A function pointer, so that the linker drops the import from programs that take no
/// address of it: they import nothing but WASI.
type Setter = fn(&TcpSocket, bool) -> Result<(), ErrorCode>;

/// The options that differ from the defaults: addresses may be used again (SO_REUSEADDR),
/// ports are not shared (SO_REUSEPORT).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reuse {
    address: Option<Setter>,
    port: Option<Setter>,
}

impl Reuse {
    // Inlined, a call with the default value leaves no reference to the import.
    #[inline]
    pub(crate) fn set_address(&mut self, reuse: bool) {
        self.address = (!reuse).then_some(tcp_options::set_reuse_address);
    }

    #[inline]
    pub(crate) fn set_port(&mut self, reuse: bool) {
        self.port = reuse.then_some(tcp_options::set_reuse_port);
    }

    pub(super) fn is_default(self) -> bool {
        self.address.is_none() && self.port.is_none()
    }

    /// Refuses options that this build cannot set.
    pub(super) fn check(self) -> Result<(), ListenError> {
        if tcp_options::AVAILABLE || self.is_default() {
            return Ok(());
        }
        let option = match self.port {
            Some(_) => "reuse-port",
            None => "reuse-address = false",
        };
        Err(ListenError::NotSupported(format!(
            "{option}: WASI's own sockets have no such option; compose with the variant `full` of the \
             streams component"
        )))
    }

    /// Sets the options on a socket that is not bound yet.
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
