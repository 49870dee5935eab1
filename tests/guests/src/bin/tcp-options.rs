//! Makes sockets of its own, and sets the options that `asyncio:host` adds to them.
//!
//! Arguments: a command, and the port of a peer on 127.0.0.1. `states` tries every option
//! in every state. `delays` turns TCP_NODELAY off for a connection and for those of a
//! listener, and holds them. `returns` tries to share a port that it had before and that
//! the peer has now.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use asyncio_streams::wasi::sockets::types::{
    IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket,
};
use asyncio_streams::wasi::wit_stream;
use asyncio_streams::{ErrorCode, open_connection, println, tcp_options};
use futures::future::join;

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    match args.as_slice() {
        [what, port] if what == "states" => states(port.parse()?).await,
        [what, port] if what == "delays" => delays(port.parse()?).await,
        [what, port] if what == "returns" => returns(port.parse()?).await,
        _ => Err("usage: tcp-options states|delays|returns PORT".into()),
    }
}

async fn states(peer: u16) -> Outcome {
    let socket = create()?;
    tell("new", &socket);
    {
        let mut connecting = pin!(socket.connect(local(peer)));
        let waits = poll_fn(|cx| Poll::Ready(connecting.as_mut().poll(cx).is_pending()));
        assert!(waits.await);
        tell("connecting", &socket);
        connecting.await?;
    }
    let (mut data, received) = socket.receive();
    let (mut to_send, stream) = wit_stream::new();
    let sent = socket.send(stream);
    to_send.write_all(b"x".to_vec()).await;
    let resetting = async {
        tell("connected", &socket);
        drop(to_send);
    };
    join(data.read(Vec::with_capacity(1)), resetting).await;
    println!("received {:?}, sent {:?}", received.await, sent.await);
    tell("reset", &socket);

    let socket = create()?;
    socket.bind(local(0))?;
    tell("bound", &socket);
    let _connections = socket.listen()?;
    tell("listening", &socket);

    let socket = create()?;
    assert!(socket.connect(local(1)).await.is_err());
    tell("failed", &socket);
    Ok(())
}

fn tell(state: &str, socket: &TcpSocket) {
    let outcome = |result: Result<(), ErrorCode>| match result {
        Ok(()) => "ok".to_owned(),
        Err(code) => format!("{code:?}"),
    };
    println!(
        "{state}: reuse-address {}, reuse-port {}, no-delay {}, reset {}",
        outcome(tcp_options::set_reuse_address(socket, true)),
        outcome(tcp_options::set_reuse_port(socket, false)),
        outcome(tcp_options::set_no_delay(socket, true)),
        outcome(tcp_options::reset(socket)),
    );
}

async fn delays(peer: u16) -> Outcome {
    let socket = create()?;
    socket.connect(local(peer)).await?;
    tcp_options::set_no_delay(&socket, false)?;

    let listener = create()?;
    tcp_options::set_no_delay(&listener, false)?;
    listener.bind(local(0))?;
    let mut connections = listener.listen()?;
    let _accepted = connections.next().await;
    pending().await
}

async fn returns(peer: u16) -> Outcome {
    let free = create()?;
    free.bind(elsewhere(0))?;
    let IpSocketAddress::Ipv4(Ipv4SocketAddress { port, .. }) = free.get_local_address()? else {
        return Err("no IPv4 address".into());
    };
    drop(free);
    let before = create()?;
    before.bind(elsewhere(port))?;
    assert!(before.connect(local(1)).await.is_err());

    let (reader, writer) = open_connection("127.0.0.1", peer).await?;
    writer.write(format!("{port}\n").as_bytes())?;
    reader.readline().await?;
    let socket = create()?;
    tcp_options::set_reuse_port(&socket, true)?;
    println!("{:?}", socket.bind(elsewhere(port)));
    Ok(())
}

fn create() -> Result<TcpSocket, ErrorCode> {
    Ok(TcpSocket::create(IpAddressFamily::Ipv4)?)
}

fn local(port: u16) -> IpSocketAddress {
    loopback(1, port)
}

/// Returns an address on which no other program lets the kernel pick ports.
fn elsewhere(port: u16) -> IpSocketAddress {
    loopback(77, port)
}

fn loopback(number: u8, port: u16) -> IpSocketAddress {
    IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port,
        address: (127, 0, 0, number),
    })
}

asyncio_streams::run!(program);
