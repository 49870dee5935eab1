//! TLS as a client that costs little: the server is to be measured.

mod client;
mod connection;
mod session;

pub(crate) use client::Client;
pub(crate) use connection::Connection;
pub(crate) use session::Session;
