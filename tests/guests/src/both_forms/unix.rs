// Uses Unix sockets as its arguments say.
//
// Arguments: a command (see `program`), a path, in which `%XX` is a byte, and the
// arguments of the command.

use std::error::Error;
use std::rc::Rc;

use asyncio_streams::{println, spawn};
use futures::future::try_join;
use guests::noise::Noise;
use net::{
    ConnectOptions, Credentials, ExtraInfo, Family, ServerOptions, SslContext, StreamReader,
    StreamWriter, UnixAddress, open_unix_connection, socketpair, start_unix_server,
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let (Some(what), Some(path)) = (args.first(), args.get(1)) else {
        return Err("usage: unix WHAT PATH [MORE]".into());
    };
    let path = unescaped(path)?;
    let more = |index: usize| args.get(index + 2).map_or("", String::as_str);
    match what.as_str() {
        "connect" => connect(path).await,
        "ask" => ask(path, more(0)).await,
        "clients" => clients(path, more(0).parse()?, more(1).parse()?, more(2).parse()?).await,
        "serve" => serve(path, more(0) != "keep").await,
        "answer" => forever(start_unix_server(answer, path).await?).await,
        "twice" => twice(path).await,
        "refused" => refused(path).await,
        "pair" => pair().await,
        other => Err(format!("no such thing: {other}").into()),
    }
}

