//! The options, as `asyncio:host` has them.

#[cfg(feature = "bindings")]
pub(super) use crate::asyncio_host::tcp_options::reset;
pub(super) use crate::asyncio_host::tcp_options::{
    get_no_delay, set_no_delay, set_reuse_address, set_reuse_port,
};

pub(super) const AVAILABLE: bool = true;
