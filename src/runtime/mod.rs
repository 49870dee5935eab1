//! What the library runs on: one long-lived task that owns every connection,
//! wake-up lists, a cooperative budget, and time.

pub(crate) mod budget;
pub(crate) mod event_batching;
pub(crate) mod executor;
pub(crate) mod time;
pub(crate) mod waiters;
