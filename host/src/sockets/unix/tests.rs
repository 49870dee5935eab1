//! The files of sockets, and what becomes of them.

use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, symlink};
use std::os::unix::net;
use std::path::Path;
use std::sync::Arc;

use futures::FutureExt as _;
use rustix::io::Errno;
use tempfile::TempDir;
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::path::SocketFile;
use super::{Connecting, UnixAddress, UnixSocket, UnixSocketError, open};
use crate::StopHandle;
use crate::access::{self, InheritedListener, SocketPermit, testing};
use crate::policy::UnixName;
use crate::sockets::SharedListeners;
use crate::sockets::stop::StopListening as _;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn permit() -> SocketPermit {
    testing::permit()
}

fn created() -> UnixSocket {
    UnixSocket::create(permit()).unwrap()
}

/// A connect of a new socket.
fn connecting(path: &Path) -> Connecting {
    Connecting::new(open().unwrap(), testing::connect_unix(&name(path)))
}

fn name(path: &Path) -> UnixName {
    UnixName::path(path.as_os_str().as_encoded_bytes()).unwrap()
}

fn bound(path: &Path) -> Result<UnixSocket, UnixSocketError> {
    let mut socket = created();
    socket.bind(&testing::bind_unix(&name(path), 0o600), None)?;
    Ok(socket)
}

fn is_in_use(result: Result<UnixSocket, UnixSocketError>) -> bool {
    match result {
        Err(UnixSocketError::Kernel(error)) => {
            Errno::from_io_error(&error) == Some(Errno::ADDRINUSE)
        }
        _ => false,
    }
}

/// Leaves a file as a process that was killed does.
fn left(path: &Path) {
    drop(net::UnixListener::bind(path).unwrap());
    assert!(path.exists());
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_file_that_a_killed_process_has_left_is_replaced() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    left(&path);
    let socket = bound(&path).unwrap();
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket());
    assert_eq!(mode(&path), 0o600);
    drop(socket);
    assert!(!path.exists());
}

#[test]
fn a_file_with_a_listener_stays() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    let live = net::UnixListener::bind(&path).unwrap();
    assert!(is_in_use(bound(&path)));
    // The listener has met the probe, and serves the next peer.
    live.accept().unwrap();
    net::UnixStream::connect(&path).unwrap();
    live.accept().unwrap();
}

#[test]
fn a_socket_with_a_full_queue_is_not_left() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    let socket = open().unwrap();
    rustix::net::bind(&socket, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let _waiting = net::UnixStream::connect(&path).unwrap();
    assert!(is_in_use(bound(&path)));
    assert!(path.exists());
}

#[test]
fn one_for_datagrams_is_in_use_as_long_as_it_lives() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    let live = net::UnixDatagram::bind(&path).unwrap();
    assert!(is_in_use(bound(&path)));
    drop(live);
    bound(&path).unwrap();
}

#[test]
fn one_of_this_process_is_in_use_before_it_listens() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    let first = bound(&path).unwrap();
    assert!(is_in_use(bound(&path)));
    drop(first);
    bound(&path).unwrap();
}

#[test]
fn a_file_that_is_no_socket_stays() {
    let folder = folder();
    let path = folder.path().join("file");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(bound(&path), Err(UnixSocketError::NotASocket)));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    let inner = folder.path().join("folder");
    fs::create_dir(&inner).unwrap();
    assert!(matches!(bound(&inner), Err(UnixSocketError::NotASocket)));
    let nowhere = folder.path().join("nowhere/a.sock");
    assert!(matches!(bound(&nowhere), Err(UnixSocketError::NotFound)));
    let within = path.join("a.sock");
    assert!(matches!(bound(&within), Err(UnixSocketError::NotFound)));
}

#[test]
fn a_link_is_neither_followed_nor_replaced() {
    let folder = folder();
    let (path, target) = (folder.path().join("link"), folder.path().join("a.sock"));
    symlink("a.sock", &path).unwrap();
    for there in [false, true] {
        if there {
            left(&target);
        }
        let Err(UnixSocketError::Link(says)) = bound(&path) else {
            panic!("bound, with a target: {there}");
        };
        assert_eq!(says, Path::new("a.sock"));
        assert!(path.is_symlink());
        assert_eq!(target.exists(), there);
    }
    let live = bound(&target);
    let connected = connecting(&path).connect().now_or_never();
    assert!(
        matches!(connected, Some(Err(UnixSocketError::Link(_)))),
        "{connected:?}"
    );
    drop(live);
}

#[test]
fn links_to_the_folder_are_followed() {
    let folder = folder();
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real", folder.path().join("run")).unwrap();
    let socket = bound(&folder.path().join("run/a.sock")).unwrap();
    let path = folder.path().join("real/a.sock");
    assert!(path.exists());
    drop(socket);
    assert!(!path.exists());
}

