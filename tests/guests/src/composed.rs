//! The WIT package `asyncio:streams` with the names and signatures of the
//! crate `asyncio-streams`, as far as the guests use them: they import the
//! package and never see a socket.

mod connect;
mod convert;
mod reader;
mod server;
mod socket_options;
mod sockets;
mod ssl;
mod writer;

#[expect(missing_docs, reason = "generated from the WIT, which has them")]
pub mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "application", generate_all });
}

use std::time::Duration;

use bindings::asyncio::streams as wit;

pub use asyncio_streams::{
    Address, Attempt, CallbackResult, ConnectError, Credentials, ErrorCode, ExtraInfo, Family,
    ListenError, LookupErrorCode, LookupFailure, LookupFlags, Outcome, Port, ReadError,
    ServerError, ServerFailure, TlsError, TlsVersion, UnixAddress, VerifyMode, WaterMarks,
    WriteError,
};
pub use connect::{ConnectOptions, getaddrinfo, open_connection, open_unix_connection};
pub use reader::{Limited, StreamReader};
pub use server::{Hosts, Server, ServerOptions, start_server, start_unix_server};
pub use socket_options::SocketOptions;
pub use sockets::{Socket, listener, listeners, socketpair};
pub use ssl::{SslContext, TlsOptions};
pub use writer::{StreamWriter, Transport};

type Pair = (wit::streams::StreamReader, wit::streams::StreamWriter);

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn pair((reader, writer): Pair) -> (StreamReader, StreamWriter) {
    (StreamReader::new(reader), StreamWriter::new(writer))
}
