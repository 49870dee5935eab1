//! Ports of known behaviour.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use socket2::{Domain, Socket, Type};

use crate::support::ports::ReservedPort;

/// Ports of known behaviour, until this is dropped.
pub(crate) struct KnownPorts {
    /// A connect to this port of 127.0.0.1 and ::1 is refused.
    pub(crate) refused: u16,
    /// On this port 127.0.0.1 sends back what it receives, and ::1 never answers.
    pub(crate) half_silent: u16,
    /// Ports for the checks that close one and want it again, or expect to find it
    /// closed.
    pub(crate) free: Vec<ReservedPort>,
    _sockets: Vec<Socket>,
}

impl KnownPorts {
    pub(crate) fn open() -> KnownPorts {
        // Bound and not listening: the kernel keeps the ports and refuses connections.
        let (refused, mut sockets) = both(|v4, v6| Ok(vec![bind(v4)?, bind(v6)?]));
        let (half_silent, silent) = both(|v4, v6| {
            let echo = TcpListener::bind(v4)?;
            let silent = silence(v6)?;
            thread::spawn(move || echo.incoming().for_each(repeat));
            Ok(silent)
        });
        sockets.extend(silent);
        KnownPorts {
            refused,
            half_silent,
            free: (0..12).map(|_| ReservedPort::new()).collect(),
            _sockets: sockets,
        }
    }
}

/// Finds a port that `take` can take in both families.
fn both<T>(take: impl Fn(SocketAddr, SocketAddr) -> io::Result<T>) -> (u16, T) {
    let reserved = ReservedPort::new();
    let port = reserved.number();
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    (port, take(v4, v6).unwrap())
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Makes a listener whose queue is full, so that the kernel drops further connects
/// without an answer.
fn silence(address: SocketAddr) -> io::Result<Vec<Socket>> {
    let listener = bind(address)?;
    listener.listen(0)?;
    let mut sockets = vec![listener];
    loop {
        let client = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        let patience = std::time::Duration::from_millis(200);
        let connected = client.connect_timeout(&address.into(), patience);
        sockets.push(client);
        match connected {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(sockets),
            Err(error) => return Err(error),
        }
    }
}

fn repeat(connection: io::Result<TcpStream>) {
    let connection = connection.unwrap();
    thread::spawn(move || {
        // The peer may reset the connection.
        drop(io::copy(&mut &connection, &mut &connection));
    });
}
