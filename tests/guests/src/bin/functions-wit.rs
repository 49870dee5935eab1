//! Checks connecting and serving; composed.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a check that fails ends the program"
)]
use guests::composed as net;
include!("../both_forms/functions.rs");
