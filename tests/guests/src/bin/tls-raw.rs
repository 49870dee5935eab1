//! Uses sessions of `asyncio:host/tls` and prints the results line by line.
//!
//! The first argument is a command. Most commands take the port of a peer on 127.0.0.1.
//! The peers' certificates are for `localhost`, and the policy's identity is `server`.

use std::error::Error;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use asyncio_streams::println;
use asyncio_streams::wasi::wit_stream;
use futures::future::{join, try_join};
use guests::noise::pattern;
use guests::tls::{
    Connection, Context, ErrorCode, Listener, PATIENCE, Session, Side, Socket, Transport,
    VerifyMode, Version, client, connect, create, next, server, wrap,
};

type Outcome = Result<(), Box<dyn Error>>;

const NAME: Option<&str> = Some("localhost");

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["serves"] => serves(server("server")?).await,
        ["serves", "h2"] => {
            let context = server("server")?;
            context.set_alpn_protocols(&["h2".to_owned(), "x".to_owned()])?;
            context.set_minimum_version(Version::Tls13);
            serves(context).await
        }
        ["upgrades", bytes] => upgrades(bytes.parse()?).await,
        ["talks", port, bytes] => talks(port.parse()?, bytes.parse()?).await,
        ["says", port, line] => says(port.parse()?, line).await,
        ["meets", port, milliseconds] => meets(port.parse()?, milliseconds.parse()?).await,
        ["receives", port] => receives(port.parse()?).await,
        ["closes", port, milliseconds] => closes(port.parse()?, milliseconds.parse()?).await,
        ["drops", port] => drops(port.parse()?).await,
        ["gives-up-closing", port] => gives_up_closing(port.parse()?).await,
        ["stays", port] => stays(begin(port.parse()?).await?).await,
        ["ends", port] => ends(port.parse()?).await,
        ["detaches", port] => detaches(port.parse()?).await,
        ["asks", port] => asks(port.parse()?).await,
        ["cancels-writes", port, bytes] => cancels_writes(port.parse()?, bytes.parse()?).await,
        ["states", port] => states(port.parse()?).await,
        ["nests", levels] => nests(levels.parse()?).await,
        ["nests-late"] => nests_late().await,
        ["wishes", port] => wishes(port.parse()?).await,
        ["refuses"] => refuses().await,
        _ => Err("no such thing to do".into()),
    }
}

/// Begins a session with the peer.
async fn begin(port: u16) -> Result<Session, Box<dyn Error>> {
    let connection = wrap(&client(), connect(port).await?, NAME)?;
    Ok(Session::begin(connection).await?)
}

/// Sends back the bytes of one connection.
async fn serves(context: Context) -> Outcome {
    let mut listener = Listener::open()?;
    let socket = listener.accept().await?;
    let mut session = Session::begin(wrap(&context, socket, None)?).await?;
    let details = &session.details;
    println!(
        "{} {} {} bits, {:?}, {:?}, {} certificates",
        details.version,
        details.cipher,
        details.cipher_bits,
        details.alpn_protocol,
        details.server_hostname,
        details.peer_certificates.len(),
    );
    session.echo().await;
    println!("{:?}", session.close().await);
    Ok(())
}

/// Serves a connection of which it has received so many bytes already.
async fn upgrades(bytes: usize) -> Outcome {
    let mut listener = Listener::open()?;
    let socket = listener.accept().await?;
    let (mut early, _receive) = socket.receive();
    let mut received = Vec::new();
    while received.len() < bytes {
        let room = Vec::with_capacity(bytes - received.len());
        received.extend(early.read(room).await.1);
    }
    let context = server("server")?;
    let connection = context.wrap_socket(Transport::Tcp(socket), &received, None)?;
    let mut session = Session::begin(connection).await?;
    session.echo().await;
    println!("{:?}", session.close().await);
    Ok(())
}

