//! Stream sockets, TCP and Unix alike.

mod accepted_options;
mod connected;
mod error;
mod io;
mod listener;
mod options;
mod socket;
mod table_socket;

pub(super) use self::accepted_options::AcceptedOptions;
pub(crate) use self::connected::{ConnectedSocket, Lease};
pub(crate) use self::error::{code, refusal};
pub(crate) use self::listener::{Acceptor, Listener, refuse};
pub(crate) use self::options::Options;
#[cfg(test)]
pub(crate) use self::socket::tests::pair;
pub(crate) use self::socket::{Outcome, StreamSocket, reset_on_close};
pub(super) use self::table_socket::resume;
pub(crate) use self::table_socket::{Kind, State, TableSocket};
