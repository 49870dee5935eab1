use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, connect};

use super::path::{Entry, UnixSocketError, abstract_address};
use crate::access::{Connect, Granted};
use crate::policy::UnixName;

/// The times between attempts while the listener's queue is full. The kernel fails
/// with EAGAIN then, and no event tells when there is room: connect(2).
const FIRST_DELAY: Duration = Duration::from_millis(1);
const LONGEST_DELAY: Duration = Duration::from_millis(100);

/// A connect that the guard has allowed.
pub(crate) struct Connecting {
    socket: OwnedFd,
    granted: Granted<Connect<UnixName>>,
}

impl Connecting {
    pub(super) fn new(socket: OwnedFd, granted: Granted<Connect<UnixName>>) -> Self {
        Self { socket, granted }
    }

    pub(crate) fn name(&self) -> &UnixName {
        &self.granted.get().0
    }

    /// Connects the socket. Cancel-safe: the socket stays as it was.
    pub(crate) async fn connect(&self) -> Result<(), UnixSocketError> {
        let (_entry, address) = target(self.name())?;
        let mut delay = FIRST_DELAY;
        loop {
            match connect(&self.socket, &address) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    tokio::time::sleep(delay).await;
                    delay = (2 * delay).min(LONGEST_DELAY);
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    pub(super) fn into_fd(self) -> OwnedFd {
        self.socket
    }
}

/// The address to connect to, with the open file that it leads to, which has to live
/// as long.
fn target(name: &UnixName) -> Result<(Option<Entry>, SocketAddrUnix), UnixSocketError> {
    match name.as_path() {
        Some(path) => {
            let entry = Entry::open(path)?;
            let address = entry.address()?;
            Ok((Some(entry), address))
        }
        None => {
            let name = name.as_abstract().unwrap_or_default();
            Ok((None, abstract_address(name)?))
        }
    }
}