#[test]
fn the_file_has_its_mode_under_any_umask() {
    let folder = folder();
    for wanted in [0o600, 0o660, 0o666, 0o777] {
        let path = folder.path().join(format!("{wanted:o}"));
        let mut socket = created();
        socket
            .bind(&testing::bind_unix(&name(&path), wanted), None)
            .unwrap();
        assert_eq!(mode(&path), wanted);
    }
}

#[test]
fn a_file_of_another_process_is_not_removed() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    let socket = bound(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let theirs = net::UnixListener::bind(&path).unwrap();
    drop(socket);
    assert!(path.exists());
    drop(theirs);

    let socket = bound(&folder.path().join("b.sock")).unwrap();
    fs::rename(&path, folder.path().join("b.sock")).unwrap();
    drop(socket);
    assert!(folder.path().join("b.sock").exists());
}

#[test]
fn a_file_that_is_to_stay_stays() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    for before in [true, false] {
        let mut socket = created();
        if before {
            socket.set_unlink(false);
        }
        socket
            .bind(&testing::bind_unix(&name(&path), 0o600), None)
            .unwrap();
        socket.set_unlink(false);
        drop(socket);
        assert!(path.exists(), "set before the bind: {before}");
    }
}

#[test]
fn a_bind_that_fails_leaves_the_socket_as_it_was() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    let mut socket = created();
    let nowhere = name(&folder.path().join("nowhere/a.sock"));
    assert!(
        socket
            .bind(&testing::bind_unix(&nowhere, 0o600), None)
            .is_err()
    );
    socket
        .bind(&testing::bind_unix(&name(&path), 0o600), None)
        .unwrap();
    let address = socket.local_address().unwrap();
    assert_eq!(
        address,
        UnixAddress::Path(path.as_os_str().as_encoded_bytes().to_vec())
    );
}

#[test]
fn a_file_is_removed_once() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    let socket = open().unwrap();
    let file = SocketFile::bind(socket.as_fd(), &path, 0o600).unwrap();
    file.remove();
    assert!(!path.exists());
    let again = bound(&path).unwrap();
    drop(file);
    assert!(path.exists());
    drop(again);
}

#[tokio::test]
async fn a_listener_that_is_closed_refuses_and_has_no_file() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    let mut socket = bound(&path).unwrap();
    let (listener, _) = socket.listen().unwrap();
    let before = connecting(&path);
    before.connect().await.unwrap();
    fs::hard_link(&path, folder.path().join("b.sock")).unwrap();
    listener.close();
    assert!(!path.exists());
    let refused = net::UnixStream::connect(folder.path().join("b.sock")).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn guests_that_share_a_path_have_its_file_until_the_last_is_done() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    let listeners = SharedListeners::new();
    let (one, other) = (listeners.join(), listeners.join());
    let (mut first, mut second) = (created(), created());
    first
        .bind(&testing::bind_unix(&name(&path), 0o600), Some(&one.unix))
        .unwrap();
    second
        .bind(&testing::bind_unix(&name(&path), 0o600), Some(&other.unix))
        .unwrap();
    let mut again = created();
    assert!(
        again
            .bind(&testing::bind_unix(&name(&path), 0o600), Some(&one.unix))
            .is_err()
    );

    let ((a, _), (b, _)) = (first.listen().unwrap(), second.listen().unwrap());
    assert!(a.is_first() && !b.is_first());
    a.close();
    drop((a, first));
    let peer = net::UnixStream::connect(&path).unwrap();
    let accepted = std::future::poll_fn(|cx| b.poll_accept(cx)).await;
    accepted.unwrap().unwrap();
    drop(peer);
    b.close();
    assert!(!path.exists());

    // One that is over is not joined.
    let mut anew = created();
    anew.bind(&testing::bind_unix(&name(&path), 0o600), Some(&one.unix))
        .unwrap();
    anew.listen().unwrap();
    net::UnixStream::connect(&path).unwrap();
}

#[tokio::test]
async fn an_inherited_listener_stays_with_the_operator() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    let hosts = net::UnixListener::bind(&path).unwrap();
    let whole = InheritedListener::from(hosts.try_clone().unwrap());
    let access::ListeningSocket::Unix(theirs) = whole.socket().unwrap() else {
        panic!("another kind");
    };
    let mut socket = UnixSocket::inherited(theirs, &testing::inherited(whole), permit());
    assert!(matches!(
        socket.bind(&testing::bind_unix(&name(&path), 0o600), None),
        Err(UnixSocketError::Kernel(_))
    ));
    let (listener, told) = socket.listen().unwrap();
    assert_eq!(told, Some(name(&path)));
    listener.close();
    let closed = std::future::poll_fn(|cx| listener.poll_accept(cx)).await;
    assert!(closed.is_none());
    drop((socket, listener));
    // The next process that listens has it.
    net::UnixStream::connect(&path).unwrap();
    hosts.accept().unwrap();
}