fn unescaped(path: &str) -> Outcome<UnixAddress> {
    let mut bytes = Vec::new();
    let mut parts = path.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or("a % without its digits")?;
        bytes.push(u8::from_str_radix(digits, 16)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Ok(bytes.into())
}

/// Connects, and prints the addresses and the peer of both ends.
async fn connect(path: UnixAddress) -> Outcome {
    let (_reader, writer) = open_unix_connection(path).await?;
    let info = |name| writer.get_extra_info(name);
    println!("connected");
    for name in ["peername", "sockname"] {
        if let Some(ExtraInfo::Address(address)) = info(name) {
            println!("{name} {address}");
        }
    }
    println!("peercred {}", credentials(&writer)?);
    writer.close();
    writer.wait_closed().await?;
    Ok(())
}

/// Returns the peer's process, user and group.
fn credentials(writer: &StreamWriter) -> Outcome<String> {
    match writer.get_extra_info("peercred") {
        Some(ExtraInfo::Credentials(Credentials { pid, uid, gid })) => {
            Ok(format!("{} {uid} {gid}", pid.unwrap_or_default()))
        }
        other => Err(format!("peercred: {other:?}").into()),
    }
}

/// Asks, ends its side, and reads the answer to its end.
async fn ask(path: UnixAddress, question: &str) -> Outcome {
    let (reader, writer) = open_unix_connection(path).await?;
    writer.write(question)?;
    writer.write_eof()?;
    println!("{}", String::from_utf8_lossy(&reader.read_to_end().await?));
    writer.close();
    writer.wait_closed().await?;
    Ok(())
}

/// Reads a question to its end, and answers.
async fn answer(reader: StreamReader, writer: StreamWriter) -> Outcome {
    let question = reader.read_to_end().await?;
    writer.write("answer to ")?;
    writer.write(&question)?;
    writer.close();
    Ok(())
}

/// Sends noise on many connections at once, and compares the echo.
async fn clients(path: UnixAddress, count: u64, bytes: usize, seed: u64) -> Outcome {
    let clients: Vec<_> = (0..count)
        .map(|index| {
            let (path, noise) = (path.clone(), Noise::new(seed.wrapping_add(index)));
            spawn(async move { exchange(path, bytes, noise).await.map_err(|e| e.to_string()) })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    println!("all done");
    Ok(())
}

async fn exchange(path: UnixAddress, bytes: usize, noise: Noise) -> Outcome {
    let (reader, writer) = open_unix_connection(path).await?;
    let mut sent = noise.clone();
    let sending = async {
        let mut left = bytes;
        while left > 0 {
            let count = left.min(65536);
            writer.write(sent.bytes(count))?;
            writer.drain().await?;
            left -= count;
        }
        writer.write_eof()?;
        Outcome::Ok(())
    };
    let mut expected = noise;
    let receiving = async {
        let mut received = 0;
        loop {
            let data = reader.read(65536).await?;
            if data.is_empty() {
                return Outcome::Ok(received);
            }
            expected.check(&data)?;
            received += data.len();
        }
    };
    let ((), received) = try_join(sending, receiving).await?;
    if received != bytes {
        return Err(format!("{received} bytes came back of {bytes}").into());
    }
    writer.close();
    writer.wait_closed().await?;
    Ok(())
}

/// Sends lines back, except `who`, which it answers with the time at which it started, `peer`,
/// which it answers with the client's process, and `panic`.
async fn serve(path: UnixAddress, cleanup: bool) -> Outcome {
    let who = Rc::new(format!("{}\n", wasi::clocks::monotonic_clock::now()));
    let echo = move |reader, writer| echo(reader, writer, who.clone());
    let options = ServerOptions::new().cleanup_socket(cleanup);
    forever(options.start_unix_server(echo, path).await?).await
}

async fn forever(server: net::Server) -> Outcome {
    server
        .scope(async |server| server.serve_forever().await)
        .await?;
    Ok(())
}

#[expect(clippy::panic, reason = "it is told to")]
async fn echo(reader: StreamReader, writer: StreamWriter, who: Rc<String>) -> Outcome {
    loop {
        let data = reader.read(65536).await?;
        match &data[..] {
            b"" => return Ok(()),
            b"panic\n" => panic!("as told"),
            b"who\n" => writer.write(&*who)?,
            b"peer\n" => writer.write(format!("{}\n", credentials(&writer)?))?,
            data => writer.write(data)?,
        }
        writer.drain().await?;
    }
}

/// Binds a server that does not serve yet, and starts another one at the same path.
async fn twice(path: UnixAddress) -> Outcome {
    let waits = ServerOptions::new().start_serving(false);
    let first = waits.start_unix_server(answer, path.clone()).await?;
    match start_unix_server(answer, path.clone()).await {
        Ok(_) => return Err("two servers have one path".into()),
        Err(error) => println!("{error}"),
    }
    match open_unix_connection(path.clone()).await {
        Ok(_) => return Err("nobody serves".into()),
        Err(error) => println!("{error}"),
    }
    first.start_serving().await?;
    ask(path, "one").await
}

/// Tries options that mean nothing with a path, and TLS without a name.
async fn refused(path: UnixAddress) -> Outcome {
    let connect = ConnectOptions::new;
    for options in [
        connect().limit(0),
        connect().family(Family::Ipv4),
        connect().local_addr("127.0.0.1", 0),
        connect().server_hostname("localhost"),
        connect().ssl(SslContext::client()),
    ] {
        let opened = options.open_unix_connection(path.clone()).await;
        println!("{}", opened.err().ok_or("it was connected")?);
    }
    let serve = ServerOptions::new;
    for options in [
        serve().limit(0),
        serve().family(Family::Ipv4),
        serve().reuse_port(true),
        serve().ssl(SslContext::server()),
    ] {
        let started = options.start_unix_server(answer, path.clone()).await;
        println!("{}", started.err().ok_or("it serves")?);
    }
    Ok(())
}

/// Uses a pair, first without streams, then each end with them.
async fn pair() -> Outcome {
    let (one, other) = socketpair()?;
    println!("nothing: {:?}", one.recv(10)?);
    println!("sent: {}", other.send("abc")?);
    println!("received: {:?}", one.recv(2)?);
    let mut sent = 0;
    loop {
        match one.send([b'.'; 10_000])? {
            0 => break,
            count => sent += count,
        }
    }
    let (reader, writer) = ConnectOptions::new().adopt(one).await?;
    let (far_reader, far_writer) = ConnectOptions::new().adopt(other).await?;
    // The streams have the bytes that the sockets had.
    println!("left: {:?}", reader.readexactly(1).await?);
    writer.write_eof()?;
    let received = far_reader.read_to_end().await?;
    println!("all of it: {}", received.len() == sent);
    far_writer.write("half-closed")?;
    far_writer.close();
    println!("{:?}", reader.read_to_end().await?);
    writer.close();
    writer.wait_closed().await?;
    let (one, other) = socketpair()?;
    drop(other);
    println!("the end: {:?}", one.recv(1)?);
    println!("{:?}", one.send("x"));
    let wrong = adopted(ServerOptions::new().adopt(answer, one)).await;
    println!("{}", wrong.err().ok_or("an end of a pair serves")?);
    Ok(())
}

asyncio_streams::run!(program);
