//! Sockets that guests share with each other and with the operator.

use std::net::SocketAddr;
use std::sync::Arc;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, IpAddressFamily};

use super::stop::StopListening as _;
use super::stream::{Acceptor as _, Listener};
use super::tcp::{TcpAcceptor, TcpSocket};
use super::{GuestSharing, SharedListeners};
use crate::StopHandle;
use crate::access::{InheritedListener, ListeningSocket, PortOwner, testing};

fn created() -> TcpSocket {
    TcpSocket::create(IpAddressFamily::Ipv4, testing::permit()).unwrap()
}

fn bound(sharing: &GuestSharing, address: SocketAddr) -> Result<TcpSocket, ErrorCode> {
    let mut socket = created();
    let granted = testing::bind(address, PortOwner::AnyProcess, false);
    socket.bind(&granted, Some(&sharing.tcp))?;
    Ok(socket)
}

/// A socket with SO_REUSEPORT, whose port the kernel picks.
fn reusing(sharing: &GuestSharing) -> TcpSocket {
    let mut socket = created();
    socket.set_reuse_port(true).unwrap();
    let granted = testing::bind(any_port(), PortOwner::Kernel, true);
    socket.bind(&granted, Some(&sharing.tcp)).unwrap();
    socket
}

fn listen(socket: &mut TcpSocket) -> Arc<Listener<TcpAcceptor>> {
    let granted = testing::listen(socket.local_address().unwrap());
    socket.listen(&granted, None).unwrap()
}

fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

#[tokio::test]
async fn a_guest_that_binds_twice_shares_with_others_and_not_with_itself() {
    let listeners = SharedListeners::new();
    let (one, other) = (listeners.join(), listeners.join());
    let first = bound(&one, any_port()).unwrap();
    let second = bound(&one, any_port()).unwrap();
    let address = first.local_address().unwrap();
    assert_ne!(second.local_address().unwrap(), address);
    let theirs = [&other, &other].map(|other| bound(other, any_port()).unwrap());
    let theirs = theirs.map(|socket| socket.local_address().unwrap());
    assert_eq!(theirs, [address, second.local_address().unwrap()]);
}

#[tokio::test]
async fn a_connect_from_a_shared_address_does_not_disturb_the_listeners_there() {
    let peer = TcpListener::bind(any_port()).await.unwrap();
    let listeners = SharedListeners::new();
    let (one, other) = (listeners.join(), listeners.join());
    let mut connecting = bound(&one, any_port()).unwrap();
    let mut listening = bound(&other, any_port()).unwrap();
    let address = listening.local_address().unwrap();

    let granted = testing::connect(peer.local_addr().unwrap());
    let connected = connecting.begin_connect(&granted).unwrap().connect().await;
    let stop = StopHandle::new(Arc::default());
    connecting.finish_connect(connected, &stop).unwrap();
    assert_eq!(connecting.local_address().unwrap(), address);
    let (_, visitor) = peer.accept().await.unwrap();
    assert_eq!(visitor, address);

    let listener = listen(&mut listening);
    assert!(listener.is_first());
    let (connected, accepted) = tokio::join!(
        TcpStream::connect(address),
        std::future::poll_fn(|cx| listener.poll_accept(cx))
    );
    let (_, client) = accepted.unwrap().unwrap();
    assert_eq!(client, connected.unwrap().local_addr().unwrap());
}

