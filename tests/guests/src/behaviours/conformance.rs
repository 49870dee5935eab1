// Runs the battery of tests/conformance over TCP. The peer of each connection
// is the test that runs this program, which does as it is told on a connection
// of its own.
//
// Arguments: `client` or `server`, a host, the port where the peer takes
// commands, the port where it takes connections, and a part of the names of
// the checks to run (all, if there is none).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use asyncio_streams::{println, spawn};
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::lock::Mutex;
use net::{Server, StreamReader, StreamWriter, open_connection, start_server};

#[path = "../../../conformance/mod.rs"]
mod battery;

type Outcome = Result<(), Box<dyn Error>>;

/// Lets others run.
async fn pause() {
    asyncio_streams::sleep(Duration::from_millis(1)).await;
}

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [role, host, commands, connections, filter @ ..] = args.as_slice() else {
        return Err("usage: conformance client|server HOST PORT PORT [CHECK]".into());
    };
    let filter = filter.first().map_or("", String::as_str);
    let role = match role.as_str() {
        "client" => Role::Client(host.clone(), connections.parse()?),
        _ => Role::Server(Accepting::start(host).await?),
    };
    let tcp = Tcp {
        puppet: Rc::new(Puppet::new(open_connection(host.as_str(), commands.as_str()).await?)),
        role,
    };
    for (name, check) in battery::battery::<Tcp>() {
        if name.contains(filter) {
            println!("check {name}");
            check(&tcp).await;
            println!("ok {name}");
        }
    }
    Ok(())
}

struct Tcp {
    puppet: Rc<Puppet>,
    role: Role,
}

enum Role {
    Client(String, u16),
    Server(Accepting),
}

/// A server whose connections are taken one by one.
struct Accepting {
    server: Server,
    accepted: Mutex<UnboundedReceiver<(StreamReader, StreamWriter)>>,
}

impl Accepting {
    async fn start(host: &str) -> Result<Accepting, Box<dyn Error>> {
        let (sender, accepted) = unbounded();
        // A plain callback: the connection goes on elsewhere.
        let taken = move |reader, writer| sender.unbounded_send((reader, writer));
        Ok(Accepting {
            server: start_server(taken, host, 0).await?,
            accepted: Mutex::new(accepted),
        })
    }
}

impl battery::Maker for Tcp {
    type Peer = Peer;

    async fn pair(&self, limit: usize) -> (StreamReader, StreamWriter, Peer) {
        let (reader, writer, number) = match &self.role {
            Role::Client(host, port) => {
                let options = net::ConnectOptions::new().limit(limit);
                let opened = options.open_connection(host.as_str(), *port).await;
                let (reader, writer) = opened.unwrap();
                (reader, writer, self.puppet.ask("accept", b"").await.0)
            }
            Role::Server(accepting) => {
                let port = accepting.server.sockets().first().unwrap().port().unwrap();
                let number = self.puppet.ask(&format!("connect {port}"), b"").await.0;
                let next = accepting.accepted.lock().await.next().await;
                let (reader, writer) = next.unwrap();
                reader.set_limit(limit).unwrap();
                (reader, writer, number)
            }
        };
        let puppet = self.puppet.clone();
        (reader, writer, Peer { puppet, number })
    }
}

/// The far end of a connection, in the test that runs this program.
struct Peer {
    puppet: Rc<Puppet>,
    number: u64,
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

    async fn reset(&mut self) {
        self.puppet.ask(&format!("reset {}", self.number), b"").await;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.puppet.dropped.borrow_mut().push_back(self.number);
    }
}

/// Commands to the test that runs this program: a line each, and what it
/// answers.
struct Puppet {
    reader: StreamReader,
    writer: StreamWriter,
    /// Peers that nobody holds any more.
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

    /// The number in the answer, and as many bytes where they were asked for.
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
