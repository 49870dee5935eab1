//! Makes sockets of its own, and streams of them: of one that is connected, one that is
//! bound, and those that are neither; linked statically.
//!
//! Arguments: host (an IPv4 address) and port of an echo server.

use std::net::Ipv4Addr;

use asyncio_streams::wasi::sockets::types::{
    IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket,
};
use asyncio_streams::{ConnectOptions, Family, ServerOptions, StreamReader, StreamWriter, println};

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port] = args.as_slice() else {
        return Err("usage: adopts HOST PORT".into());
    };
    let [a, b, c, d] = host.parse::<Ipv4Addr>()?.octets();
    let address = |port| {
        IpSocketAddress::Ipv4(Ipv4SocketAddress {
            port,
            address: (a, b, c, d),
        })
    };
    let create = || TcpSocket::create(IpAddressFamily::Ipv4);

    let socket = create()?;
    socket.connect(address(port.parse()?)).await?;
    let (reader, writer) = ConnectOptions::new().limit(1000).adopt(socket).await?;
    writer.write(b"adopted\n")?;
    print(&reader.readline().await?);
    writer.close();
    writer.wait_closed().await?;

    let how = ConnectOptions::new().family(Family::Ipv4);
    for refused in [
        ConnectOptions::new().adopt(create()?).await,
        how.adopt(create()?).await,
    ] {
        println!("{}", refused.err().ok_or("it was adopted")?);
    }
    let how = ServerOptions::new();
    for refused in [
        how.adopt(|_, _| {}, create()?),
        how.clone().family(Family::Ipv4).adopt(|_, _| {}, create()?),
        how.clone().reuse_port(true).adopt(|_, _| {}, create()?),
    ] {
        println!("{}", refused.err().ok_or("it was adopted")?);
    }

    let socket = create()?;
    socket.bind(address(0))?;
    let server = ServerOptions::new().adopt(answer, socket)?;
    server.serve_forever().await?;
    Ok(())
}

async fn answer(reader: StreamReader, writer: StreamWriter) -> Outcome {
    let line = reader.readline().await?;
    print(&line);
    writer.write(&line)?;
    Ok(())
}

fn print(line: &[u8]) {
    asyncio_streams::print!("{}", String::from_utf8_lossy(line));
}

asyncio_streams::run!(program);
