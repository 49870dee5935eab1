//! Connections on which nothing happens.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

use crate::noise::Noise;
use crate::result::Measured;
use crate::server::Server;
use crate::wire;

/// What each takes of the server's memory, once one byte has come back on it.
pub(crate) fn run(address: SocketAddr, server: Server, connections: usize) -> Result<Measured> {
    let noise = Noise::new();
    ensure!(connections > 0, "no connections");
    // What the first one sets up is no connection's.
    drop(wire::connect(address, 1, &noise)?);
    let before = server.memory()?;
    let sockets = wire::connect(address, connections, &noise)?;
    let memory = server.memory()?.saturating_sub(before);
    drop(sockets);
    Ok(Measured {
        memory: Some(memory as f64 / connections as f64),
        ..Measured::default()
    })
}