#[tokio::test]
async fn an_address_is_refused_when_the_last_listener_is_closed() {
    let listeners = SharedListeners::new();
    let (one, other) = (listeners.join(), listeners.join());
    let mut first = bound(&one, any_port()).unwrap();
    let mut second = bound(&other, any_port()).unwrap();
    let address = first.local_address().unwrap();
    let (a, b) = (listen(&mut first), listen(&mut second));
    a.close();
    a.close();
    TcpStream::connect(address).await.unwrap();
    b.close();
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_socket_that_was_not_bound_is_shared_by_listening() {
    let listeners = SharedListeners::new();
    let mut sockets = [created(), created()];
    let addresses = sockets.each_mut().map(|socket| {
        let granted = testing::listen(socket.unspecified());
        socket
            .listen(&granted, Some(&listeners.join().tcp))
            .unwrap();
        socket.local_address().unwrap()
    });
    assert_eq!(addresses[0], addresses[1]);
}

#[tokio::test]
async fn a_shared_socket_whose_port_is_reused_can_be_joined_by_other_processes() {
    let listeners = SharedListeners::new();
    let (one, other) = (listeners.join(), listeners.join());
    let (mut first, mut second) = (reusing(&one), reusing(&other));
    let address = first.local_address().unwrap();
    assert_eq!(second.local_address().unwrap(), address);
    let (a, b) = (listen(&mut first), listen(&mut second));
    assert!(a.is_first() && !b.is_first());

    // As another process would.
    let mut stranger = created();
    stranger.set_reuse_port(true).unwrap();
    let granted = testing::bind(address, PortOwner::AnyProcess, true);
    stranger.bind(&granted, None).unwrap();
    listen(&mut stranger);
    let mut uninvited = created();
    let granted = testing::bind(address, PortOwner::AnyProcess, false);
    let refused = uninvited.bind(&granted, None).unwrap_err();
    assert!(matches!(refused, ErrorCode::AddressInUse));
}

#[tokio::test]
async fn a_socket_that_reuses_a_port_connects_from_it_while_others_listen_there() {
    let peer = TcpListener::bind(any_port()).await.unwrap();
    let listeners = SharedListeners::new();
    let (one, other) = (listeners.join(), listeners.join());
    let (mut connecting, mut listening) = (reusing(&one), reusing(&other));
    listen(&mut listening);
    let granted = testing::connect(peer.local_addr().unwrap());
    let connected = connecting.begin_connect(&granted).unwrap();
    let connected = connected.connect().await.unwrap();
    let (_, visitor) = peer.accept().await.unwrap();
    assert_eq!(visitor, listening.local_address().unwrap());
    drop(connected);
}

#[tokio::test]
async fn options_of_an_inherited_listener_are_for_its_own_connections() {
    let ours = std::net::TcpListener::bind(any_port()).unwrap();
    let address = ours.local_addr().unwrap();
    let kernel = |socket: &std::net::TcpListener| {
        let keep_alive = sockopt::socket_keepalive(socket).unwrap();
        let no_delay = sockopt::tcp_nodelay(socket).unwrap();
        let receive = sockopt::socket_recv_buffer_size(socket).unwrap();
        let send = sockopt::socket_send_buffer_size(socket).unwrap();
        (keep_alive, no_delay, receive, send, socket.ttl().unwrap())
    };
    let before = kernel(&ours);
    let inherited = InheritedListener::from(ours.try_clone().unwrap());
    let Ok(ListeningSocket::Tcp(theirs)) = inherited.socket() else {
        panic!("it is TCP");
    };
    let granted = testing::inherited(inherited);
    let mut socket = TcpSocket::inherited(theirs, &granted, testing::permit()).unwrap();

    let set = |socket: &TcpSocket, size| {
        let options = socket.options().unwrap();
        options.set_keep_alive(true).unwrap();
        options.set_keep_alive_idle_time(7_000_000_000).unwrap();
        options.set_no_delay(true).unwrap();
        options.set_receive_buffer_size(size).unwrap();
        options.set_send_buffer_size(size).unwrap();
        socket.set_hop_limit(7).unwrap();
    };
    let check = |socket: &TcpSocket, size| {
        let options = socket.options().unwrap();
        assert!(options.keep_alive().unwrap() && options.no_delay().unwrap());
        assert_eq!(options.keep_alive_idle_time().unwrap(), 7_000_000_000);
        assert_eq!(options.receive_buffer_size().unwrap(), size);
        assert_eq!(options.send_buffer_size().unwrap(), size);
        assert_eq!(socket.hop_limit().unwrap(), 7);
    };
    set(&socket, 10_000);
    check(&socket, 10_000);
    let listener = socket.listen_inherited().unwrap();
    set(&socket, 20_000);
    check(&socket, 20_000);
    assert_eq!(kernel(&ours), before);

    let (client, accepted) = tokio::join!(
        TcpStream::connect(address),
        std::future::poll_fn(|cx| listener.poll_accept(cx))
    );
    let stop = StopHandle::new(Arc::default());
    let accepted = accepted.unwrap().map_err(|error| panic!("{error}"));
    let accepted = listener
        .acceptor()
        .socket(accepted, testing::permit(), &stop);
    check(&accepted, 20_000);
    drop(client);
    assert_eq!(kernel(&ours), before);
}
