//! Addresses, sockets and connections for the checks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use futures::future::try_join;
use wasi::sockets::types::{
    ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress, TcpSocket,
};
use wit_bindgen::{FutureReader, StreamReader, StreamResult, StreamWriter};

use crate::checks::{ByteSocket, End, Failure, Outcome};

/// The family of the addresses that a check uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ip {
    V4,
    V6,
}

impl Ip {
    pub(crate) fn family(self) -> IpAddressFamily {
        match self {
            Ip::V4 => IpAddressFamily::Ipv4,
            Ip::V6 => IpAddressFamily::Ipv6,
        }
    }

    pub(crate) fn other(self) -> Ip {
        match self {
            Ip::V4 => Ip::V6,
            Ip::V6 => Ip::V4,
        }
    }

    pub(crate) fn loopback(self) -> IpAddr {
        match self {
            Ip::V4 => Ipv4Addr::LOCALHOST.into(),
            Ip::V6 => Ipv6Addr::LOCALHOST.into(),
        }
    }

    pub(crate) fn unspecified(self) -> IpAddr {
        match self {
            Ip::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Ip::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// Returns addresses that are not unicast.
    pub(crate) fn many(self) -> Vec<IpAddr> {
        match self {
            Ip::V4 => vec![
                Ipv4Addr::BROADCAST.into(),
                Ipv4Addr::new(224, 0, 0, 1).into(),
                Ipv4Addr::new(239, 255, 255, 255).into(),
            ],
            Ip::V6 => vec![
                Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0).into(),
                Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into(),
            ],
        }
    }

    pub(crate) fn create(self) -> Result<TcpSocket, ErrorCode> {
        TcpSocket::create(self.family())
    }

    /// Makes a socket that is bound to a loopback address.
    pub(crate) fn bound(self) -> Result<TcpSocket, ErrorCode> {
        let socket = self.create()?;
        socket.bind(wasi(self.loopback(), 0))?;
        Ok(socket)
    }

    /// Listens on a loopback address, at the reserved port, which no other socket can
    /// take once the listener is closed.
    pub(crate) fn listener_to_close(self) -> Result<Listener, Failure> {
        let socket = self.create()?;
        socket.bind(wasi(self.loopback(), free_port()?))?;
        Ok(Listener::of(socket)?)
    }

    /// Listens on a loopback address.
    pub(crate) fn listener(self) -> Result<Listener, ErrorCode> {
        Listener::of(self.bound()?)
    }

    /// Makes both ends of a connection; the first one is accepted.
    pub(crate) async fn pair(self) -> Result<(End<TcpSocket>, End<TcpSocket>), Failure> {
        let (accepted, client) = self.listener()?.pair().await?;
        Ok((End::of(accepted), End::of(client)))
    }
}

/// Returns the port that the test has reserved for this program. The kernel gives it to
/// no other socket by itself, unlike a port that a closed socket had.
pub(crate) fn free_port() -> Result<u16, Failure> {
    let port = asyncio_streams::args().nth(3);
    Ok(port.ok_or("the free port is missing")?.parse()?)
}

/// IPv4 addresses in the form of IPv6: mapped, and compatible.
pub(crate) fn disguised() -> [IpAddr; 2] {
    let compatible = Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0x7f00, 1);
    [
        Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
        compatible.into(),
    ]
}

pub(crate) fn wasi(ip: IpAddr, port: u16) -> IpSocketAddress {
    match ip {
        IpAddr::V4(ip) => IpSocketAddress::Ipv4(Ipv4SocketAddress {
            port,
            address: ip.octets().into(),
        }),
        IpAddr::V6(ip) => IpSocketAddress::Ipv6(Ipv6SocketAddress {
            port,
            flow_info: 0,
            address: ip.segments().into(),
            scope_id: 0,
        }),
    }
}

fn plain(address: IpSocketAddress) -> SocketAddr {
    match address {
        IpSocketAddress::Ipv4(v4) => (Ipv4Addr::from(<[u8; 4]>::from(v4.address)), v4.port).into(),
        IpSocketAddress::Ipv6(v6) => (Ipv6Addr::from(<[u16; 8]>::from(v6.address)), v6.port).into(),
    }
}

pub(crate) fn local(socket: &TcpSocket) -> Result<SocketAddr, ErrorCode> {
    socket.get_local_address().map(plain)
}

pub(crate) fn remote(socket: &TcpSocket) -> Result<SocketAddr, ErrorCode> {
    socket.get_remote_address().map(plain)
}

pub(crate) async fn connect(socket: &TcpSocket, to: SocketAddr) -> Result<(), ErrorCode> {
    socket.connect(wasi(to.ip(), to.port())).await
}

/// A socket that listens.
pub(crate) struct Listener {
    pub(crate) socket: TcpSocket,
    pub(crate) connections: StreamReader<TcpSocket>,
    pub(crate) address: SocketAddr,
}

impl Listener {
    pub(crate) fn of(socket: TcpSocket) -> Result<Listener, ErrorCode> {
        let connections = socket.listen()?;
        let address = local(&socket)?;
        Ok(Listener {
            socket,
            connections,
            address,
        })
    }

    pub(crate) async fn accept(&mut self) -> Result<TcpSocket, Failure> {
        let next = self.connections.next().await;
        next.ok_or_else(|| "the stream of connections has ended".into())
    }

    /// Makes a connection to it: the accepted socket, and the client.
    pub(crate) async fn pair(&mut self) -> Result<(TcpSocket, TcpSocket), Failure> {
        let client = match self.address {
            SocketAddr::V4(_) => Ip::V4.create()?,
            SocketAddr::V6(_) => Ip::V6.create()?,
        };
        let address = self.address;
        let connected = async { Ok(connect(&client, address).await?) };
        let (accepted, ()) = try_join(self.accept(), connected).await?;
        Ok((accepted, client))
    }
}

impl ByteSocket for TcpSocket {
    fn send(&self, data: StreamReader<u8>) -> FutureReader<Result<(), ErrorCode>> {
        self.send(data)
    }

    fn receive(&self) -> (StreamReader<u8>, FutureReader<Result<(), ErrorCode>>) {
        self.receive()
    }
}

/// Runs both to their ends.
pub(crate) async fn both(
    one: impl Future<Output = Outcome>,
    other: impl Future<Output = Outcome>,
) -> Outcome {
    try_join(one, other).await?;
    Ok(())
}

/// Writes until the other side takes nothing any more.
pub(crate) async fn write_until_dropped(to_send: &mut StreamWriter<u8>) {
    while to_send.write(vec![b'.'; 4096]).await.0 != StreamResult::Dropped {
        pause().await;
    }
}

/// Gives the host time to complete pending work.
pub(crate) async fn pause() {
    asyncio_streams::sleep(std::time::Duration::from_millis(1)).await;
}
