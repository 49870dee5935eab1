//! Conversions between the library's types and the WIT's.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use super::wit::types as wit;
use crate::address::{Address, Credentials, Family, UnixAddress};
use crate::error::{
    Attempt, ConnectError, ErrorCode, ListenError, LookupErrorCode, LookupFailure, ReadError,
    ServerError, TlsError, WriteError,
};
use crate::lookup::LookupFlags;
use crate::port::Port;
use crate::writer::ExtraInfo;

pub(super) fn duration(nanoseconds: u64) -> Duration {
    Duration::from_nanos(nanoseconds)
}

impl From<wit::IpAddressFamily> for Family {
    fn from(family: wit::IpAddressFamily) -> Family {
        match family {
            wit::IpAddressFamily::Ipv4 => Family::Ipv4,
            wit::IpAddressFamily::Ipv6 => Family::Ipv6,
        }
    }
}

impl From<wit::LookupFlags> for LookupFlags {
    fn from(flags: wit::LookupFlags) -> LookupFlags {
        LookupFlags {
            numeric_host: flags.contains(wit::LookupFlags::NUMERIC_HOST),
            numeric_service: flags.contains(wit::LookupFlags::NUMERIC_SERVICE),
            addrconfig: flags.contains(wit::LookupFlags::ADDRCONFIG),
            passive: flags.contains(wit::LookupFlags::PASSIVE),
        }
    }
}

impl From<wit::Port> for Port {
    fn from(port: wit::Port) -> Port {
        match port {
            wit::Port::Number(number) => Port::Number(number),
            wit::Port::Service(name) => Port::Service(name),
        }
    }
}

impl From<SocketAddr> for wit::SocketAddress {
    fn from(address: SocketAddr) -> wit::SocketAddress {
        match address {
            SocketAddr::V4(v4) => ipv4(v4),
            SocketAddr::V6(v6) => ipv6(v6),
        }
    }
}

fn ipv4(address: SocketAddrV4) -> wit::SocketAddress {
    let [a, b, c, d] = Ipv4Addr::octets(address.ip());
    wit::SocketAddress::Ipv4(wit::Ipv4SocketAddress {
        port: address.port(),
        address: (a, b, c, d),
    })
}

fn ipv6(address: SocketAddrV6) -> wit::SocketAddress {
    let [a, b, c, d, e, f, g, h] = Ipv6Addr::segments(address.ip());
    wit::SocketAddress::Ipv6(wit::Ipv6SocketAddress {
        port: address.port(),
        flow_info: address.flowinfo(),
        address: (a, b, c, d, e, f, g, h),
        scope_id: address.scope_id(),
    })
}

impl From<Address> for wit::SocketAddress {
    fn from(address: Address) -> wit::SocketAddress {
        match address {
            Address::Ip(address) => address.into(),
            Address::Unix(UnixAddress::Unnamed) => {
                wit::SocketAddress::Unix(wit::UnixAddress::Unnamed)
            }
            Address::Unix(UnixAddress::Path(path)) => {
                wit::SocketAddress::Unix(wit::UnixAddress::Path(path))
            }
            Address::Unix(UnixAddress::Abstract(name)) => {
                wit::SocketAddress::Unix(wit::UnixAddress::Abstract(name))
            }
        }
    }
}

impl From<wit::UnixAddress> for UnixAddress {
    fn from(address: wit::UnixAddress) -> UnixAddress {
        match address {
            wit::UnixAddress::Unnamed => UnixAddress::Unnamed,
            wit::UnixAddress::Path(path) => UnixAddress::Path(path),
            wit::UnixAddress::Abstract(name) => UnixAddress::Abstract(name),
            wit::UnixAddress::Text(text) => UnixAddress::from(text),
        }
    }
}

