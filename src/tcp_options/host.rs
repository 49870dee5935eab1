//! The options, as `asyncio:host` has them.

#[cfg(feature = "bindings")]
pub(super) use crate::asyncio_host::tcp_options::{reset, set_no_delay};
pub(super) use crate::asyncio_host::tcp_options::{set_reuse_address, set_reuse_port};

pub(super) const AVAILABLE: bool = true;
