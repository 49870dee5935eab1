//! The streams component, variant `full`: it also imports `asyncio:host`.
//!
//! The exports are the library's, built with the feature `full`. Naming the
//! library here links it.

use asyncio_streams as _;
