//! Checks on a machine with few ports to pick from.

use super::support::{Listener, connect, wasi};
use super::{Failure, Ip, Outcome};

checks! {
    where_no_port_is_left_binding_and_listening_find_them_in_use
    where_no_port_is_left_connecting_has_no_address
}

/// Makes listeners on all of the ports.
fn every_port(ip: Ip) -> Result<Vec<Listener>, Failure> {
    let mut listeners = Vec::new();
    loop {
        let socket = ip.create()?;
        match socket.bind(wasi(ip.loopback(), 0)) {
            Ok(()) => listeners.push(Listener::of(socket)?),
            in_use => {
                fails!(in_use, AddressInUse);
                return Ok(listeners);
            }
        }
        ensure!(listeners.len() < 100, "there are many ports");
    }
}

async fn where_no_port_is_left_binding_and_listening_find_them_in_use(ip: Ip) -> Outcome {
    let mut listeners = every_port(ip)?;
    fails!(ip.create()?.listen(), AddressInUse);
    let patient = ip.create()?;
    fails!(patient.bind(wasi(ip.loopback(), 0)), AddressInUse);
    drop(listeners.pop());
    patient.bind(wasi(ip.loopback(), 0))?;
    Ok(())
}

async fn where_no_port_is_left_connecting_has_no_address(ip: Ip) -> Outcome {
    let listeners = every_port(ip)?;
    let to = listeners.first().ok_or("there are no ports")?.address;
    fails!(connect(&ip.create()?, to).await, AddressNotBindable);
    Ok(())
}