/// Sends so many bytes and then the end, while it receives the echo.
async fn talks(port: u16, bytes: usize) -> Outcome {
    let session = begin(port).await?;
    let (mut to_send, mut received) = (session.to_send, session.received);
    let sending = async move {
        let rest = to_send.write_all(pattern(bytes)).await;
        drop(to_send);
        (rest.len(), session.send.await)
    };
    let receiving = async {
        let mut all = Vec::new();
        loop {
            match next(&mut received).await {
                more if more.is_empty() => return all,
                more => all.extend(more),
            }
        }
    };
    let ((left, sent), all) = join(sending, receiving).await;
    println!("{left} left, {sent:?}");
    let same = all == pattern(bytes);
    println!("same {same}, {:?}", session.receive.await);
    let closed = Connection::close(session.connection, PATIENCE).await;
    println!("{closed:?}");
    Ok(())
}

/// Sends a line, receives one and closes.
async fn says(port: u16, line: &str) -> Outcome {
    let mut session = begin(port).await?;
    session.write(format!("{line}\n").as_bytes()).await;
    let mut answer = Vec::new();
    while answer.last() != Some(&b'\n') {
        answer.extend(session.read().await);
    }
    println!("{}", String::from_utf8_lossy(&answer).trim_end());
    println!("{:?}", session.close().await);
    Ok(())
}

/// Prints the result of a handshake with this time limit.
async fn meets(port: u16, milliseconds: u64) -> Outcome {
    let connection = wrap(&client(), connect(port).await?, NAME)?;
    match connection.handshake(milliseconds * 1_000_000).await {
        Ok(details) => println!("{}", details.version),
        Err(code) => println!("{code:?}"),
    }
    println!("again {:?}", connection.handshake(PATIENCE).await.err());
    Ok(())
}

/// Receives to the end, then closes.
async fn receives(port: u16) -> Outcome {
    let mut session = begin(port).await?;
    let mut bytes = Vec::new();
    loop {
        match session.read().await {
            more if more.is_empty() => break,
            more => bytes.extend(more),
        }
    }
    println!("{}", String::from_utf8_lossy(&bytes));
    println!("{:?}", session.close().await);
    Ok(())
}

/// Closes a session that it has not used, with this time limit for the peer.
async fn closes(port: u16, milliseconds: u64) -> Outcome {
    let connection = wrap(&client(), connect(port).await?, NAME)?;
    connection.handshake(PATIENCE).await?;
    let closed = Connection::close(connection, milliseconds * 1_000_000).await;
    println!("{closed:?}");
    Ok(())
}

/// Drops a session that is in use.
async fn drops(port: u16) -> Outcome {
    let mut session = begin(port).await?;
    session.write(b"begun").await;
    let (mut received, mut to_send) = (session.received, session.to_send);
    let connection = session.connection;
    // The order matters: the read has to be under way.
    let (read, ()) = join(next(&mut received), async { drop(connection) }).await;
    println!("read {read:?}, {:?}", session.receive.await);
    let rest = to_send.write_all(b"more".to_vec()).await;
    println!("{} left, {:?}", rest.len(), session.send.await);
    stay().await
}

/// Cancels a close that waits until everything is sent.
async fn gives_up_closing(port: u16) -> Outcome {
    let mut session = begin(port).await?;
    session.write(b"begun").await;
    {
        let mut closing = pin!(Connection::close(session.connection, PATIENCE));
        let waits = poll_fn(|cx| Poll::Ready(closing.as_mut().poll(cx).is_pending()));
        assert!(waits.await);
    }
    println!("{:?}", session.receive.await);
    println!("{:?}", session.send.await);
    stay().await
}

/// Waits until the program is stopped.
async fn stay() -> Outcome {
    println!("stays");
    pending().await
}

/// Holds a session in use until the program is stopped.
async fn stays(mut session: Session) -> Outcome {
    session.write(b"begun").await;
    stay().await
}

/// Ends the data of a session and holds it until the program is stopped.
async fn ends(port: u16) -> Outcome {
    let mut session = begin(port).await?;
    session.write(b"all").await;
    drop(session.to_send);
    session.send.await?;
    let _kept = session.connection;
    stay().await
}

