//! Listens on all the hosts that are its arguments, on one free port, prints
//! each address and ends.

use asyncio_streams::println;
use crate::net::{Hosts, start_server};

use super::Outcome;

pub(crate) async fn program() -> Outcome {
    let hosts: Vec<String> = asyncio_streams::args().skip(1).collect();
    let hosts = match hosts.is_empty() {
        true => Hosts::from(()),
        false => hosts.into(),
    };
    let server = start_server(async |_, _| {}, hosts, 0).await?;
    for address in server.sockets() {
        println!("{address}");
    }
    Ok(())
}
