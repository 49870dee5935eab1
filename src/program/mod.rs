//! What a program needs where the standard library has nothing: on
//! `wasm32-unknown-unknown` std's `println!`, arguments and panic messages do
//! nothing.

mod entry;
mod panic;
mod stdio;

#[cfg(not(feature = "component"))]
pub(crate) use entry::let_connections_linger;
#[doc(hidden)]
pub use entry::run;
#[doc(hidden)]
pub use stdio::{eprint, print};
pub use stdio::{stderr, stdin, stdout};

/// The program's arguments, its own name first.
pub fn args() -> impl Iterator<Item = String> {
    wasi::cli::environment::get_arguments().into_iter()
}
