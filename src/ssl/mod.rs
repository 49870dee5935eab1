//! TLS, in the words of Python's `ssl` module. Sessions are the host's; what is
//! here says what they are to be like, and puts connections on them.
//!
//! A build without `asyncio:host` (the streams component's variant `tcp`) has the
//! settings, and refuses to use them.

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
pub(crate) use self::session::{Maker, Session};

/// None where there is no TLS. Inlined, it leaves nothing in a program that does
/// not ask.
#[inline]
pub(crate) fn maker() -> Option<&'static Maker> {
    #[cfg(any(not(feature = "component"), feature = "full"))]
    return Some(&host::MAKER);
    #[cfg(all(feature = "component", not(feature = "full")))]
    None
}