impl From<ErrorCode> for wit::ErrorCode {
    fn from(code: ErrorCode) -> wit::ErrorCode {
        match code {
            ErrorCode::AccessDenied => wit::ErrorCode::AccessDenied,
            ErrorCode::NotSupported => wit::ErrorCode::NotSupported,
            ErrorCode::InvalidArgument => wit::ErrorCode::InvalidArgument,
            ErrorCode::OutOfMemory => wit::ErrorCode::OutOfMemory,
            ErrorCode::Timeout => wit::ErrorCode::Timeout,
            ErrorCode::InvalidState => wit::ErrorCode::InvalidState,
            ErrorCode::AddressNotBindable => wit::ErrorCode::AddressNotBindable,
            ErrorCode::AddressInUse => wit::ErrorCode::AddressInUse,
            ErrorCode::RemoteUnreachable => wit::ErrorCode::RemoteUnreachable,
            ErrorCode::ConnectionRefused => wit::ErrorCode::ConnectionRefused,
            ErrorCode::ConnectionBroken => wit::ErrorCode::ConnectionBroken,
            ErrorCode::ConnectionReset => wit::ErrorCode::ConnectionReset,
            ErrorCode::ConnectionAborted => wit::ErrorCode::ConnectionAborted,
            ErrorCode::NotFound => wit::ErrorCode::NotFound,
            ErrorCode::NotASocket => wit::ErrorCode::NotASocket,
            ErrorCode::Tls(error) => wit::ErrorCode::Tls(error.into()),
            ErrorCode::Other(words) => wit::ErrorCode::Other(words),
        }
    }
}

impl From<TlsError> for wit::TlsError {
    fn from(error: TlsError) -> wit::TlsError {
        match error {
            TlsError::AccessDenied => wit::TlsError::AccessDenied,
            TlsError::NotTls => wit::TlsError::NotTls,
            TlsError::WrongName(name) => wit::TlsError::WrongName(name),
            TlsError::Expired => wit::TlsError::Expired,
            TlsError::NotYetValid => wit::TlsError::NotYetValid,
            TlsError::UnknownAuthority => wit::TlsError::UnknownAuthority,
            TlsError::Revoked => wit::TlsError::Revoked,
            TlsError::BadCertificate(why) => wit::TlsError::BadCertificate(why),
            TlsError::NoCertificate => wit::TlsError::NoCertificate,
            TlsError::HandshakeTimeout => wit::TlsError::HandshakeTimeout,
            TlsError::ShutdownTimeout => wit::TlsError::ShutdownTimeout,
            TlsError::UnexpectedEof => wit::TlsError::UnexpectedEof,
            TlsError::UnexpectedData => wit::TlsError::UnexpectedData,
            TlsError::Alert(number) => wit::TlsError::Alert(number),
            TlsError::Other(words) => wit::TlsError::Other(words),
        }
    }
}

impl From<LookupFailure> for wit::LookupFailure {
    fn from(failure: LookupFailure) -> wit::LookupFailure {
        let code = match failure.code {
            LookupErrorCode::AccessDenied => wit::LookupErrorCode::AccessDenied,
            LookupErrorCode::InvalidArgument => wit::LookupErrorCode::InvalidArgument,
            LookupErrorCode::WrongFamily => wit::LookupErrorCode::WrongFamily,
            LookupErrorCode::NameUnresolvable => wit::LookupErrorCode::NameUnresolvable,
            LookupErrorCode::UnknownService => wit::LookupErrorCode::UnknownService,
            LookupErrorCode::TemporaryResolverFailure => {
                wit::LookupErrorCode::TemporaryResolverFailure
            }
            LookupErrorCode::PermanentResolverFailure => {
                wit::LookupErrorCode::PermanentResolverFailure
            }
            LookupErrorCode::Other(words) => wit::LookupErrorCode::Other(words),
        };
        wit::LookupFailure {
            name: failure.name,
            code,
        }
    }
}

impl From<Attempt> for wit::Attempt {
    fn from(attempt: Attempt) -> wit::Attempt {
        wit::Attempt {
            address: attempt.address.into(),
            local_address: attempt.local_address.map(Into::into),
            code: attempt.code.into(),
        }
    }
}

