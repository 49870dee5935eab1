//! As `asyncio:host` has it.

pub(super) use crate::asyncio_host::tcp_options::{
    reset, set_no_delay, set_reuse_address, set_reuse_port,
};

pub(super) const AVAILABLE: bool = true;