#[tokio::test]
async fn a_connect_waits_while_the_queue_is_full() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    let mut socket = bound(&path).unwrap();
    socket.set_backlog(1).unwrap();
    let (listener, _) = socket.listen().unwrap();
    let mut waiting = Vec::new();
    let last = loop {
        let socket = connecting(&path);
        match socket.connect().now_or_never() {
            Some(connected) => connected.unwrap(),
            None => break socket,
        }
        waiting.push(socket);
    };
    let accepted = async {
        for _ in 0..=waiting.len() {
            let next = std::future::poll_fn(|cx| listener.poll_accept(cx)).await;
            next.unwrap().unwrap();
        }
    };
    let (connected, ()) = tokio::join!(last.connect(), accepted);
    connected.unwrap();
}

fn pair(stop: &StopHandle) -> (UnixSocket, UnixSocket) {
    let charge = |bytes| testing::guard(1 << 20).charge(bytes);
    UnixSocket::pair([permit(), permit()], stop, charge).unwrap()
}

#[tokio::test]
async fn a_pair_counts_as_what_the_kernel_may_keep_for_it_until_both_ends_are_closed() {
    let stop = StopHandle::new(Arc::default());
    let guard = testing::guard(2 << 20);
    let used = || guard.stats().snapshot().memory_bytes;
    let charge = |bytes| guard.charge(bytes);
    let (one, other) = UnixSocket::pair([permit(), permit()], &stop, charge).unwrap();
    let before = used();
    let size = |socket: &UnixSocket| socket.options().unwrap().send_buffer_size().unwrap();
    assert_eq!(before as u64, 2 * (size(&one) + size(&other)));
    // A larger buffer would not be charged.
    let options = one.options().unwrap();
    options.set_send_buffer_size(10 * size(&one)).unwrap();
    assert_eq!(2 * (size(&one) + size(&other)), before as u64);
    drop(one);
    assert_eq!(used(), before);
    drop(other);
    assert_eq!(used(), 0);

    let mut pairs = Vec::new();
    let full = loop {
        match UnixSocket::pair([permit(), permit()], &stop, charge) {
            Ok(pair) => pairs.push(pair),
            Err(code) => break code,
        }
    };
    assert!(matches!(full, ErrorCode::OutOfMemory), "{full:?}");
    assert_eq!(pairs.len(), (2 << 20) / before);
}

#[tokio::test]
async fn the_ends_of_a_pair_do_not_tell_the_process_of_the_host() {
    let stop = StopHandle::new(Arc::default());
    let (one, _other) = pair(&stop);
    let refused = one.peer_credentials().unwrap_err();
    assert!(matches!(refused, ErrorCode::NotSupported), "{refused:?}");
}

#[tokio::test]
async fn an_end_without_a_name_is_unnamed() {
    let stop = StopHandle::new(Arc::default());
    let (one, other) = pair(&stop);
    for socket in [one, other] {
        assert_eq!(socket.local_address().unwrap(), UnixAddress::Unnamed);
        assert_eq!(socket.remote_address().unwrap(), UnixAddress::Unnamed);
    }
}

#[tokio::test]
async fn one_of_a_pair_receives_what_the_other_sends_without_a_stream() {
    let stop = StopHandle::new(Arc::default());
    let (one, other) = pair(&stop);
    assert_eq!(other.connected().unwrap().receive_now(10).unwrap(), None);
    assert_eq!(one.connected().unwrap().send_now(b"abc").unwrap(), 3);
    assert_eq!(
        other.connected().unwrap().receive_now(0).unwrap(),
        Some(Vec::new())
    );
    assert_eq!(
        other.connected().unwrap().receive_now(2).unwrap(),
        Some(b"ab".to_vec())
    );
    assert_eq!(
        other.connected().unwrap().receive_now(u64::MAX).unwrap(),
        Some(b"c".to_vec())
    );
    let mut sent = 0;
    loop {
        match one.connected().unwrap().send_now(&[0; 100_000]).unwrap() {
            0 => break,
            more => sent += more,
        }
    }
    drop(one);
    let mut received = 0;
    loop {
        match other.connected().unwrap().receive_now(u64::MAX).unwrap() {
            Some(bytes) if bytes.is_empty() => break,
            bytes => received += bytes.unwrap().len(),
        }
    }
    assert_eq!(received, sent);
    let broken = other.connected().unwrap().send_now(b"x").unwrap_err();
    assert!(matches!(broken, ErrorCode::ConnectionBroken), "{broken:?}");
}
