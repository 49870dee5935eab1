//! Programs: start and end, standard streams, arguments and panic messages.
//!
//! On `wasm32-unknown-unknown` std's own `println!`, `args` and panic hook do nothing.

mod entry;
mod output;
mod panic;
mod stdio;

#[cfg(not(feature = "component"))]
pub(crate) use entry::let_connections_linger;
#[doc(hidden)]
pub use entry::run;
#[doc(hidden)]
pub use stdio::{eprint, print};
pub use stdio::{stderr, stdin, stdout};

/// Writes a report to the operator on standard error. A streams component, which has no
/// standard streams, drops it: applications ask for failures (`server.next-failure`).
pub(crate) fn report(message: &str) {
    #[cfg(not(feature = "component"))]
    stdio::report(format_args!("asyncio-streams: {message}\n"));
    #[cfg(feature = "component")]
    let _ = message;
}

/// Returns the program's arguments, its own name first.
pub fn args() -> impl Iterator<Item = String> {
    wasi::cli::environment::get_arguments().into_iter()
}
