//! Control of guests' requests and resources: the guard that checks every request, the budget
//! of its memory, the permits and counters of its sockets, its limits, and the observer that is
//! told.

mod budget;
mod connection;
mod counters;
mod denial;
mod guard;
mod inherited;
mod interfaces;
mod limiter;
mod limits;
mod listen_address;
mod load;
mod log_limiter;
mod observer;
mod permit;
mod reporter;
mod statistics;

pub(crate) use self::budget::{Budget, Charge, OverBudget};
pub use self::connection::{Connection, ConnectionEnd, Direction, EndReason};
pub use self::denial::{Denial, Request};
#[cfg(test)]
pub(crate) use self::guard::testing;
pub(crate) use self::guard::{
    AccessGuard, BindTcp, BindUnix, Connect, ConnectionSlot, Granted, ListenSource, ListenTcp,
    PortOwner,
};
pub use self::inherited::{InheritedListener, InheritedListenerError};
pub(crate) use self::inherited::{InheritedListeners, ListeningSocket, TakeError, listens};
pub use self::limiter::Limiter;
pub use self::limits::Limits;
pub use self::listen_address::ListenAddress;
pub(crate) use self::load::{Load, LoadShare};
pub use self::observer::{Observer, TracingObserver};
pub(crate) use self::permit::SocketPermit;
pub(crate) use self::statistics::OpenSend;
pub use self::statistics::{Stats, StatsSnapshot};
