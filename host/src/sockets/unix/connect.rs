use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, connect as system_connect};

use super::UnixSocketError;
use super::address::abstract_address;
use super::entry::Entry;
use crate::policy::UnixName;

/// The times between attempts, while the queue of the listener is full: the system
/// does not say when it has room.
const FIRST_DELAY: Duration = Duration::from_millis(1);
const LONGEST_DELAY: Duration = Duration::from_millis(100);

/// Connects the socket. Giving it up leaves the socket as it was.
pub(crate) async fn connect(socket: &OwnedFd, name: &UnixName) -> Result<(), UnixSocketError> {
    let (_entry, address) = target(name)?;
    let mut delay = FIRST_DELAY;
    loop {
        match system_connect(socket, &address) {
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

/// What to connect to, and the file to be kept meanwhile.
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
