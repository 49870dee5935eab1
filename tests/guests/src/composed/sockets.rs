use super::wit::sockets as wit;
use super::{Address, ErrorCode};

/// A socket; its methods are those of the crate's type of this name.
#[derive(Debug)]
pub struct Socket(pub(super) wit::Socket);

/// Returns two sockets that are connected to each other.
///
/// # Errors
/// The errors of the crate's function of this name, as with all others here.
pub fn socketpair() -> Result<(Socket, Socket), ErrorCode> {
    let (one, other) = wit::socketpair()?;
    Ok((Socket(one), Socket(other)))
}

/// Takes an inherited listener.
///
/// # Errors
/// See [`socketpair`].
pub fn listener(name: &str) -> Result<Socket, ErrorCode> {
    Ok(Socket(wit::listener(name)?))
}

/// Returns the names of the inherited listeners.
pub fn listeners() -> Vec<String> {
    wit::listeners()
}

impl Socket {
    /// Sends without waiting.
    ///
    /// # Errors
    /// See [`socketpair`].
    pub fn send(&self, data: impl AsRef<[u8]>) -> Result<usize, ErrorCode> {
        let sent = self.0.send(data.as_ref())?;
        Ok(usize::try_from(sent).unwrap_or(usize::MAX))
    }

    /// Receives without waiting.
    ///
    /// # Errors
    /// See [`socketpair`].
    pub fn recv(&self, n: usize) -> Result<Option<Vec<u8>>, ErrorCode> {
        Ok(self.0.recv(n as u64)?)
    }

    /// The address of this end.
    pub fn sockname(&self) -> Option<Address> {
        self.0.sockname().map(Into::into)
    }

    /// The address of the other end.
    pub fn peername(&self) -> Option<Address> {
        self.0.peername().map(Into::into)
    }
}
