//! The load generator: one thread, one case, one line of results.
//!
//! It never sleeps while it measures, but polls epoll without waiting. The server's
//! `send` would have to wake a sleeping process, which costs the server time, and each
//! server differently. So the load generator needs a core of its own.
//!
//! It verifies every byte that an echo sends back. It sends pieces of one block of noise
//! without copying them, and compares received bytes in place, so that verifying costs
//! one `memcmp`.

#![forbid(unsafe_code)]

mod bulk;
mod connect;
mod handshake;
mod idle;
mod lines;
mod noise;
mod one_way;
mod ping_pong;
mod result;
mod server;
mod sources;
mod tls;
mod visits;
mod wire;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use socket2::SockAddr;

use crate::result::Measured;
use crate::server::Server;
use crate::tls::Client;

const USAGE: &str = "\
usage: load [--tls CERTIFICATE] CASE ADDRESS SERVER-PID ...
  ping-pong ADDRESS PID MILLISECONDS BYTES CONNECTIONS
  bulk ADDRESS PID MILLISECONDS WINDOW
  connect ADDRESS PID MILLISECONDS CONNECTIONS
  lines ADDRESS PID MILLISECONDS
  idle ADDRESS PID CONNECTIONS BYTES
with --tls, to a server that has this certificate (PEM):
  ping-pong ADDRESS PID MILLISECONDS BYTES CONNECTIONS
  source ADDRESS PID MILLISECONDS
  sink ADDRESS PID MILLISECONDS
  handshake ADDRESS PID MILLISECONDS CONNECTIONS
  resume ADDRESS PID MILLISECONDS CONNECTIONS
an ADDRESS is IP:PORT, or, for ping-pong and bulk, unix:PATH";

/// The longest time for a case, after which the process ends itself.
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    std::thread::spawn(|| {
        std::thread::sleep(LIMIT);
        eprintln!("load: not finished after {} s", LIMIT.as_secs());
        std::process::exit(1);
    });
    match run(&args) {
        Ok(measured) => {
            println!("{measured}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<Measured> {
    let (certificate, args) = match args {
        [flag, certificate, args @ ..] if flag == "--tls" => (Some(certificate), args),
        args => (None, args),
    };
    let [case, address, pid, numbers @ ..] = args else {
        bail!("{USAGE}");
    };
    let client = certificate.map(|path| Client::new(Path::new(path), case == "resume"));
    let client = client.transpose()?;
    let address = &parse(address)?;
    let server = Server::new(pid.parse().context(USAGE)?);
    let numbers = numbers.iter().map(|number| number.parse());
    let numbers = numbers.collect::<Result<Vec<usize>, _>>().context(USAGE)?;
    let time = |milliseconds: usize| Duration::from_millis(milliseconds as u64);
    match (case.as_str(), numbers.as_slice(), &client) {
        ("ping-pong", &[milliseconds, bytes, connections], client) => ping_pong::run(
            address,
            server,
            time(milliseconds),
            bytes,
            connections,
            client.as_ref(),
        ),
        ("bulk", &[milliseconds, window], None) => {
            bulk::run(address, server, time(milliseconds), window)
        }
        ("connect", &[milliseconds, connections], None) => {
            connect::run(address, server, time(milliseconds), connections)
        }
        ("lines", &[milliseconds], None) => lines::run(address, server, time(milliseconds)),
        ("idle", &[connections, bytes], None) => idle::run(address, server, connections, bytes),
        ("source", &[milliseconds], Some(client)) => {
            one_way::source(address, server, time(milliseconds), client)
        }
        ("sink", &[milliseconds], Some(client)) => {
            one_way::sink(address, server, time(milliseconds), client)
        }
        ("handshake" | "resume", &[milliseconds, connections], Some(client)) => handshake::run(
            address,
            server,
            time(milliseconds),
            connections,
            client,
            case == "resume",
        ),
        _ => bail!("{USAGE}"),
    }
}

/// Parses the address of a server, as the server prints it.
fn parse(address: &str) -> Result<SockAddr> {
    Ok(match address.strip_prefix("unix:") {
        Some(path) => SockAddr::unix(path)?,
        None => address.parse::<SocketAddr>().context(USAGE)?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_servers_say() -> Result<()> {
        let ip = parse("127.0.0.1:7")?;
        assert_eq!(ip.as_socket().map(|address| address.port()), Some(7));
        let unix = parse("unix:/tmp/s")?;
        assert_eq!(unix.as_pathname(), Some(Path::new("/tmp/s")));
        assert!(parse("/tmp/s").is_err());
        Ok(())
    }
}
