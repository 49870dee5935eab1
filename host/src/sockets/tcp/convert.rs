use std::io;

use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

/// What WASI calls an error of the system. One that it has no name for keeps
/// the system's words.
pub(super) fn code(error: io::Error) -> ErrorCode {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::PermissionDenied => ErrorCode::AccessDenied,
        Kind::Unsupported => ErrorCode::NotSupported,
        Kind::InvalidInput => ErrorCode::InvalidArgument,
        Kind::OutOfMemory => ErrorCode::OutOfMemory,
        Kind::TimedOut => ErrorCode::Timeout,
        Kind::NotConnected => ErrorCode::InvalidState,
        Kind::AddrNotAvailable => ErrorCode::AddressNotBindable,
        Kind::AddrInUse => ErrorCode::AddressInUse,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => {
            ErrorCode::RemoteUnreachable
        }
        Kind::ConnectionRefused => ErrorCode::ConnectionRefused,
        Kind::BrokenPipe => ErrorCode::ConnectionBroken,
        Kind::ConnectionReset => ErrorCode::ConnectionReset,
        Kind::ConnectionAborted => ErrorCode::ConnectionAborted,
        _ => ErrorCode::Other(Some(error.to_string())),
    }
}
