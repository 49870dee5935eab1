//! What guests share, and what they do not.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, IpAddressFamily};

use super::stream::Listens as _;
use super::tcp::{PortOwner, TcpSocket};
use super::{SharedListeners, Sharing};
use crate::access::SocketPermit;
use crate::{Stats, StopHandle};

fn created() -> TcpSocket {
    TcpSocket::create(IpAddressFamily::Ipv4, SocketPermit::take(Stats::new())).unwrap()
}

fn bound(sharing: &Sharing, address: SocketAddr) -> Result<TcpSocket, ErrorCode> {
    let mut socket = created();
    socket.bind(address, PortOwner::Anybodys, Some(sharing))?;
    Ok(socket)
}

/// With reuse of the port, as one who has no rule for this very port.
fn reusing(sharing: &Sharing) -> TcpSocket {
    let mut socket = created();
    socket.set_reuse_port(true).unwrap();
    socket
        .bind(any_port(), PortOwner::Nobodys, Some(sharing))
        .unwrap();
    socket
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
async fn who_connects_from_a_shared_address_does_not_disturb_who_listens_there() {
    let peer = TcpListener::bind(any_port()).await.unwrap();
    let listeners = SharedListeners::new();
    let (one, other) = (listeners.join(), listeners.join());
    let mut connecting = bound(&one, any_port()).unwrap();
    let mut listening = bound(&other, any_port()).unwrap();
    let address = listening.local_address().unwrap();

    let socket = connecting.begin_connect().unwrap();
    let connected = socket.connect(peer.local_addr().unwrap()).await;
    let stop = StopHandle::new(Arc::default());
    connecting.finish_connect(connected, &stop).unwrap();
    assert_eq!(connecting.local_address().unwrap(), address);
    let (_, visitor) = peer.accept().await.unwrap();
    assert_eq!(visitor, address);

    let listener = listening.listen(None).unwrap();
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
    let (a, b) = (first.listen(None).unwrap(), second.listen(None).unwrap());
    a.close();
    a.close();
    TcpStream::connect(address).await.unwrap();
    b.close();
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn one_that_was_not_bound_shares_where_it_listens() {
    let listeners = SharedListeners::new();
    let mut sockets = [created(), created()];
    let addresses = sockets.each_mut().map(|socket| {
        socket.listen(Some(&listeners.join())).unwrap();
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
    let (a, b) = (first.listen(None).unwrap(), second.listen(None).unwrap());
    assert!(a.is_first() && !b.is_first());

    // As another process would.
    let mut stranger = created();
    stranger.set_reuse_port(true).unwrap();
    stranger.bind(address, PortOwner::Anybodys, None).unwrap();
    stranger.listen(None).unwrap();
    let mut uninvited = created();
    let refused = uninvited
        .bind(address, PortOwner::Anybodys, None)
        .unwrap_err();
    assert!(matches!(refused, ErrorCode::AddressInUse));
}

#[tokio::test]
async fn who_reuses_a_port_connects_from_it_while_others_listen_there() {
    let peer = TcpListener::bind(any_port()).await.unwrap();
    let listeners = SharedListeners::new();
    let (one, other) = (listeners.join(), listeners.join());
    let (mut connecting, mut listening) = (reusing(&one), reusing(&other));
    listening.listen(None).unwrap();
    let socket = connecting.begin_connect().unwrap();
    let connected = socket.connect(peer.local_addr().unwrap()).await.unwrap();
    let (_, visitor) = peer.accept().await.unwrap();
    assert_eq!(visitor, listening.local_address().unwrap());
    drop(connected);
}
