//! Fuzzing: the work of the targets in `fuzz_targets/`.
//!
//! `cargo xtask fuzz` runs them. In other builds this crate is empty.

#[cfg(fuzzing)]
pub mod buffer;
#[cfg(fuzzing)]
pub mod component;
#[cfg(fuzzing)]
pub mod host;
#[cfg(fuzzing)]
pub mod policy;
#[cfg(fuzzing)]
pub mod seeds;
