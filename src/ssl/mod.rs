//! TLS, with the names of Python's `ssl` module.
//!
//! The host runs the sessions: private keys and trusted roots never enter the guest. This
//! module has the settings, and makes a session the transport of a connection. The streams
//! component's variant `tcp` does not import `asyncio:host`: it accepts the settings and
//! refuses to use them.

mod context;
#[cfg(any(not(feature = "component"), feature = "full"))]
mod host;
mod object;
mod options;
mod session;

pub(crate) use self::context::Side;
pub use self::context::{SslContext, TlsVersion, VerifyMode};
pub use self::object::SslObject;
pub use self::options::TlsOptions;
pub(crate) use self::options::{Plan, Tls};
pub(crate) use self::session::{Provider, Session, SessionCarrier};

/// Returns the host's TLS; `None` in the variant `tcp`.
///
/// Inlined into the setters of contexts, so that a program that calls none of them does not
/// refer to the host's TLS and does not import it.
#[inline]
pub(crate) fn provider() -> Option<&'static Provider> {
    #[cfg(any(not(feature = "component"), feature = "full"))]
    return Some(&host::PROVIDER);
    #[cfg(all(feature = "component", not(feature = "full")))]
    None
}
