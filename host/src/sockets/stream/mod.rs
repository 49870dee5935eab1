//! What sockets that carry a stream of bytes have in common, whatever they are
//! made of.

mod accepting;
mod connected;
mod connection;
mod convert;
mod halves;
mod io;
mod lease;
mod listener;
mod streams;
mod system;

pub(crate) use self::accepting::Accepting;
pub(crate) use self::connected::ConnectedSocket;
pub(crate) use self::connection::StreamSocket;
#[cfg(test)]
pub(crate) use self::connection::tests::pair;
pub(crate) use self::convert::code;
pub(crate) use self::halves::{Outcome, receive, send};
pub(crate) use self::lease::Lease;
pub(crate) use self::listener::{Acceptor, Listener, Listens, refuse};
pub(crate) use self::system::reset_on_close;

/// How many connections may wait at a listener, unless told otherwise.
pub(crate) const DEFAULT_BACKLOG: u32 = 128;
