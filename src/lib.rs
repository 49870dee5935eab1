//! asyncio Streams for WebAssembly components.
//!
//! Python's [asyncio Streams][page] in Rust, for programs that run in a
//! WebAssembly sandbox and talk to the network over WASI 0.3:
//! [`open_connection`], [`start_server`], [`StreamReader`] and
//! [`StreamWriter`].
//!
//! ```no_run
#![doc = include_str!("../examples/tcp-echo-client.rs")]
//! ```
//!
//! A server:
//!
//! ```no_run
#![doc = include_str!("../examples/tcp-echo-server.rs")]
//! ```
//!
//! Build such a program with `cargo build --target wasm32-unknown-unknown` and
//! run it with the command `asyncio-streams run`, which grants it the addresses
//! it may use.
//!
//! # What is here
//!
//! - Connecting: [`open_connection`], or [`ConnectOptions`] for everything that
//!   has a default.
//! - Serving: [`start_server`], [`ServerOptions`], [`Server`].
//! - Streams: [`StreamReader`] and [`StreamWriter`], which also implement the
//!   traits of [`futures::io`]. [`from_stream`] and [`pipe`] make them of
//!   any stream of a component.
//! - Programs: [`run!`], [`args`], [`print!`], [`println!`], [`eprint!`],
//!   [`eprintln!`], [`spawn`], [`sleep`], [`timeout`].
//! - Unix sockets: [`open_unix_connection`], [`start_unix_server`].
//! - Sockets that are there already: [`socketpair`], [`listener`],
//!   [`ConnectOptions::adopt`], [`ServerOptions::adopt`]; and [`tcp_options`], which
//!   WASI's sockets lack.
//! - Standard streams: [`stdin`], [`stdout`], [`stderr`].
//! - Errors: one type per kind of operation, each with data and convertible to
//!   [`std::io::Error`].
//!
//! `docs/asyncio.md`, in the repository and in the package, has a line for each
//! name and parameter of asyncio's page: what it is called here, and what
//! differs.
//!
//! The same library, built with the feature `full` or `component`, is the streams
//! component: it exports the WIT package `asyncio:streams` to applications in
//! any language. The variant made with `full` imports `asyncio:host`, the other
//! one nothing but WASI.
//!
//! [page]: https://docs.python.org/3.7/library/asyncio-stream.html

#![cfg_attr(not(feature = "component"), forbid(unsafe_code))]
#![deny(unsafe_code)]

mod address;
#[cfg(any(not(feature = "component"), feature = "full"))]
mod asyncio_host;
mod buffer;
mod byte_stream;
#[cfg(feature = "component")]
mod component;
#[cfg(test)]
mod conformance;
mod connect;
mod connection;
mod error;
mod hosts;
mod limit;
mod lookup;
mod outcome;
mod port;
mod program;
mod reader;
mod refusal;
mod runtime;
mod server;
mod socket;
#[cfg_attr(
    all(feature = "component", not(feature = "full")),
    expect(
        dead_code,
        reason = "the variant `tcp` has the settings and no sessions"
    )
)]
mod ssl;
#[cfg(feature = "bindings")]
pub mod tcp_options;
#[cfg(not(feature = "bindings"))]
#[expect(unreachable_pub, reason = "public with the feature `bindings`")]
mod tcp_options;
mod transport;
mod water_marks;
mod writer;

pub use address::{Address, Credentials, Family, UnixAddress};
pub use byte_stream::{ByteStream, from_stream, pipe};
pub use connect::{ConnectOptions, open_connection, open_unix_connection};
pub use error::{
    Attempt, ConnectError, ErrorCode, ListenError, LookupErrorCode, LookupFailure, ReadError,
    ServerError, TlsError, WriteError,
};
pub use hosts::{Host, Hosts};
pub use lookup::LookupFlags;
pub use outcome::Outcome;
pub use port::Port;
pub use program::{args, stderr, stdin, stdout};
pub use reader::{Limited, Lines, StreamReader};
pub use runtime::executor::{Cancelled, JoinHandle};
pub use runtime::time::{TimedOut, sleep, timeout};
pub use server::{
    CallbackResult, Server, ServerFailure, ServerOptions, start_server, start_unix_server,
};
pub use socket::{Socket, listener, listeners, socketpair};
pub use ssl::{SslContext, SslObject, TlsOptions, TlsVersion, VerifyMode};
pub use water_marks::WaterMarks;
pub use writer::{ExtraInfo, StreamWriter, Transport};

/// The bindings of WASI whose types this crate takes and gives: the sockets of
/// [`ConnectOptions::adopt`] and [`ServerOptions::adopt`].
#[cfg(feature = "bindings")]
pub use wasi;

/// Runs `future` in the background: asyncio's `create_task`.
///
/// Dropping the handle lets it go on. The end of the program cancels it.
pub fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
    runtime::executor::spawn(future)
}

/// Tells the people who run the program. A component without standard streams
/// has nobody to tell.
fn report(message: &str) {
    #[cfg(not(feature = "component"))]
    program::eprint(format_args!("asyncio-streams: {message}\n"));
    #[cfg(feature = "component")]
    let _ = message;
}

#[doc(hidden)]
pub mod __private {
    pub use crate::program::{eprint, print, run};
    pub use wasi;
    pub use wasi::cli::command::export;
    pub use wasi::exports::cli::run::Guest;
}

/// Compiles the examples of this page.
#[cfg(doctest)]
#[doc = include_str!("../docs/asyncio.md")]
struct AsyncioPage;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::buffer::model::{Step, compare};
}
