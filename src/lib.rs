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
//! Build such a program with `cargo build --target wasm32-unknown-unknown` and run it with
//! the command `asyncio-streams run`, which grants it the addresses that it may use.
//!
//! # What is here
//!
//! - Connecting: [`open_connection`], or [`ConnectOptions`] for the settings that have a
//!   default.
//! - Serving: [`start_server`], [`ServerOptions`], [`Server`].
//! - Streams: [`StreamReader`] and [`StreamWriter`], which also implement the traits of
//!   [`futures::io`]. [`from_stream`] and [`pipe`] connect them with any [`ByteStream`] of
//!   the component model.
//! - Programs: [`run!`], [`args`], [`print!`], [`println!`], [`eprint!`],
//!   [`eprintln!`], [`spawn`], [`sleep`], [`timeout`].
//! - Options of a connection's socket, such as keep-alive: [`SocketOptions`].
//! - Unix sockets: [`open_unix_connection`], [`start_unix_server`].
//! - Sockets that exist already: [`socketpair`], [`listener`], [`ConnectOptions::adopt`],
//!   [`ServerOptions::adopt`].
//! - Standard streams: [`stdin`], [`stdout`], [`stderr`].
//! - Errors: one type per kind of operation, each with data and convertible to
//!   [`std::io::Error`].
//!
//! `docs/asyncio.md`, in the repository and in the package, has a line for each name and
//! parameter of asyncio's page: its name here, and the differences.
//!
//! # Features
//!
//! - `bindings` makes public what names types of wit-bindgen and wasip3: the bindings of
//!   WASI as `wasi`, the module `tcp_options`, and the conversions of [`Socket`],
//!   [`ByteStream`] and [`ErrorCode`]. These crates change often, so a program that enables
//!   the feature may need changes with any release of this crate.
//! - `component` and `full` are not for programs: they build the streams component, which
//!   exports the WIT package `asyncio:streams` to applications in any language. The variant
//!   of `full` also imports `asyncio:host`, the other one nothing but WASI.
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
pub use connect::{ConnectOptions, getaddrinfo, open_connection, open_unix_connection};
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
pub use runtime::executor::{Cancelled, JoinHandle, spawn};
pub use runtime::time::{TimedOut, sleep, timeout};
pub use server::{
    CallbackResult, Server, ServerFailure, ServerOptions, start_server, start_unix_server,
};
pub use socket::options::SocketOptions;
pub use socket::{Socket, listener, listeners, socketpair};
pub use ssl::{SslContext, SslObject, TlsOptions, TlsVersion, VerifyMode};
pub use water_marks::WaterMarks;
pub use writer::{ExtraInfo, StreamWriter, Transport};

/// The bindings of WASI whose types this crate takes and gives: the sockets of
/// [`ConnectOptions::adopt`] and [`ServerOptions::adopt`].
#[cfg(feature = "bindings")]
pub use wasi;

#[doc(hidden)]
pub mod __private {
    pub use crate::program::{eprint, print, run};
    pub use wasi;
    pub use wasi::cli::command::export;
    pub use wasi::exports::cli::run::Guest;
}

/// Compiles the examples of `docs/asyncio.md`.
#[cfg(doctest)]
#[doc = include_str!("../docs/asyncio.md")]
struct AsyncioPage;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::buffer::model::{Step, compare};
}