impl From<ConnectError> for wit::ConnectError {
    fn from(error: ConnectError) -> wit::ConnectError {
        match error {
            ConnectError::InvalidArgument(why) => wit::ConnectError::InvalidArgument(why),
            ConnectError::NotSupported(why) => wit::ConnectError::NotSupported(why),
            ConnectError::Lookup(failure) => wit::ConnectError::Lookup(failure.into()),
            ConnectError::Failed(attempts) => {
                wit::ConnectError::Failed(attempts.into_iter().map(Into::into).collect())
            }
            ConnectError::Timeout => wit::ConnectError::Timeout,
            ConnectError::Tls(error) => wit::ConnectError::Tls(error.into()),
        }
    }
}

impl From<ListenError> for wit::ListenError {
    fn from(error: ListenError) -> wit::ListenError {
        match error {
            ListenError::InvalidArgument(why) => wit::ListenError::InvalidArgument(why),
            ListenError::NotSupported(why) => wit::ListenError::NotSupported(why),
            ListenError::Lookup(failure) => wit::ListenError::Lookup(failure.into()),
            ListenError::Failed(attempt) => wit::ListenError::Failed(attempt.into()),
            ListenError::Tls(error) => wit::ListenError::Tls(error.into()),
            ListenError::Closed => wit::ListenError::Closed,
        }
    }
}

impl From<ServerError> for wit::ServerError {
    fn from(error: ServerError) -> wit::ServerError {
        match error {
            ServerError::Closed => wit::ServerError::Closed,
            ServerError::Busy => wit::ServerError::Busy,
            ServerError::Listen(error) => wit::ServerError::Listen(error.into()),
        }
    }
}

impl From<ReadError> for wit::ReadError {
    fn from(error: ReadError) -> wit::ReadError {
        match error {
            ReadError::Busy => wit::ReadError::Busy,
            ReadError::InvalidArgument(why) => wit::ReadError::InvalidArgument(why),
            ReadError::LimitOverrun { consumed, found } => {
                wit::ReadError::LimitOverrun(wit::LimitOverrun {
                    consumed: consumed as u64,
                    found,
                })
            }
            ReadError::Incomplete { partial, expected } => {
                wit::ReadError::Incomplete(wit::IncompleteRead {
                    partial: partial.into(),
                    expected: expected.map(|expected| expected as u64),
                })
            }
            ReadError::Truncated { partial, code } => {
                wit::ReadError::Truncated(wit::TruncatedRead {
                    partial: partial.into(),
                    code: code.into(),
                })
            }
            ReadError::Connection(code) => wit::ReadError::Connection(code.into()),
        }
    }
}

impl From<WriteError> for wit::WriteError {
    fn from(error: WriteError) -> wit::WriteError {
        match error {
            WriteError::Closed => wit::WriteError::Closed,
            WriteError::EofWritten => wit::WriteError::EofWritten,
            WriteError::InvalidArgument(why) => wit::WriteError::InvalidArgument(why),
            WriteError::BufferFull { waiting } => wit::WriteError::BufferFull(waiting as u64),
            WriteError::Aborted => wit::WriteError::Aborted,
            WriteError::Connection(code) => wit::WriteError::Connection(code.into()),
        }
    }
}

impl From<ExtraInfo> for wit::ExtraInfo {
    fn from(info: ExtraInfo) -> wit::ExtraInfo {
        match info {
            ExtraInfo::Address(address) => wit::ExtraInfo::Address(address.into()),
            ExtraInfo::Text(text) => wit::ExtraInfo::Text(text),
            ExtraInfo::Bytes(bytes) => wit::ExtraInfo::Bytes(bytes),
            ExtraInfo::Number(number) => wit::ExtraInfo::Number(number),
            ExtraInfo::Credentials(Credentials { pid, uid, gid }) => {
                wit::ExtraInfo::Credentials(wit::Credentials { pid, uid, gid })
            }
        }
    }
}
