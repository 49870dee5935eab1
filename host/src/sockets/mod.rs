//! The kernel's sockets, as guests have them: TCP and Unix, listening and connected.

mod shared_listeners;
mod stop;
pub(crate) mod stream;
pub(crate) mod tcp;
#[cfg(test)]
mod tests;
pub(crate) mod unix;

pub use self::shared_listeners::SharedListeners;
pub(crate) use self::shared_listeners::Sharing;
pub use self::stop::StopHandle;
