//! The kernel's sockets, as guests have them: TCP and Unix, listening and connected.
//!
//! Nothing here asks the access guard. Binding, connecting and listening demand its
//! proofs instead: see [`Granted`](crate::access::Granted).

mod shared;
mod shared_listeners;
mod stop;
pub(crate) mod stream;
pub(crate) mod tcp;
#[cfg(test)]
mod tests;
pub(crate) mod unix;

pub(crate) use self::shared_listeners::GuestSharing;
pub use self::shared_listeners::SharedListeners;
pub use self::stop::StopHandle;
