//! TCP over `wasi:sockets`.

use std::net::SocketAddr;

use wasi::sockets::types::TcpSocket;

use super::host_socket::{HostSocket, Incoming};
use super::options::{self, HasOptions, SocketOption};
use crate::address::{Address, Family, Names, from_wasi, to_wasi};
#[cfg(any(not(feature = "component"), feature = "full"))]
use crate::asyncio_host::tls::Transport;
use crate::error::ErrorCode;
use crate::transport::raw::{self, Ending, RawSink, RawSource};

impl HostSocket for TcpSocket {
    fn names(&self) -> Names {
        let remote = self.get_remote_address().ok();
        Names {
            peer: remote.map(|address| from_wasi(address).into()),
            local: self.local_address().ok(),
            process: None,
        }
    }

    fn check_connected(&self) -> Result<(), ErrorCode> {
        self.get_remote_address().map_err(ErrorCode::from_wasi)?;
        Ok(())
    }

    fn local_address(&self) -> Result<Address, ErrorCode> {
        Ok(from_wasi(self.get_local_address().map_err(ErrorCode::from_wasi)?).into())
    }

    fn is_listening(&self) -> bool {
        self.get_is_listening()
    }

    fn listen(&self, backlog: u32) -> Result<Box<dyn Incoming>, ErrorCode> {
        self.set_listen_backlog_size(backlog.max(1).into())
            .map_err(ErrorCode::from_wasi)?;
        Ok(Box::new(
            TcpSocket::listen(self).map_err(ErrorCode::from_wasi)?,
        ))
    }

    fn halves(&self) -> (RawSource<Ending>, RawSink<Ending>) {
        raw::halves(self.receive(), &|stream| self.send(stream))
    }

    #[cfg(any(not(feature = "component"), feature = "full"))]
    fn into_transport(self: Box<Self>) -> Transport {
        Transport::Tcp(*self)
    }
}

impl HasOptions for TcpSocket {
    fn option(&self, option: SocketOption) -> Result<u64, ErrorCode> {
        let value = match option {
            SocketOption::KeepAlive => self.get_keep_alive_enabled().map(u64::from),
            SocketOption::KeepAliveIdleTime => self.get_keep_alive_idle_time(),
            SocketOption::KeepAliveInterval => self.get_keep_alive_interval(),
            SocketOption::KeepAliveCount => self.get_keep_alive_count().map(u64::from),
            SocketOption::ReceiveBufferSize => self.get_receive_buffer_size(),
            SocketOption::SendBufferSize => self.get_send_buffer_size(),
        };
        value.map_err(ErrorCode::from_wasi)
    }

    fn set_option(&self, option: SocketOption, value: u64) -> Result<(), ErrorCode> {
        let set = match option {
            SocketOption::KeepAlive => self.set_keep_alive_enabled(value != 0),
            SocketOption::KeepAliveIdleTime => self.set_keep_alive_idle_time(value),
            SocketOption::KeepAliveInterval => self.set_keep_alive_interval(value),
            SocketOption::KeepAliveCount => self.set_keep_alive_count(options::count(value)),
            SocketOption::ReceiveBufferSize => self.set_receive_buffer_size(value),
            SocketOption::SendBufferSize => self.set_send_buffer_size(value),
        };
        set.map_err(ErrorCode::from_wasi)
    }

    fn no_delay(&self, of_tcp: options::Getter) -> Result<bool, ErrorCode> {
        of_tcp(self)
    }

    fn set_no_delay(&self, no_delay: bool, of_tcp: options::Setter) -> Result<(), ErrorCode> {
        of_tcp(self, no_delay)
    }
}

/// The result of connecting.
pub(crate) type Connected = Result<TcpSocket, ErrorCode>;

/// Connects to `address`, from `local` if that is given.
///
/// Dropping the future closes the socket.
pub(crate) async fn connect(address: SocketAddr, local: Option<SocketAddr>) -> Connected {
    if local.is_some_and(|local| Family::of(&local) != Family::of(&address)) {
        let words = "the local address is of another family";
        return Err(ErrorCode::Other(Some(words.into())));
    }
    // No process listens at port 0. Kernels answer so; WASI takes it for a wrong argument.
    if address.port() == 0 {
        return Err(ErrorCode::ConnectionRefused);
    }
    let socket = create(&address)?;
    if let Some(local) = local {
        bind(&socket, local)?;
    }
    socket
        .connect(to_wasi(address))
        .await
        .map_err(ErrorCode::from_wasi)?;
    Ok(socket)
}

/// Creates a socket for addresses of the family of `address`.
pub(crate) fn create(address: &SocketAddr) -> Result<TcpSocket, ErrorCode> {
    TcpSocket::create(Family::of(address).to_wasi()).map_err(ErrorCode::from_wasi)
}

/// Binds `socket` to `address`.
pub(crate) fn bind(socket: &TcpSocket, address: SocketAddr) -> Result<(), ErrorCode> {
    socket.bind(to_wasi(address)).map_err(ErrorCode::from_wasi)
}
