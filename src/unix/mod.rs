//! Unix sockets, which WASI does not have: they are `asyncio:host`'s, and so are the
//! listeners that it hands over. A build without it (the streams component's variant
//! `tcp`) refuses.

#[cfg_attr(any(not(feature = "component"), feature = "full"), path = "host.rs")]
#[cfg_attr(all(feature = "component", not(feature = "full")), path = "absent.rs")]
mod host;

mod client;
mod server;

pub use self::client::open_unix_connection;
pub(crate) use self::host::{listener, listeners, pair};
pub use self::server::start_unix_server;
use crate::address::UnixAddress;
use crate::error::{Attempt, ConnectError, ErrorCode, ListenError};

/// Why there is no socket at an address.
#[derive(Debug)]
enum NoSocket {
    /// The address can be none: why.
    Invalid(String),
    /// What the host says.
    Code(ErrorCode),
}

const NOT_SUPPORTED: &str = "Unix sockets: they need a host that has them, and the variant \
                             `full` of the streams component";

impl NoSocket {
    fn connecting(self, address: UnixAddress) -> ConnectError {
        match self {
            NoSocket::Code(ErrorCode::NotSupported) => {
                ConnectError::NotSupported(NOT_SUPPORTED.into())
            }
            NoSocket::Invalid(why) => ConnectError::InvalidArgument(why),
            NoSocket::Code(code) => ConnectError::Failed(vec![attempt(address, code)]),
        }
    }

    fn listening(self, address: UnixAddress) -> ListenError {
        match self {
            NoSocket::Code(ErrorCode::NotSupported) => {
                ListenError::NotSupported(NOT_SUPPORTED.into())
            }
            NoSocket::Invalid(why) => ListenError::InvalidArgument(why),
            NoSocket::Code(code) => ListenError::Failed(attempt(address, code)),
        }
    }
}

fn attempt(address: UnixAddress, code: ErrorCode) -> Attempt {
    Attempt {
        address: address.into(),
        local_address: None,
        code,
    }
}

/// Refuses what cannot be an address of anybody's.
fn check(address: &UnixAddress) -> Result<(), NoSocket> {
    let why = match address {
        UnixAddress::Path(path) if path.is_empty() => "the path is empty",
        UnixAddress::Abstract(name) if name.is_empty() => "the abstract name is empty",
        UnixAddress::Unnamed => "a Unix socket needs a path or an abstract name",
        _ => return Ok(()),
    };
    Err(NoSocket::Invalid(why.into()))
}
