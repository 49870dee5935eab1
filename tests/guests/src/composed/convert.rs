//! From the WIT's types to the crate's, so that both forms report alike.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use asyncio_streams::{Family, LookupFlags, TlsError};

use super::reader::size;
use super::wit::types as wit;
use super::{
    Address, Attempt, ConnectError, ErrorCode, ListenError, LookupErrorCode, LookupFailure, Port,
    ReadError, ServerError, UnixAddress, WriteError,
};

impl From<Port> for wit::Port {
    fn from(port: Port) -> wit::Port {
        match port {
            Port::Number(number) => wit::Port::Number(number),
            Port::Service(name) => wit::Port::Service(name),
        }
    }
}

impl From<Family> for wit::IpAddressFamily {
    fn from(family: Family) -> wit::IpAddressFamily {
        match family {
            Family::Ipv4 => wit::IpAddressFamily::Ipv4,
            Family::Ipv6 => wit::IpAddressFamily::Ipv6,
        }
    }
}

impl From<LookupFlags> for wit::LookupFlags {
    fn from(flags: LookupFlags) -> wit::LookupFlags {
        let mut set = wit::LookupFlags::empty();
        set.set(wit::LookupFlags::NUMERIC_HOST, flags.numeric_host);
        set.set(wit::LookupFlags::NUMERIC_SERVICE, flags.numeric_service);
        set.set(wit::LookupFlags::ADDRCONFIG, flags.addrconfig);
        set.set(wit::LookupFlags::PASSIVE, flags.passive);
        set
    }
}

impl From<wit::SocketAddress> for Address {
    fn from(address: wit::SocketAddress) -> Address {
        let ip: SocketAddr = match address {
            wit::SocketAddress::Ipv4(v4) => {
                let (a, b, c, d) = v4.address;
                SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), v4.port).into()
            }
            wit::SocketAddress::Ipv6(v6) => {
                let (a, b, c, d, e, f, g, h) = v6.address;
                let ip = Ipv6Addr::new(a, b, c, d, e, f, g, h);
                SocketAddrV6::new(ip, v6.port, v6.flow_info, v6.scope_id).into()
            }
            wit::SocketAddress::Unix(address) => {
                return Address::Unix(match address {
                    wit::UnixAddress::Unnamed => UnixAddress::Unnamed,
                    wit::UnixAddress::Path(path) => UnixAddress::Path(path),
                    wit::UnixAddress::Abstract(name) => UnixAddress::Abstract(name),
                    wit::UnixAddress::Text(text) => UnixAddress::from(text),
                });
            }
        };
        ip.into()
    }
}

impl From<UnixAddress> for wit::UnixAddress {
    fn from(address: UnixAddress) -> wit::UnixAddress {
        match address {
            UnixAddress::Unnamed => wit::UnixAddress::Unnamed,
            UnixAddress::Path(path) => wit::UnixAddress::Path(path),
            UnixAddress::Abstract(name) => wit::UnixAddress::Abstract(name),
        }
    }
}

impl From<wit::ErrorCode> for ErrorCode {
    fn from(code: wit::ErrorCode) -> ErrorCode {
        match code {
            wit::ErrorCode::AccessDenied => ErrorCode::AccessDenied,
            wit::ErrorCode::NotSupported => ErrorCode::NotSupported,
            wit::ErrorCode::InvalidArgument => ErrorCode::InvalidArgument,
            wit::ErrorCode::OutOfMemory => ErrorCode::OutOfMemory,
            wit::ErrorCode::Timeout => ErrorCode::Timeout,
            wit::ErrorCode::InvalidState => ErrorCode::InvalidState,
            wit::ErrorCode::AddressNotBindable => ErrorCode::AddressNotBindable,
            wit::ErrorCode::AddressInUse => ErrorCode::AddressInUse,
            wit::ErrorCode::RemoteUnreachable => ErrorCode::RemoteUnreachable,
            wit::ErrorCode::ConnectionRefused => ErrorCode::ConnectionRefused,
            wit::ErrorCode::ConnectionBroken => ErrorCode::ConnectionBroken,
            wit::ErrorCode::ConnectionReset => ErrorCode::ConnectionReset,
            wit::ErrorCode::ConnectionAborted => ErrorCode::ConnectionAborted,
            wit::ErrorCode::NotFound => ErrorCode::NotFound,
            wit::ErrorCode::NotASocket => ErrorCode::NotASocket,
            wit::ErrorCode::Tls(error) => ErrorCode::Tls(error.into()),
            wit::ErrorCode::Other(words) => ErrorCode::Other(words),
        }
    }
}

