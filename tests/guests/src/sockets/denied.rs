//! Checks under a policy that allows listening on free ports of loopback addresses and
//! connecting to such ports, and no names.

use wasi::sockets::ip_name_lookup::ErrorCode;

use super::lookup::resolve;
use super::support::{Listener, connect, local, wasi};
use super::{Ip, Outcome};

checks! {
    a_connect_that_was_denied_closes_the_socket
    a_bind_that_was_denied_can_be_tried_elsewhere
    a_listen_that_was_denied_leaves_the_socket_to_be_bound
    a_name_that_is_denied_is_not_looked_up_and_an_address_is_no_name
}

/// A port that the policy does not allow.
const PORT: u16 = 47;

async fn a_connect_that_was_denied_closes_the_socket(ip: Ip) -> Outcome {
    let listener = ip.listener()?;
    let socket = ip.create()?;
    let denied = (ip.loopback(), PORT).into();
    fails!(connect(&socket, denied).await, AccessDenied);
    fails!(connect(&socket, listener.address).await, InvalidState);
    fails!(local(&socket), AccessDenied);
    Ok(())
}

async fn a_bind_that_was_denied_can_be_tried_elsewhere(ip: Ip) -> Outcome {
    let socket = ip.create()?;
    fails!(socket.bind(wasi(ip.loopback(), PORT)), AccessDenied);
    fails!(socket.bind(wasi(ip.unspecified(), 0)), AccessDenied);
    fails!(local(&socket), InvalidState);
    socket.bind(wasi(ip.loopback(), 0))?;
    Ok(())
}

async fn a_listen_that_was_denied_leaves_the_socket_to_be_bound(ip: Ip) -> Outcome {
    let socket = ip.create()?;
    // An unbound socket would listen on all interfaces.
    fails!(socket.listen(), AccessDenied);
    fails!(local(&socket), InvalidState);
    socket.bind(wasi(ip.loopback(), 0))?;
    Listener::of(socket)?;
    Ok(())
}

async fn a_name_that_is_denied_is_not_looked_up_and_an_address_is_no_name(ip: Ip) -> Outcome {
    let answer = resolve("name.example").await;
    let denied = matches!(answer, Err(ErrorCode::AccessDenied));
    ensure!(denied, "{answer:?}");
    let address = ip.loopback();
    same!(resolve(&address.to_string()).await?, [address]);
    Ok(())
}
