use std::fmt;
use std::net::SocketAddr;

use crate::policy::UnixName;

/// The address that a guest listens on.
///
/// Shown as `127.0.0.1:8888`, `unix:/run/app.sock` or `unix:@app`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ListenAddress {
    /// A TCP address.
    Tcp(SocketAddr),
    /// The name of a Unix socket.
    Unix(UnixName),
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl From<UnixName> for ListenAddress {
    fn from(name: UnixName) -> Self {
        Self::Unix(name)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(name) => {
                f.write_str("unix:")?;
                name.fmt_short(f)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_so_that_a_program_can_take_it_from_a_line() {
        let address: SocketAddr = "[::1]:80".parse().unwrap();
        assert_eq!(ListenAddress::from(address).to_string(), "[::1]:80");
        let path = UnixName::path(b"/run/my app\n").unwrap();
        let shown = ListenAddress::from(path).to_string();
        assert_eq!(shown, "unix:/run/my%20app%0A");
        let name = UnixName::abstract_name(b"app").unwrap();
        assert_eq!(ListenAddress::from(name).to_string(), "unix:@app");
    }
}
