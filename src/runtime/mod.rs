//! The runtime: the driver task that runs every connection, lists of waiting tasks, the
//! cooperative budget, and time.

pub(crate) mod budget;
pub(crate) mod event_batching;
pub(crate) mod executor;
pub(crate) mod time;
pub(crate) mod waiters;
