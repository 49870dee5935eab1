//! A TLS client that does as little as possible, because the server is measured.

mod client;
mod connection;
mod session;

pub(crate) use client::Client;
pub(crate) use connection::Connection;
pub(crate) use session::Session;