/// Begins a session on a socket whose streams are in use.
async fn detaches(port: u16) -> Outcome {
    let socket = connect(port).await?;
    let (mut received, receive) = socket.receive();
    let (mut to_send, data) = wit_stream::new();
    let send = socket.send(data);
    // The order matters: the read has to be under way.
    let (read, connection) =
        join(next(&mut received), async { wrap(&client(), socket, NAME) }).await;
    println!("read {read:?}, {:?}", receive.await);
    let rest = to_send.write_all(b"plain".to_vec()).await;
    println!("{} left, {:?}", rest.len(), send.await);
    let mut session = Session::begin(connection?).await?;
    session.write(b"hidden").await;
    println!("{}", String::from_utf8_lossy(&session.read().await));
    println!("{:?}", session.close().await);
    Ok(())
}

/// Waits with reads of no bytes, and takes the data in pieces of a byte.
async fn asks(port: u16) -> Outcome {
    let mut session = begin(port).await?;
    {
        let mut asking = pin!(session.received.read(Vec::new()));
        let waits = poll_fn(|cx| Poll::Ready(asking.as_mut().poll(cx).is_pending()));
        println!("waits {}", waits.await);
        session.to_send.write_all(b"abc".to_vec()).await;
        println!("{:?}", asking.await.0);
    }
    for _ in 0..3 {
        let (_, byte) = session.received.read(Vec::with_capacity(1)).await;
        println!("{}", String::from_utf8_lossy(&byte));
    }
    println!("{:?}", session.close().await);
    Ok(())
}

/// Sends so many bytes by writes that it cancels at once.
async fn cancels_writes(port: u16, bytes: usize) -> Outcome {
    let mut session = begin(port).await?;
    let all = pattern(bytes);
    let mut rest = all.as_slice();
    while !rest.is_empty() {
        let piece = rest.get(..100_000).unwrap_or(rest).to_vec();
        let whole = piece.len();
        let mut writing = Box::pin(session.to_send.write(piece));
        let done = poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx))).await;
        let left = match done {
            Poll::Ready((_, left)) => left.remaining(),
            Poll::Pending => writing.as_mut().cancel().1.remaining(),
        };
        drop(writing);
        rest = rest.get(whole - left..).unwrap_or_default();
        asyncio_streams::sleep(std::time::Duration::from_micros(100)).await;
    }
    println!("{:?}", session.close().await);
    Ok(())
}

/// Calls everything in every state.
async fn states(port: u16) -> Outcome {
    let context = client();
    let unconnected = wrap(&context, create()?, NAME);
    println!("unconnected {:?}", unconnected.err());

    let socket = connect(port).await?;
    let (to_send, data) = wit_stream::new();
    let send = socket.send(data);
    drop(to_send);
    send.await?;
    println!("ended {:?}", wrap(&context, socket, NAME).err());

    let connection = wrap(&context, connect(port).await?, NAME)?;
    tell("new", &connection).await;
    println!("close {:?}", Connection::close(connection, PATIENCE).await);

    let connection = wrap(&context, connect(port).await?, NAME)?;
    connection.handshake(PATIENCE).await?;
    let _first = connection.receive();
    let (_to_send, data) = wit_stream::new();
    let _first = connection.send(data);
    tell("open", &connection).await;
    println!("again {:?}", connection.handshake(PATIENCE).await.err());
    Ok(())
}

/// Begins sessions inside one another at both ends, until one is refused.
async fn nests(levels: usize) -> Outcome {
    let mut listener = Listener::open()?;
    let (of_server, of_client) = (server("server")?, client());
    let (mut one, mut other) = listener
        .sessions(&of_server, &of_client, "localhost")
        .await?;
    for _ in 1..levels {
        let (inner, outer) = (one.wrap(&of_server, None)?, other.wrap(&of_client, NAME)?);
        (one, other) = try_join(Session::begin(inner), Session::begin(outer)).await?;
    }
    other.write(b"question").await;
    println!("{}", String::from_utf8_lossy(&one.read().await));
    one.write(b"answer").await;
    println!("{}", String::from_utf8_lossy(&other.read().await));
    let (closed, also) = join(one.close(), other.close()).await;
    println!("{closed:?}, {also:?}");
    Ok(())
}

