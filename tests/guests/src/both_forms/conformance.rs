// Runs the battery of tests/conformance over TCP or a Unix socket, or TLS on either. The
// peer of each connection is the test that runs this program. It takes commands on a
// connection of their own.
//
// Arguments: `client`, `server`, `tls-client` or `tls-server`; a host, the port where the
// peer takes commands, and the port where it takes connections. With Unix sockets these
// are paths: of the program's server, and the two of the peer. Then a part of the names
// of the checks to run (all, if there is none), or names of checks to leave out, each
// after a `-`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use asyncio_streams::{println, spawn};
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::future::join;
use futures::lock::Mutex;
use net::{
    Address, ConnectError, ConnectOptions, Server, ServerOptions, SslContext, StreamReader,
    StreamWriter, UnixAddress,
};

#[path = "../../../conformance/mod.rs"]
mod battery;

type Outcome = Result<(), Box<dyn Error>>;

/// Lets other tasks run.
async fn pause() {
    asyncio_streams::sleep(Duration::from_millis(1)).await;
}

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [role, host, commands, connections, filter @ ..] = args.as_slice() else {
        return Err("usage: conformance [tls-]client|[tls-]server HOST PORT PORT [CHECK]".into());
    };
    let is_wanted = |name: &str| {
        filter.iter().all(|one| match one.strip_prefix('-') {
            Some(other) => name != other,
            None => name.contains(one.as_str()),
        })
    };
    let client = |options| Role::Client {
        options,
        host: host.clone(),
        place: connections.clone(),
    };
    let (connect, serve) = (ConnectOptions::new(), ServerOptions::new());
    let role = match role.as_str() {
        "client" => client(connect),
        "tls-client" => client(connect.ssl(SslContext::client()).server_hostname("localhost")),
        "server" => Role::Server(Accepting::start(serve, host).await?),
        "tls-server" => {
            let serve = serve.ssl(SslContext::server().use_identity("server"));
            Role::Server(Accepting::start(serve, host).await?)
        }
        other => return Err(format!("no such role: {other}").into()),
    };
    let opened = open(&ConnectOptions::new(), host, commands).await?;
    let pairs = Pairs {
        puppet: Rc::new(Puppet::new(opened)),
        is_unix: is_path(host),
        role,
    };
    for (name, check) in battery::battery::<Pairs>() {
        if is_wanted(name) {
            println!("check {name}");
            check(&pairs).await;
            println!("ok {name}");
        }
    }
    Ok(())
}

fn is_path(place: &str) -> bool {
    place.starts_with('/')
}

/// Connects to a port of the host, or to a path.
async fn open(
    options: &ConnectOptions,
    host: &str,
    place: &str,
) -> Result<(StreamReader, StreamWriter), ConnectError> {
    match is_path(place) {
        true => options.open_unix_connection(place).await,
        false => options.open_connection(host, place).await,
    }
}

struct Pairs {
    puppet: Rc<Puppet>,
    is_unix: bool,
    role: Role,
}

enum Role {
    Client {
        options: ConnectOptions,
        host: String,
        place: String,
    },
    Server(Accepting),
}

/// A server whose connections are accepted one by one.
struct Accepting {
    server: Server,
    accepted: Mutex<UnboundedReceiver<(StreamReader, StreamWriter)>>,
}

impl Accepting {
    async fn start(options: ServerOptions, host: &str) -> Result<Accepting, Box<dyn Error>> {
        let (sender, accepted) = unbounded();
        // A plain callback hands the connection over.
        let taken = move |reader, writer| sender.unbounded_send((reader, writer));
        Ok(Accepting {
            server: match is_path(host) {
                true => options.start_unix_server(taken, host).await?,
                false => options.start_server(taken, host, 0).await?,
            },
            accepted: Mutex::new(accepted),
        })
    }

