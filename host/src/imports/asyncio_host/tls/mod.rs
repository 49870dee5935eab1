//! `asyncio:host/tls`: sessions on the guest's connections, by what the policy of
//! [`Tls`](crate::tls::Tls) permits.
//!
//! A session has the connection for itself. All that happens to it is the guest's
//! doing: whoever waits for it drives it, and nothing goes on in the background.

mod connection;
mod context;
mod convert;
mod host;
mod shared;
mod streams;
mod wakers;
mod wire;

#[expect(unreachable_pub, reason = "the bindings export it again")]
pub use self::connection::TlsSession;
#[expect(unreachable_pub, reason = "the bindings export it again")]
pub use self::context::TlsContext;