/// Begins a session inside another one in every state of that.
async fn nests_late() -> Outcome {
    let mut listener = Listener::open()?;
    let (of_server, of_client) = (server("server")?, client());
    let inside = |connection| {
        let wrapped = of_client.wrap_socket(Transport::Tls(connection), &[], NAME);
        wrapped.err()
    };

    let (_accepted, connected) = listener.pair().await?;
    println!("new {:?}", inside(wrap(&of_client, connected, NAME)?));

    let sessions = listener.sessions(&of_server, &of_client, "localhost");
    let (_one, other) = sessions.await?;
    drop(other.to_send);
    other.send.await?;
    println!("ended {:?}", inside(other.connection));

    // The first byte of the inner session is received before that session begins.
    let sessions = listener.sessions(&of_server, &of_client, "localhost");
    let (mut one, other) = sessions.await?;
    let connected = other.wrap(&of_client, NAME)?;
    let asking = async {
        println!("asked {:?}", one.received.read(Vec::new()).await.0);
        Session::begin(one.wrap(&of_server, None)?).await
    };
    let (mut one, mut other) = try_join(asking, Session::begin(connected)).await?;
    other.write(b"hello").await;
    println!("{}", String::from_utf8_lossy(&one.read().await));

    // A read that waits on the outer session ends.
    let sessions = listener.sessions(&of_server, &of_client, "localhost");
    let (one, mut other) = sessions.await?;
    let connection = other.connection;
    // The order matters: the read has to be under way.
    let (read, wrapped) = join(next(&mut other.received), async {
        of_client.wrap_socket(Transport::Tls(connection), &[], NAME)
    })
    .await;
    println!("read {read:?}, {:?}", other.receive.await);
    let rest = other.to_send.write_all(b"plain".to_vec()).await;
    println!("{} left, {:?}", rest.len(), other.send.await);
    let begun = try_join(
        Session::begin(one.wrap(&of_server, None)?),
        Session::begin(wrapped?),
    );
    let (mut one, other) = begun.await?;

    // An inner session that is cut short cuts the outer one short.
    drop(other);
    println!("cut {:?}", one.read().await);
    println!("{:?}", one.receive.await);
    Ok(())
}

/// Uses both halves where they are not available.
async fn tell(state: &str, connection: &Connection) {
    let (mut received, receive) = connection.receive();
    let nothing = next(&mut received).await;
    let (mut to_send, data) = wit_stream::new();
    let send = connection.send(data);
    let rest = to_send.write_all(b"x".to_vec()).await;
    println!(
        "{state} {nothing:?} {:?}, {} left {:?}",
        receive.await,
        rest.len(),
        send.await
    );
}

/// Asks for everything that a policy may permit.
async fn wishes(port: u16) -> Outcome {
    let roots = client().load_verify_locations(b"no roots");
    println!("roots {roots:?}");
    println!("identity {:?}", server("server").err());
    println!("nobody {:?}", server("nobody").err());
    let unverified = client().set_verify_mode(VerifyMode::None);
    println!("unverified {unverified:?}");
    let unnamed = wrap(&client(), connect(port).await?, None);
    println!("unnamed {:?}", unnamed.err());
    Ok(())
}

/// Asks for what is refused under every policy.
async fn refuses() -> Outcome {
    let mut listener = Listener::open()?;
    for (begins, received) in [
        ("nothing", ""),
        ("a handshake", "\x16\x03"),
        ("else", "GET /"),
    ] {
        let (accepted, connected) = listener.pair().await?;
        let refused = |context: &Context, socket: Socket| {
            let transport = Transport::Tcp(socket);
            let wrapped = context.wrap_socket(transport, received.as_bytes(), NAME);
            wrapped.err()
        };
        println!(
            "{begins}: server {:?}, client {:?}",
            refused(&server("server")?, accepted),
            refused(&client(), connected)
        );
    }
    let (accepted, connected) = listener.pair().await?;
    println!("name {:?}", wrap(&client(), connected, Some("a b")).err());
    let nobody = Context::new(Side::Server);
    println!("nobody {:?}", wrap(&nobody, accepted, None).err());
    let optional = client().set_verify_mode(VerifyMode::Optional);
    println!("optional {optional:?}");
    let empty: Result<(), ErrorCode> = client().set_alpn_protocols(&[String::new()]);
    println!("protocol {empty:?}");
    Ok(())
}

asyncio_streams::run!(program);
