//! Checks that UDP is denied. Every other function needs a socket.

use wasi::sockets::types::UdpSocket;

use super::{Ip, Outcome};

checks! {
    a_socket_is_denied
}

async fn a_socket_is_denied(ip: Ip) -> Outcome {
    for _ in 0..10 {
        fails!(UdpSocket::create(ip.family()), AccessDenied);
    }
    Ok(())
}
