//! Checks TCP_NODELAY as the kernel has it. The programs run in the test's own process,
//! because the test may query the descriptors of that process only.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use asyncio_streams_host::policy::Policy;
use asyncio_streams_host::{Cache, Runner, StreamsCtx, compose, engine};
use socket2::SockRef;
use tokio::sync::oneshot;
use wasmtime_wasi::WasiCtx;

use crate::support::listening::Listening;
use crate::support::{PATIENCE, cache, component};

/// A program on a thread of this process. Dropping it ends both.
struct Inside {
    listening: Receiver<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Inside {
    /// Starts a program that may connect and listen on 127.0.0.1.
    fn run(name: &str, args: &[&str]) -> Inside {
        let rule = "tcp://127.0.0.1:*";
        let mut policy = Policy::new();
        policy.allow_connect(rule.parse().unwrap());
        policy.allow_listen(rule.parse().unwrap());
        let (sender, listening) = channel();
        let ctx = StreamsCtx::builder()
            .policy(policy)
            .observer(Listening::new(move |address| sender.send(address).unwrap()));
        let wasi = WasiCtx::builder().arg(name).args(args).build();
        let program = fs::read(component(name)).unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let engine = engine().unwrap();
            let streams = compose::builtin_streams();
            let cache = Cache::open(cache()).unwrap();
            let component = cache.component(&engine, &program, streams).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let running = Runner::new(ctx.build(), wasi).run(&engine, &component);
            runtime.block_on(async {
                tokio::select! {
                    ended = running => drop(ended.unwrap()),
                    _ = stopped => {}
                }
            });
        });
        Inside {
            listening,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn listening(&self) -> SocketAddr {
        self.listening.recv_timeout(PATIENCE).unwrap()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || ended.is_some_and(|ended| ended.is_ok()));
    }
}

/// Returns whether TCP_NODELAY is set on the other end of this connection.
fn no_delay_at_the_other_end(of: &TcpStream) -> bool {
    let (near, far) = (of.local_addr().unwrap(), of.peer_addr().unwrap());
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = descriptors().find_map(|fd| no_delay(fd, far, near)) {
            return found;
        }
        assert!(Instant::now() < deadline, "nobody has the other end");
    }
}

fn descriptors() -> impl Iterator<Item = RawFd> {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    descriptors.map(|entry| {
        entry
            .unwrap()
            .file_name()
            .to_str()
            .unwrap()
            .parse()
            .unwrap()
    })
}

#[expect(unsafe_code, reason = "another thread has the descriptor")]
fn no_delay(fd: RawFd, local: SocketAddr, peer: SocketAddr) -> Option<bool> {
    // SAFETY: the descriptor is only queried. If the other thread closes it meanwhile,
    // the query fails or finds other addresses.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let socket = SockRef::from(&fd);
    let is = |found: std::io::Result<socket2::SockAddr>, wanted| {
        found.is_ok_and(|found| found.as_socket() == Some(wanted))
    };
    let found = is(socket.local_addr(), local) && is(socket.peer_addr(), peer);
    found.then(|| socket.tcp_nodelay().unwrap())
}

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

#[test]
fn k10_connections_made_and_accepted_send_at_once() {
    for form in ["", "-wit"] {
        let server = Inside::run(&format!("echo-server{form}"), &["127.0.0.1", "0"]);
        let visit = TcpStream::connect(server.listening()).unwrap();
        assert!(no_delay_at_the_other_end(&visit));

        let (listener, port) = listener();
        let client = Inside::run(&format!("receive{form}"), &["127.0.0.1", &port, "1"]);
        let (visit, _) = listener.accept().unwrap();
        assert!(no_delay_at_the_other_end(&visit));
        drop((visit, client));
    }
}

#[test]
fn connections_do_not_send_at_once_where_they_or_their_listener_were_told() {
    let (listener, port) = listener();
    let program = Inside::run("tcp-options", &["delays", &port]);
    let (made, _) = listener.accept().unwrap();
    let accepted = TcpStream::connect(program.listening()).unwrap();
    // The program sets the option after connecting, and sets up the listener after that.
    assert!(!no_delay_at_the_other_end(&made));
    assert!(!no_delay_at_the_other_end(&accepted));
}
