//! The WIT package `asyncio:streams` with the names and signatures of the
//! crate `asyncio-streams`, as far as the guests use them: they import the
//! package and never see a socket.

mod connect;
mod convert;
mod reader;
mod server;
mod writer;

#[expect(missing_docs, reason = "generated from the WIT, which has them")]
pub mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "application", generate_all });
}

use bindings::asyncio::streams as wit;

pub use asyncio_streams::{
    Address, Attempt, Called, ConnectError, ErrorCode, ExtraInfo, Family, ListenError,
    LookupErrorCode, LookupFailure, LookupFlags, Outcome, Port, ReadError, ServerError,
    ServerFailure, WriteError,
};
pub use connect::{ConnectOptions, open_connection};
pub use reader::{Limited, StreamReader};
pub use server::{Hosts, Server, ServerOptions, start_server};
pub use writer::{StreamWriter, Transport};

type Pair = (wit::streams::StreamReader, wit::streams::StreamWriter);

fn pair((reader, writer): Pair) -> (StreamReader, StreamWriter) {
    (StreamReader::new(reader), StreamWriter::new(writer))
}
