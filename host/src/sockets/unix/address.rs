use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketAddrUnix};

use super::UnixSocketError;
use crate::policy::{InvalidUnixName, UnixName};

/// Where a socket is, as the system says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UnixAddress {
    Unnamed,
    Path(Vec<u8>),
    Abstract(Vec<u8>),
}

impl UnixAddress {
    /// The name, if one can be had there.
    pub(crate) fn name(&self) -> Result<UnixName, InvalidUnixName> {
        match self {
            Self::Unnamed => Err(InvalidUnixName::Empty),
            Self::Path(path) => UnixName::path(path),
            Self::Abstract(name) => UnixName::abstract_name(name),
        }
    }
}

impl TryFrom<SocketAddrAny> for UnixAddress {
    type Error = Errno;

    fn try_from(address: SocketAddrAny) -> Result<Self, Errno> {
        let address = SocketAddrUnix::try_from(address)?;
        if let Some(path) = address.path_bytes() {
            return Ok(Self::Path(path.to_vec()));
        }
        // An empty one is what rustix makes of none.
        #[cfg(target_os = "linux")]
        if let Some(name) = address.abstract_name().filter(|name| !name.is_empty()) {
            return Ok(Self::Abstract(name.to_vec()));
        }
        Ok(Self::Unnamed)
    }
}

/// An abstract name, as the system takes it.
#[cfg(target_os = "linux")]
pub(super) fn abstract_address(name: &[u8]) -> Result<SocketAddrUnix, UnixSocketError> {
    Ok(SocketAddrUnix::new_abstract_name(name)?)
}

/// Only Linux has them.
#[cfg(not(target_os = "linux"))]
pub(super) fn abstract_address(_: &[u8]) -> Result<SocketAddrUnix, UnixSocketError> {
    Err(Errno::OPNOTSUPP.into())
}
