//! Unix sockets and inherited listeners over `asyncio:host`: WASI has neither.

use super::host_socket::{HostSocket, Incoming};
use super::options::{self, HasOptions, SocketOption};
use crate::address::{Address, Credentials, Names, UnixAddress};
use crate::asyncio_host::listeners::{self, Listener};
use crate::asyncio_host::tls::Transport;
use crate::asyncio_host::unix_sockets::{self as wit, UnixSocket};
use crate::error::ErrorCode;
use crate::refusal::Refusal;
use crate::transport::raw::{self, Ending, RawSink, RawSource};

type Boxed = Box<dyn HostSocket>;

pub(crate) async fn connect(address: &UnixAddress) -> Result<Boxed, Refusal> {
    let socket = create()?;
    socket.connect(address.clone().into()).await?;
    Ok(Box::new(socket))
}

pub(crate) fn bind(address: &UnixAddress, cleanup: bool) -> Result<Boxed, Refusal> {
    let socket = create()?;
    socket.set_unlink(cleanup);
    socket.bind(&address.clone().into())?;
    Ok(Box::new(socket))
}

fn create() -> Result<UnixSocket, Refusal> {
    UnixSocket::create().map_err(|code| Refusal::of_unix_socket(ErrorCode::from_wasi(code)))
}

pub(crate) fn pair() -> Result<(Boxed, Boxed), ErrorCode> {
    let (one, other) = UnixSocket::pair().map_err(ErrorCode::from_wasi)?;
    Ok((Box::new(one), Box::new(other)))
}

pub(crate) fn listener(name: &str) -> Result<Boxed, ErrorCode> {
    Ok(match listeners::take(name).map_err(ErrorCode::from_wasi)? {
        Listener::Tcp(socket) => Box::new(socket),
        Listener::Unix(socket) => Box::new(socket),
    })
}

pub(crate) fn listeners() -> Vec<String> {
    listeners::names()
}

/// The most bytes given to the host at a time. The kernel's buffer takes fewer, and the host
/// copies all of them; it traps a program that has it copy too much.
const MOST: usize = 1 << 20;

impl HostSocket for UnixSocket {
    fn names(&self) -> Names {
        let peer = self.get_remote_address().ok();
        let process = self.get_peer_credentials().ok();
        Names {
            peer: peer.map(|address| UnixAddress::from(address).into()),
            local: self.local_address().ok(),
            process: process.map(|wit::Credentials { pid, uid, gid }| Credentials {
                pid,
                uid,
                gid,
            }),
        }
    }

    fn check_connected(&self) -> Result<(), ErrorCode> {
        self.get_remote_address().map_err(ErrorCode::from_wasi)?;
        Ok(())
    }

    fn local_address(&self) -> Result<Address, ErrorCode> {
        Ok(UnixAddress::from(self.get_local_address().map_err(ErrorCode::from_wasi)?).into())
    }

    fn is_listening(&self) -> bool {
        self.get_is_listening()
    }

    fn listen(&self, backlog: u32) -> Result<Box<dyn Incoming>, ErrorCode> {
        self.set_listen_backlog_size(backlog.max(1).into())
            .map_err(ErrorCode::from_wasi)?;
        Ok(Box::new(
            UnixSocket::listen(self).map_err(ErrorCode::from_wasi)?,
        ))
    }

    fn halves(&self) -> (RawSource<Ending>, RawSink<Ending>) {
        raw::halves(self.receive(), &|stream| self.send(stream))
    }

    fn into_transport(self: Box<Self>) -> Transport {
        Transport::Unix(*self)
    }

    fn send_nowait(&self, data: &[u8]) -> Result<usize, ErrorCode> {
        let data = data.get(..MOST).unwrap_or(data);
        let sent = UnixSocket::send_nowait(self, data).map_err(ErrorCode::from_wasi)?;
        Ok(usize::try_from(sent).unwrap_or(usize::MAX))
    }

    fn receive_nowait(&self, most: usize) -> Result<Option<Vec<u8>>, ErrorCode> {
        UnixSocket::receive_nowait(self, most as u64).map_err(ErrorCode::from_wasi)
    }
}

impl HasOptions for UnixSocket {
    fn option(&self, option: SocketOption) -> Result<u64, ErrorCode> {
        let value = match option {
            SocketOption::KeepAlive => self.get_keep_alive_enabled().map(u64::from),
            SocketOption::ReceiveBufferSize => self.get_receive_buffer_size(),
            SocketOption::SendBufferSize => self.get_send_buffer_size(),
            _ => return Err(ErrorCode::NotSupported),
        };
        value.map_err(ErrorCode::from_wasi)
    }

    fn set_option(&self, option: SocketOption, value: u64) -> Result<(), ErrorCode> {
        let set = match option {
            SocketOption::KeepAlive => self.set_keep_alive_enabled(value != 0),
            SocketOption::ReceiveBufferSize => self.set_receive_buffer_size(value),
            SocketOption::SendBufferSize => self.set_send_buffer_size(value),
            _ => return Err(ErrorCode::NotSupported),
        };
        set.map_err(ErrorCode::from_wasi)
    }

    fn no_delay(&self, _: options::Getter) -> Result<bool, ErrorCode> {
        Err(ErrorCode::NotSupported)
    }

    fn set_no_delay(&self, _: bool, _: options::Setter) -> Result<(), ErrorCode> {
        Err(ErrorCode::NotSupported)
    }
}

impl From<UnixAddress> for wit::Address {
    fn from(address: UnixAddress) -> wit::Address {
        match address {
            UnixAddress::Unnamed => wit::Address::Unnamed,
            UnixAddress::Path(path) => wit::Address::Path(path),
            UnixAddress::Abstract(name) => wit::Address::Abstract(name),
        }
    }
}

impl From<wit::Address> for UnixAddress {
    fn from(address: wit::Address) -> UnixAddress {
        match address {
            wit::Address::Unnamed => UnixAddress::Unnamed,
            wit::Address::Path(path) => UnixAddress::Path(path),
            wit::Address::Abstract(name) => UnixAddress::Abstract(name),
        }
    }
}

impl From<wit::ErrorCode> for Refusal {
    fn from(code: wit::ErrorCode) -> Refusal {
        Refusal::of_unix_socket(match code {
            wit::ErrorCode::InvalidAddress(why) => {
                return Refusal::InvalidArgument(format!("the Unix socket's address: {why}"));
            }
            wit::ErrorCode::NotFound => ErrorCode::NotFound,
            wit::ErrorCode::NotASocket => ErrorCode::NotASocket,
            wit::ErrorCode::Socket(code) => ErrorCode::from_wasi(code),
        })
    }
}
