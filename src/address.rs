//! Addresses of connections and listeners, and their conversions from and to WASI's.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::path::{Path, PathBuf};

use wasi::sockets::types as wasi_types;

/// The address of one end of a connection, or of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// TCP over IPv4 or IPv6.
    Ip(SocketAddr),
    /// A Unix socket.
    Unix(UnixAddress),
}

/// The address of a Unix socket.
///
/// Text and bytes convert to a path, or to an abstract name if they begin with a zero byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UnixAddress {
    /// A socket without a name: a client's end, or an end of a pair.
    Unnamed,
    /// A path of the file system, in bytes: a path need not be Unicode.
    Path(Vec<u8>),
    /// A name of Linux' abstract namespace, without its leading zero byte.
    Abstract(Vec<u8>),
}

/// The process at the other end of a Unix socket, when the connection was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// The process's number, if the kernel tells it.
    pub pid: Option<u32>,
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// The addresses of both ends and the peer's process, when the connection was made.
#[derive(Debug, Default, Clone)]
pub(crate) struct Names {
    pub(crate) peer: Option<Address>,
    pub(crate) local: Option<Address>,
    /// The peer's process, over Unix sockets.
    pub(crate) process: Option<Credentials>,
}

/// The family of an IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Version 4.
    Ipv4,
    /// Version 6.
    Ipv6,
}

impl Address {
    /// Returns the IP address and port; `None` for a Unix socket.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Address::Ip(address) => Some(*address),
            Address::Unix(_) => None,
        }
    }

    /// Returns the port; `None` for a Unix socket.
    pub fn port(&self) -> Option<u16> {
        self.ip().map(|address| address.port())
    }
}

/// Formats the address as people write it: `127.0.0.1:8888`, `[::1]:8888`, `unix:/run/app.sock`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => write!(f, "{address}"),
            Address::Unix(UnixAddress::Unnamed) => f.write_str("unix:"),
            Address::Unix(UnixAddress::Path(path)) => {
                write!(f, "unix:{}", String::from_utf8_lossy(path))
            }
            Address::Unix(UnixAddress::Abstract(name)) => {
                write!(f, "unix:@{}", String::from_utf8_lossy(name))
            }
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Ip(address)
    }
}

impl From<&[u8]> for UnixAddress {
    fn from(path: &[u8]) -> UnixAddress {
        match path.split_first() {
            Some((0, name)) => UnixAddress::Abstract(name.to_vec()),
            _ => UnixAddress::Path(path.to_vec()),
        }
    }
}

impl From<Vec<u8>> for UnixAddress {
    fn from(path: Vec<u8>) -> UnixAddress {
        UnixAddress::from(path.as_slice())
    }
}

impl From<&str> for UnixAddress {
    fn from(path: &str) -> UnixAddress {
        UnixAddress::from(path.as_bytes())
    }
}

impl From<String> for UnixAddress {
    fn from(path: String) -> UnixAddress {
        UnixAddress::from(path.as_bytes())
    }
}

impl From<&String> for UnixAddress {
    fn from(path: &String) -> UnixAddress {
        UnixAddress::from(path.as_bytes())
    }
}

impl From<&Path> for UnixAddress {
    fn from(path: &Path) -> UnixAddress {
        UnixAddress::from(path.as_os_str().as_encoded_bytes())
    }
}

impl From<PathBuf> for UnixAddress {
    fn from(path: PathBuf) -> UnixAddress {
        UnixAddress::from(path.as_path())
    }
}

impl From<UnixAddress> for Address {
    fn from(address: UnixAddress) -> Address {
        Address::Unix(address)
    }
}

impl Family {
    pub(crate) fn of(address: &SocketAddr) -> Family {
        match address {
            SocketAddr::V4(_) => Family::Ipv4,
            SocketAddr::V6(_) => Family::Ipv6,
        }
    }
}

impl Family {
    pub(crate) fn to_wasi(self) -> wasi_types::IpAddressFamily {
        match self {
            Family::Ipv4 => wasi_types::IpAddressFamily::Ipv4,
            Family::Ipv6 => wasi_types::IpAddressFamily::Ipv6,
        }
    }
}

pub(crate) fn ip_from_wasi(address: wasi_types::IpAddress) -> IpAddr {
    match address {
        wasi_types::IpAddress::Ipv4((a, b, c, d)) => Ipv4Addr::new(a, b, c, d).into(),
        wasi_types::IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => {
            Ipv6Addr::new(a, b, c, d, e, f, g, h).into()
        }
    }
}

pub(crate) fn from_wasi(address: wasi_types::IpSocketAddress) -> SocketAddr {
    match address {
        wasi_types::IpSocketAddress::Ipv4(v4) => {
            let (a, b, c, d) = v4.address;
            SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), v4.port).into()
        }
        wasi_types::IpSocketAddress::Ipv6(v6) => {
            let (a, b, c, d, e, f, g, h) = v6.address;
            let address = Ipv6Addr::new(a, b, c, d, e, f, g, h);
            SocketAddrV6::new(address, v6.port, v6.flow_info, v6.scope_id).into()
        }
    }
}

pub(crate) fn to_wasi(address: SocketAddr) -> wasi_types::IpSocketAddress {
    match address {
        SocketAddr::V4(v4) => {
            let [a, b, c, d] = v4.ip().octets();
            wasi_types::IpSocketAddress::Ipv4(wasi_types::Ipv4SocketAddress {
                port: v4.port(),
                address: (a, b, c, d),
            })
        }
        SocketAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.ip().segments();
            wasi_types::IpSocketAddress::Ipv6(wasi_types::Ipv6SocketAddress {
                port: v6.port(),
                flow_info: v6.flowinfo(),
                address: (a, b, c, d, e, f, g, h),
                scope_id: v6.scope_id(),
            })
        }
    }
}
