//! Makes sockets of its own and gives them to the streams component: one that is
//! connected, one that is bound, and one that is neither; written against the WIT.
//!
//! Arguments: host (an IPv4 address) and port of an echo server.

use std::net::Ipv4Addr;

use asyncio_streams::println;
use asyncio_wit::asyncio::streams::adopt;
use wasi::sockets::types::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket};

mod asyncio_wit {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package tests:adopts;
            world adopts {
                import wasi:sockets/types@0.3.2;
                import asyncio:streams/adopt@0.1.0;
            }
        ",
        with: {
            "wasi:clocks/types@0.3.2": wasi::clocks::types,
            "wasi:sockets/types@0.3.2": wasi::sockets::types,
        },
        generate_all,
    });
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port] = args.as_slice() else {
        return Err("usage: adopts-wit HOST PORT".into());
    };
    let [a, b, c, d] = host.parse::<Ipv4Addr>()?.octets();
    let address = |port| {
        IpSocketAddress::Ipv4(Ipv4SocketAddress {
            port,
            address: (a, b, c, d),
        })
    };

    let socket = TcpSocket::create(IpAddressFamily::Ipv4)?;
    socket.connect(address(port.parse()?)).await?;
    let (reader, writer) = adopt::open_connection(socket, None).await?;
    writer.write(b"adopted\n")?;
    print(&reader.readline(None).await?);
    writer.close();
    writer.wait_closed().await?;

    let unconnected = TcpSocket::create(IpAddressFamily::Ipv4)?;
    match adopt::open_connection(unconnected, None).await {
        Ok(_) => return Err("a socket without a connection was adopted".into()),
        Err(error) => println!("{error:?}"),
    }

    let socket = TcpSocket::create(IpAddressFamily::Ipv4)?;
    socket.bind(address(0))?;
    let server = adopt::start_server(socket, None).await?;
    let (reader, writer) = server.accept().await?;
    let line = reader.readline(None).await?;
    print(&line);
    writer.write(&line)?;
    writer.close();
    writer.wait_closed().await?;
    Ok(())
}

fn print(line: &[u8]) {
    asyncio_streams::print!("{}", String::from_utf8_lossy(line));
}

asyncio_streams::run!(program);
