//! Makes the host keep as much as it can, in the way that the first argument names, and says
//! how much the host let it have. The policy grants nothing.
//!
//! Arguments: the way, and for `roots` a certificate in PEM.

use std::error::Error;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use asyncio_streams::println;
use asyncio_streams::wasi::clocks::monotonic_clock;
use asyncio_streams::wasi::sockets::ip_name_lookup::{ErrorCode, resolve_addresses};
use asyncio_streams::wasi::sockets::types::{IpAddressFamily, TcpSocket};
use asyncio_streams::wasi::wit_stream;
use guests::tls::{Context, Side, Transport, UnixSocket};

type Outcome = Result<(), Box<dyn Error>>;

const NAME: &str = "localhost";

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["nothing"] => {}
        ["contexts"] => contexts(),
        ["protocols"] => protocols(),
        ["roots", pem] => roots(pem),
        ["names"] => names()?,
        ["sessions"] => sessions(),
        ["pairs"] => pairs(),
        ["sockets"] => hold("sockets", || TcpSocket::create(IpAddressFamily::Ipv4)),
        ["streams"] => hold("streams", || Ok::<_, ()>(wit_stream::new::<u8>())),
        ["waits"] => waits().await,
        ["look-ups"] => look_ups().await,
        _ => return Err("no such thing to hoard".into()),
    }
    Ok(())
}

/// Makes and keeps things until the host refuses one. Says how many there are now and then, in
/// case the host ends the program.
fn hold<T, E: Debug>(what: &str, mut make: impl FnMut() -> Result<T, E>) {
    let mut held = Vec::new();
    let refused = loop {
        match make() {
            Ok(more) => held.push(more),
            Err(why) => break why,
        }
        if held.len() % 100 == 0 {
            println!("{} {what}", held.len());
        }
    };
    println!("{} {what}, then {refused:?}", held.len());
}

/// Makes contexts with the longest lists that are allowed.
fn contexts() {
    let names = vec!["x".repeat(200); 80];
    hold("contexts", || {
        let context = Context::new(Side::Client);
        context.set_alpn_protocols(&names).map(|()| context)
    });
}

/// Gives each of a hundred contexts a list of 10 MB.
fn protocols() {
    let names = vec!["x".repeat(255); 40_000];
    let contexts: Vec<Context> = (0..100).map(|_| Context::new(Side::Client)).collect();
    let refused = contexts.iter().map(|it| it.set_alpn_protocols(&names));
    println!("{:?}", refused.last());
}

/// Gives contexts of servers as many roots as they take.
fn roots(pem: &str) {
    let pem = format!("{pem}\n").repeat(1000);
    hold("contexts with roots", || {
        let context = Context::new(Side::Server);
        context
            .load_verify_locations(pem.as_bytes())
            .map(|()| context)
    });
}

/// Begins sessions with servers whose name has 12 MB.
fn names() -> Outcome {
    let mut name = String::with_capacity(12_000_009);
    name.push('a');
    name.extend(std::iter::repeat_n('\u{ad}', 6_000_000));
    name.push_str(".example");
    let context = Context::new(Side::Client);
    let mut refused = None;
    for _ in 0..45 {
        let (socket, _) = UnixSocket::pair()?;
        let wrapped = context.wrap_socket(Transport::Unix(socket), &[], Some(&name));
        refused = wrapped.err();
    }
    println!("{}", refused.is_some());
    Ok(())
}

fn sessions() {
    let mut others = Vec::new();
    hold("sessions", || {
        let (socket, other) = UnixSocket::pair().map_err(|why| format!("{why:?}"))?;
        others.push(other);
        let context = Context::new(Side::Client);
        let session = context.wrap_socket(Transport::Unix(socket), &[], Some(NAME));
        session.map_err(|why| format!("{why:?}"))
    });
}

/// Fills both directions of each pair.
fn pairs() {
    let data = [0; 64 * 1024];
    let fill = |socket: &UnixSocket| while matches!(socket.send_nowait(&data), Ok(1..)) {};
    hold("pairs", || {
        let (one, other) = UnixSocket::pair()?;
        fill(&one);
        fill(&other);
        Ok::<_, wasi::sockets::types::ErrorCode>((one, other))
    });
}

/// Begins waits that never end.
async fn waits() {
    let mut waits = Vec::new();
    loop {
        let mut wait = Box::pin(monotonic_clock::wait_for(u64::MAX));
        assert!(begin(wait.as_mut()).await.is_none(), "it has ended");
        waits.push(wait);
        if waits.len() % 1000 == 0 {
            println!("{} waits", waits.len());
        }
    }
}

/// Begins look-ups and gives them up, and then keeps as many as the host lets it.
async fn look_ups() {
    for number in 0..200_000 {
        let mut look_up = Box::pin(resolve_addresses(format!("n{number}.invalid")));
        begin(look_up.as_mut()).await;
    }
    println!("200000 look-ups given up");
    let mut held = Vec::new();
    let refused = loop {
        let name = format!("n{}.invalid", held.len());
        let mut look_up = Box::pin(resolve_addresses(name));
        match begin(look_up.as_mut()).await {
            Some(Err(ErrorCode::Other(why))) => break why,
            _ => held.push(look_up),
        }
    };
    println!("{} look-ups, then {refused:?}", held.len());
}

/// Polls a call once.
async fn begin<T>(mut call: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|cx| match call.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

asyncio_streams::run!(program);