impl From<wit::TlsError> for TlsError {
    fn from(error: wit::TlsError) -> TlsError {
        match error {
            wit::TlsError::AccessDenied => TlsError::AccessDenied,
            wit::TlsError::NotTls => TlsError::NotTls,
            wit::TlsError::WrongName(names) => TlsError::WrongName(names),
            wit::TlsError::Expired => TlsError::Expired,
            wit::TlsError::NotYetValid => TlsError::NotYetValid,
            wit::TlsError::UnknownAuthority => TlsError::UnknownAuthority,
            wit::TlsError::Revoked => TlsError::Revoked,
            wit::TlsError::BadCertificate(why) => TlsError::BadCertificate(why),
            wit::TlsError::NoCertificate => TlsError::NoCertificate,
            wit::TlsError::HandshakeTimeout => TlsError::HandshakeTimeout,
            wit::TlsError::ShutdownTimeout => TlsError::ShutdownTimeout,
            wit::TlsError::UnexpectedEof => TlsError::UnexpectedEof,
            wit::TlsError::UnexpectedData => TlsError::UnexpectedData,
            wit::TlsError::Alert(number) => TlsError::Alert(number),
            wit::TlsError::Other(words) => TlsError::Other(words),
        }
    }
}

impl From<wit::LookupFailure> for LookupFailure {
    fn from(failure: wit::LookupFailure) -> LookupFailure {
        let code = match failure.code {
            wit::LookupErrorCode::AccessDenied => LookupErrorCode::AccessDenied,
            wit::LookupErrorCode::InvalidArgument => LookupErrorCode::InvalidArgument,
            wit::LookupErrorCode::WrongFamily => LookupErrorCode::WrongFamily,
            wit::LookupErrorCode::NameUnresolvable => LookupErrorCode::NameUnresolvable,
            wit::LookupErrorCode::UnknownService => LookupErrorCode::UnknownService,
            wit::LookupErrorCode::TemporaryResolverFailure => {
                LookupErrorCode::TemporaryResolverFailure
            }
            wit::LookupErrorCode::PermanentResolverFailure => {
                LookupErrorCode::PermanentResolverFailure
            }
            wit::LookupErrorCode::Other(words) => LookupErrorCode::Other(words),
        };
        LookupFailure {
            name: failure.name,
            code,
        }
    }
}

impl From<wit::Attempt> for Attempt {
    fn from(attempt: wit::Attempt) -> Attempt {
        Attempt {
            address: attempt.address.into(),
            local_address: attempt.local_address.map(Into::into),
            code: attempt.code.into(),
        }
    }
}

impl From<wit::ConnectError> for ConnectError {
    fn from(error: wit::ConnectError) -> ConnectError {
        match error {
            wit::ConnectError::InvalidArgument(why) => ConnectError::InvalidArgument(why),
            wit::ConnectError::NotSupported(why) => ConnectError::NotSupported(why),
            wit::ConnectError::Lookup(failure) => ConnectError::Lookup(failure.into()),
            wit::ConnectError::Failed(attempts) => {
                ConnectError::Failed(attempts.into_iter().map(Into::into).collect())
            }
            wit::ConnectError::Timeout => ConnectError::Timeout,
            wit::ConnectError::Tls(error) => ConnectError::Tls(error.into()),
        }
    }
}

impl From<wit::ListenError> for ListenError {
    fn from(error: wit::ListenError) -> ListenError {
        match error {
            wit::ListenError::InvalidArgument(why) => ListenError::InvalidArgument(why),
            wit::ListenError::NotSupported(why) => ListenError::NotSupported(why),
            wit::ListenError::Lookup(failure) => ListenError::Lookup(failure.into()),
            wit::ListenError::Failed(attempt) => ListenError::Failed(attempt.into()),
            wit::ListenError::Tls(error) => ListenError::Tls(error.into()),
            wit::ListenError::Closed => ListenError::Closed,
        }
    }
}

impl From<wit::ServerError> for ServerError {
    fn from(error: wit::ServerError) -> ServerError {
        match error {
            wit::ServerError::Closed => ServerError::Closed,
            wit::ServerError::Busy => ServerError::Busy,
            wit::ServerError::Listen(error) => ServerError::Listen(error.into()),
        }
    }
}

impl From<wit::ReadError> for ReadError {
    fn from(error: wit::ReadError) -> ReadError {
        match error {
            wit::ReadError::Busy => ReadError::Busy,
            wit::ReadError::InvalidArgument(why) => ReadError::InvalidArgument(why),
            wit::ReadError::LimitOverrun(overrun) => ReadError::LimitOverrun {
                consumed: size(overrun.consumed),
                found: overrun.found,
            },
            wit::ReadError::Incomplete(incomplete) => ReadError::Incomplete {
                partial: incomplete.partial.into(),
                expected: incomplete.expected.map(size),
            },
            wit::ReadError::Truncated(read) => ReadError::Truncated {
                partial: read.partial.into(),
                code: read.code.into(),
            },
            wit::ReadError::Connection(code) => ReadError::Connection(code.into()),
        }
    }
}

impl From<wit::WriteError> for WriteError {
    fn from(error: wit::WriteError) -> WriteError {
        match error {
            wit::WriteError::Closed => WriteError::Closed,
            wit::WriteError::EofWritten => WriteError::EofWritten,
            wit::WriteError::InvalidArgument(why) => WriteError::InvalidArgument(why),
            wit::WriteError::BufferFull(waiting) => WriteError::BufferFull {
                waiting: size(waiting),
            },
            wit::WriteError::Aborted => WriteError::Aborted,
            wit::WriteError::Connection(code) => WriteError::Connection(code.into()),
        }
    }
}
