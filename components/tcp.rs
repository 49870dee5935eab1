//! The streams component, variant `tcp`: it imports nothing but WASI.
//!
//! The exports are the library's, built with the feature `component`. Naming the
//! library here links it.

use asyncio_streams as _;
