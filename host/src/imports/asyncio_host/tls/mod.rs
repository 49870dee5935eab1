//! `asyncio:host/tls`: sessions on the guest's sockets, as far as
//! [`Tls`](crate::tls::Tls) permits.
//!
//! A session is the only user of its socket. No task works for it in the background:
//! the guest's operation that waits for the session also drives it.

mod carrier;
mod context;
mod convert;
mod host;
mod session;
mod shared_session;
mod streams;
mod transport;
mod wakers;