    /// The port, or the path, where it listens.
    fn place(&self) -> String {
        match self.server.sockets().first().unwrap() {
            Address::Unix(UnixAddress::Path(path)) => String::from_utf8(path.clone()).unwrap(),
            address => address.port().unwrap().to_string(),
        }
    }
}

impl battery::Maker for Pairs {
    type Peer = Peer;

    async fn pair(&self, limit: usize) -> (StreamReader, StreamWriter, Peer) {
        let (reader, writer, number) = match &self.role {
            Role::Client { options, host, place } => {
                let options = options.clone().limit(limit);
                // Both at once, because a handshake needs both ends.
                let opening = open(&options, host, place);
                let (opened, taken) = join(opening, self.puppet.ask("accept", b"")).await;
                let (reader, writer) = opened.unwrap();
                (reader, writer, taken.0)
            }
            Role::Server(accepting) => {
                let place = accepting.place();
                let number = self.puppet.ask(&format!("connect {place}"), b"").await.0;
                let next = accepting.accepted.lock().await.next().await;
                let (reader, writer) = next.unwrap();
                reader.set_limit(limit).unwrap();
                (reader, writer, number)
            }
        };
        let peer = Peer {
            puppet: self.puppet.clone(),
            number,
            is_unix: self.is_unix,
        };
        (reader, writer, peer)
    }
}

/// The other end of a connection, in the test that runs this program.
struct Peer {
    puppet: Rc<Puppet>,
    number: u64,
    is_unix: bool,
}

impl battery::Peer for Peer {
    async fn send(&mut self, bytes: &[u8]) {
        let command = format!("send {} {}", self.number, bytes.len());
        self.puppet.ask(&command, bytes).await;
    }

    async fn receive(&mut self, count: usize) -> Vec<u8> {
        let command = format!("receive {} {count}", self.number);
        self.puppet.ask(&command, b"").await.1
    }

    async fn finish(&mut self) {
        self.puppet.ask(&format!("finish {}", self.number), b"").await;
    }

    async fn stay(&mut self) {
        self.puppet.ask(&format!("stay {}", self.number), b"").await;
    }

    async fn ignore(&mut self) {
        self.puppet.ask(&format!("ignore {}", self.number), b"").await;
    }

    async fn reset(&mut self, writer: &StreamWriter) {
        if self.is_unix {
            self.ignore().await;
            // The write is refused where everything was written; then that is the unread
            // data.
            drop(writer.write("unread"));
        }
        self.puppet.ask(&format!("reset {}", self.number), b"").await;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.puppet.dropped.borrow_mut().push_back(self.number);
    }
}

/// The commands to the test that runs this program: a line each, and the answer.
struct Puppet {
    reader: StreamReader,
    writer: StreamWriter,
    /// The peers that were dropped.
    dropped: RefCell<VecDeque<u64>>,
}

impl Puppet {
    fn new((reader, writer): (StreamReader, StreamWriter)) -> Puppet {
        Puppet {
            reader,
            writer,
            dropped: RefCell::default(),
        }
    }

    /// Returns the number in the answer, and as many bytes if the command asks for bytes.
    async fn ask(&self, command: &str, payload: &[u8]) -> (u64, Vec<u8>) {
        loop {
            let dropped = self.dropped.borrow_mut().pop_front();
            let Some(number) = dropped else { break };
            self.line(&format!("drop {number}"), b"").await;
        }
        let number = self.line(command, payload).await;
        let bytes = match command.starts_with("receive") {
            true => self.reader.readexactly(number as usize).await.unwrap().to_vec(),
            false => Vec::new(),
        };
        (number, bytes)
    }

    async fn line(&self, command: &str, payload: &[u8]) -> u64 {
        self.writer.write(format!("{command}\n")).unwrap();
        self.writer.write(payload).unwrap();
        self.writer.drain().await.unwrap();
        let answer = self.reader.readline().await.unwrap();
        let answer = std::str::from_utf8(&answer).unwrap();
        answer.trim_end().parse().unwrap()
    }
}

asyncio_streams::run!(program);
