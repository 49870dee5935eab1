//! TLS on tokio-rustls, on one thread: an echo, a source or a sink of bytes.
//!
//! usage: tokio-tls echo|source|sink PEM
//!
//! A source sends without end. A sink counts received bytes, and answers with their number
//! after a newline.

#![forbid(unsafe_code)]

#[path = "../server.rs"]
mod server;

use std::io;
use std::sync::Arc;

use anyhow::{Result, bail};
use rustls::ServerConfig;
use rustls::crypto::ring::Ticketer;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The most bytes of one read: as many as asyncio's example reads.
const CHUNK: usize = 64 << 10;

/// The number of patterns in one write of a source. A pattern leaves out the last few
/// byte values, so that its length is a prime that no chunk size divides.
const REPEATED: usize = 1024;

const USAGE: &str = "usage: tokio-tls echo|source|sink PEM";

#[derive(Clone, Copy)]
enum Service {
    Echo,
    Source,
    Sink,
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [service, pem] = args.as_slice() else {
        bail!("{USAGE}");
    };
    let service = match service.as_str() {
        "echo" => Service::Echo,
        "source" => Service::Source,
        "sink" => Service::Sink,
        _ => bail!("{USAGE}"),
    };
    let acceptor = acceptor(pem)?;
    server::run(move |socket| serve(service, acceptor.clone(), socket))
}

/// The settings of sessions, which are resumed as in this project's host.
fn acceptor(pem: &str) -> Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(pem)?.collect::<Result<_, _>>()?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(pem)?)?;
    config.ticketer = Ticketer::new()?;
    Ok(Arc::new(config).into())
}

async fn serve(service: Service, acceptor: TlsAcceptor, socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut stream = acceptor.accept(socket).await?;
    match service {
        Service::Echo => echo(&mut stream).await?,
        Service::Source => source(&mut stream).await?,
        Service::Sink => sink(&mut stream).await?,
    }
    stream.shutdown().await
}

async fn echo(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let received = stream.read(&mut chunk).await?;
        match chunk.get(..received) {
            None | Some([]) => return Ok(()),
            Some(data) => stream.write_all(data).await?,
        }
        stream.flush().await?;
    }
}

async fn source(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    let block = (0..251).collect::<Vec<u8>>().repeat(REPEATED);
    loop {
        stream.write_all(&block).await?;
    }
}

async fn sink(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        let received = stream.read(&mut chunk).await?;
        bytes += received;
        match chunk.get(..received) {
            None | Some([]) => return Ok(()),
            Some([.., b'\n']) => break,
            Some(_) => {}
        }
    }
    stream.write_all(format!("{bytes}\n").as_bytes()).await
}
