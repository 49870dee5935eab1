//! Checks of servers.

use std::cell::{Cell, RefCell};
use std::future::ready;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use asyncio_streams::{sleep, spawn};
use futures::future::join;

use super::super::net::{
    Address, ErrorCode, Family, Hosts, ListenError, LookupErrorCode, LookupFlags, Server,
    ServerError, ServerFailure, ServerOptions, StreamReader, StreamWriter, open_connection,
    start_server,
};
use super::{Ground, checks, until, waits};

checks! {
    k1_without_a_limit_a_servers_readers_have_64_kib
    ss2_the_callback_may_be_plain_or_asynchronous
    ss3_a_plain_callback_that_fails_closes_its_connection_and_is_reported
    ss4_an_asynchronous_callback_that_fails_closes_its_connection_and_is_reported
    ss5_a_connection_that_nobody_holds_after_the_callback_is_closed
    ss6_without_a_host_it_is_all_interfaces_of_both_families_on_one_port
    ss7_several_hosts_are_one_server_and_duplicates_count_once
    ss7_an_empty_list_of_hosts_is_refused
    ss9_an_address_in_use_fails_the_whole_call_and_leaves_nothing_open
    ss10_a_port_out_of_range_is_refused_and_digits_are_a_port
    ss11_an_address_still_held_by_old_connections_can_be_bound_unless_reuse_is_off
    ss12_a_port_is_shared_where_both_servers_ask_for_it
    ss13_a_server_that_does_not_serve_yet_is_bound_and_refuses
    a_slow_callback_holds_up_nobody
    sv1_the_sockets_are_its_addresses_and_none_once_closed
    sv3_start_serving_twice_is_fine_and_after_close_an_error
    sv4_close_ends_the_listening_and_leaves_connections_alone
    sv5_wait_closed_waits_for_the_listeners_and_the_connections
    sv6_serve_forever_waits_for_close_and_only_one_may_wait
    sv6_a_cancelled_serve_forever_ends_the_server_and_its_connections
    sv7_leaving_the_scope_ends_the_server_and_its_connections
    sv7_leaving_the_scope_aborts_what_does_not_end_in_time
    sv7_a_scope_that_is_dropped_ends_the_server_and_its_connections
    sv9_closing_while_connections_arrive_ends_them_quietly
    close_clients_sends_what_was_written_and_abort_clients_does_not
    dropping_the_server_closes_it
    p2_a_server_ends_although_a_client_neither_reads_nor_leaves
    p9_no_callback_that_ends_leaves_its_client_hanging
    a_lookup_that_fails_is_an_error_with_the_name
}

/// Both ends of a connection to a server.
type End = (StreamReader, StreamWriter);

/// A server whose callback stores its connections, and the latest one.
async fn handing(hosts: impl Into<Hosts>) -> (Server, u16, Rc<RefCell<Vec<End>>>) {
    handing_on(0, hosts).await
}

async fn handing_on(
    port: u16,
    hosts: impl Into<Hosts>,
) -> (Server, u16, Rc<RefCell<Vec<End>>>) {
    let taken: Rc<RefCell<Vec<End>>> = Rc::default();
    let taking = taken.clone();
    let callback = move |reader, writer| taking.borrow_mut().push((reader, writer));
    let server = start_server(callback, hosts, port).await.unwrap();
    let port = server.sockets()[0].port().unwrap();
    (server, port, taken)
}

/// Connects, and waits until the server has the connection.
async fn client(port: u16, taken: &RefCell<Vec<End>>) -> End {
    let before = taken.borrow().len();
    let end = open_connection("127.0.0.1", port).await.unwrap();
    until(|| taken.borrow().len() > before).await;
    end
}

fn failed<T: std::fmt::Debug>(result: Result<T, ListenError>) -> (Address, ErrorCode) {
    match result {
        Err(ListenError::Failed(attempt)) => (attempt.address, attempt.code),
        other => panic!("{other:?}"),
    }
}

fn invalid<T: std::fmt::Debug>(result: Result<T, ListenError>, word: &str) {
    match result {
        Err(ListenError::InvalidArgument(why)) => assert!(why.contains(word), "{why}"),
        other => panic!("{other:?}"),
    }
}

/// Waits until the connection has ended at the other side.
async fn ended(client: &End) {
    // An end or a reset: unread data may have been dropped.
    drop(client.0.read_to_end().await);
}

async fn k1_without_a_limit_a_servers_readers_have_64_kib(_: &Ground) {
    let (_server, port, taken) = handing("127.0.0.1").await;
    let _client = client(port, &taken).await;
    assert_eq!(taken.borrow()[0].0.limit(), 65536);

    let taken: Rc<RefCell<Vec<End>>> = Rc::default();
    let taking = taken.clone();
    let callback = move |reader, writer| taking.borrow_mut().push((reader, writer));
    let options = ServerOptions::new().limit(5);
    let server = options.start_server(callback, "127.0.0.1", 0).await.unwrap();
    let _client = client(server.sockets()[0].port().unwrap(), &taken).await;
    assert_eq!(taken.borrow()[0].0.limit(), 5);

    let options = ServerOptions::new().limit(0);
    invalid(options.start_server(|_, _| {}, "127.0.0.1", 0).await, "limit");
}

async fn greet(_reader: StreamReader, writer: StreamWriter) {
    // The other side shows that it was sent.
    drop(writer.write("hello"));
}

async fn ss2_the_callback_may_be_plain_or_asynchronous(_: &Ground) {
    let plain = |_: StreamReader, writer: StreamWriter| writer.write("hello");
    let nothing = |_: StreamReader, writer: StreamWriter| {
        drop(writer.write("hello"));
    };
    let closure = async |_: StreamReader, writer: StreamWriter| writer.write("hello");
    let future = |_: StreamReader, writer: StreamWriter| ready(writer.write("hello"));
    let everywhere = "127.0.0.1";
    for server in [
        start_server(plain, everywhere, 0).await,
        start_server(nothing, everywhere, 0).await,
        start_server(closure, everywhere, 0).await,
        start_server(future, everywhere, 0).await,
        start_server(greet, everywhere, 0).await,
    ] {
        let server = server.unwrap();
        let port = server.sockets()[0].port().unwrap();
        let (reader, _writer) = open_connection("127.0.0.1", port).await.unwrap();
        assert_eq!(reader.read_to_end().await.unwrap(), "hello");
    }
}

/// Runs a server whose callback fails. Returns its client's address and the report.
async fn failing<C, R, Kind>(callback: C) -> (Address, ServerFailure)
where
    C: FnMut(StreamReader, StreamWriter) -> R + 'static,
    R: asyncio_streams::CallbackResult<Kind>,
    Kind: 'static,
{
    let told: Rc<RefCell<Vec<ServerFailure>>> = Rc::default();
    let telling = told.clone();
    let options =
        ServerOptions::new().on_failure(move |failure| telling.borrow_mut().push(failure.clone()));
    let server = options.start_server(callback, "127.0.0.1", 0).await.unwrap();
    let port = server.sockets()[0].port().unwrap();
    let (reader, writer) = open_connection("127.0.0.1", port).await.unwrap();
    assert_eq!(reader.read_to_end().await.unwrap(), "sorry", "closed, after sending");
    until(|| !told.borrow().is_empty()).await;
    server.close();
    server.wait_closed().await;
    assert_eq!(told.borrow().len(), 1);
    let failure = told.borrow_mut().pop().unwrap();
    (writer.sockname().unwrap(), failure)
}

async fn ss3_a_plain_callback_that_fails_closes_its_connection_and_is_reported(_: &Ground) {
    let kept: Rc<RefCell<Vec<End>>> = Rc::default();
    let keeping = kept.clone();
    let (peer, failure) = failing(move |reader: StreamReader, writer: StreamWriter| {
        writer.write("sorry").map_err(|error| error.to_string())?;
        // Kept, and closed all the same.
        keeping.borrow_mut().push((reader, writer));
        Err::<(), _>("out of tea".to_owned())
    })
    .await;
    let message = "out of tea".to_owned();
    assert_eq!(failure, ServerFailure::Callback { peer: Some(peer), message });
    assert!(kept.borrow()[0].1.is_closing());
}

async fn ss4_an_asynchronous_callback_that_fails_closes_its_connection_and_is_reported(
    _: &Ground,
) {
    let kept: Rc<RefCell<Vec<End>>> = Rc::default();
    let keeping = kept.clone();
    let (peer, failure) = failing(move |reader: StreamReader, writer: StreamWriter| {
        let keeping = keeping.clone();
        async move {
            writer.write("sorry").map_err(|error| error.to_string())?;
            keeping.borrow_mut().push((reader, writer));
            sleep(Duration::from_millis(1)).await;
            Err::<(), _>("out of tea".to_owned())
        }
    })
    .await;
    let message = "out of tea".to_owned();
    assert_eq!(failure, ServerFailure::Callback { peer: Some(peer), message });
}

async fn ss5_a_connection_that_nobody_holds_after_the_callback_is_closed(_: &Ground) {
    let server = start_server(async |_, _| {}, "127.0.0.1", 0).await.unwrap();
    let port = server.sockets()[0].port().unwrap();
    let (reader, _writer) = open_connection("127.0.0.1", port).await.unwrap();
    assert_eq!(reader.read_to_end().await.unwrap(), "");

    // A connection that was given to another task goes on.
    let (_server, port, taken) = handing("127.0.0.1").await;
    let (reader, _writer) = client(port, &taken).await;
    let (far_reader, far) = taken.borrow_mut().pop().unwrap();
    far.write("still here").unwrap();
    assert_eq!(reader.readexactly(10).await.unwrap(), "still here");
    drop(far);
    waits(pin!(reader.read(1))).await;
    drop(far_reader);
    assert_eq!(reader.read(1).await.unwrap(), "");
}

async fn ss6_without_a_host_it_is_all_interfaces_of_both_families_on_one_port(_: &Ground) {
    for hosts in [Hosts::from(()), Hosts::from("")] {
        let (server, port, taken) = handing(hosts).await;
        let sockets = server.sockets();
        assert_eq!(sockets.len(), 2, "{sockets:?}");
        for socket in &sockets {
            assert_eq!(socket.port(), Some(port));
            assert!(socket.ip().unwrap().ip().is_unspecified());
        }
        for host in ["127.0.0.1", "::1"] {
            let _client = open_connection(host, port).await.unwrap();
        }
        until(|| taken.borrow().len() == 2).await;
    }
    let options = ServerOptions::new().family(Family::Ipv4);
    let server = options.start_server(|_, _| {}, (), 0).await.unwrap();
    assert_eq!(server.sockets().len(), 1);
}

async fn ss7_several_hosts_are_one_server_and_duplicates_count_once(_: &Ground) {
    let (server, port, taken) = handing(["127.0.0.1", "::1", "127.0.0.1"]).await;
    assert_eq!(server.sockets().len(), 2);
    for host in ["127.0.0.1", "::1"] {
        let _client = open_connection(host, port).await.unwrap();
    }
    until(|| taken.borrow().len() == 2).await;
}

async fn ss7_an_empty_list_of_hosts_is_refused(_: &Ground) {
    let none: Vec<String> = Vec::new();
    invalid(start_server(|_, _| {}, none, 0).await, "empty");
}

async fn ss9_an_address_in_use_fails_the_whole_call_and_leaves_nothing_open(ground: &Ground) {
    let (server, port, _taken) = handing_on(ground.free_port(), "127.0.0.1").await;
    let second = start_server(|_, _| {}, ["::1", "127.0.0.1"], port).await;
    assert_eq!(failed(second), (server.sockets()[0].clone(), ErrorCode::AddressInUse));
    // The sockets that were opened before are closed again.
    let other = start_server(|_, _| {}, "::1", port).await.unwrap();
    assert_eq!(other.sockets()[0].port(), Some(port));
}

async fn ss10_a_port_out_of_range_is_refused_and_digits_are_a_port(_: &Ground) {
    invalid(start_server(|_, _| {}, "127.0.0.1", 65536).await, "65536");
    invalid(start_server(|_, _| {}, "127.0.0.1", -1).await, "-1");
    match start_server(|_, _| {}, "127.0.0.1", "gofer").await {
        Err(ListenError::Lookup(failure)) => {
            assert_eq!(failure.name, "gofer");
            assert_eq!(failure.code, LookupErrorCode::UnknownService);
        }
        other => panic!("{other:?}"),
    }
    let server = start_server(|_, _| {}, "127.0.0.1", "0").await.unwrap();
    assert!(server.sockets()[0].port().unwrap() > 0);
}

async fn ss11_an_address_still_held_by_old_connections_can_be_bound_unless_reuse_is_off(
    ground: &Ground,
) {
    let (server, port, taken) = handing_on(ground.free_port(), "127.0.0.1").await;
    let (reader, _writer) = client(port, &taken).await;
    // The side that closes first keeps the address for a while.
    taken.borrow_mut().clear();
    assert_eq!(reader.read(1).await.unwrap(), "");
    server.close();
    server.wait_closed().await;
    let strict = ServerOptions::new().reuse_address(false);
    let refused = strict.start_server(|_, _| {}, "127.0.0.1", port).await;
    assert_eq!(failed(refused).1, ErrorCode::AddressInUse);
    let again = start_server(|_, _| {}, "127.0.0.1", port).await.unwrap();
    assert_eq!(again.sockets()[0].port(), Some(port));
}

async fn ss12_a_port_is_shared_where_both_servers_ask_for_it(_: &Ground) {
    let (sharing, alone) = (ServerOptions::new().reuse_port(true), ServerOptions::new());
    for (first, second) in [(&sharing, &alone), (&alone, &sharing)] {
        let server = first.start_server(|_, _| {}, "127.0.0.1", 0).await.unwrap();
        let port = server.sockets()[0].port().unwrap();
        let refused = second.start_server(|_, _| {}, "127.0.0.1", port).await;
        assert_eq!(failed(refused).1, ErrorCode::AddressInUse);
    }
    for hosts in ["127.0.0.1", "::1", ""] {
        let server = sharing.start_server(|_, _| {}, hosts, 0).await.unwrap();
        let port = server.sockets()[0].port().unwrap();
        let other = sharing.start_server(|_, _| {}, hosts, port).await.unwrap();
        assert_eq!(other.sockets(), server.sockets());
    }
}

async fn ss13_a_server_that_does_not_serve_yet_is_bound_and_refuses(_: &Ground) {
    let options = ServerOptions::new().start_serving(false);
    let server = options.start_server(greet, "127.0.0.1", 0).await.unwrap();
    let port = server.sockets()[0].port().unwrap();
    assert!(!server.is_serving());
    let refused = open_connection("127.0.0.1", port).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    server.start_serving().await.unwrap();
    assert!(server.is_serving());
    let (reader, _writer) = open_connection("127.0.0.1", port).await.unwrap();
    assert_eq!(reader.read_to_end().await.unwrap(), "hello");
}

async fn a_slow_callback_holds_up_nobody(_: &Ground) {
    let called = Rc::new(Cell::new(0));
    let calling = called.clone();
    let slow = move |_reader: StreamReader, writer: StreamWriter| {
        calling.set(calling.get() + 1);
        async move {
            let _held = writer;
            std::future::pending::<()>().await;
        }
    };
    let server = start_server(slow, "127.0.0.1", 0).await.unwrap();
    let port = server.sockets()[0].port().unwrap();
    let mut clients = Vec::new();
    for _ in 0..60 {
        clients.push(open_connection("127.0.0.1", port).await.unwrap());
    }
    until(|| called.get() == 60).await;
    server.abort_clients();
}

async fn sv1_the_sockets_are_its_addresses_and_none_once_closed(_: &Ground) {
    let (server, port, _) = handing("127.0.0.1").await;
    let expected: Address = std::net::SocketAddr::from(([127, 0, 0, 1], port)).into();
    assert_eq!(expected.to_string(), format!("127.0.0.1:{port}"));
    assert_eq!(server.sockets(), [expected]);
    assert!(server.is_serving());
    server.close();
    assert!(server.sockets().is_empty());
    assert!(!server.is_serving());
}

async fn sv3_start_serving_twice_is_fine_and_after_close_an_error(_: &Ground) {
    let (server, _, _) = handing("127.0.0.1").await;
    server.start_serving().await.unwrap();
    server.start_serving().await.unwrap();
    server.close();
    assert_eq!(server.start_serving().await, Err(ListenError::Closed));
    assert!(!server.is_serving());
}

async fn sv4_close_ends_the_listening_and_leaves_connections_alone(ground: &Ground) {
    let (server, port, taken) = handing_on(ground.free_port(), "127.0.0.1").await;
    let (reader, writer) = client(port, &taken).await;
    server.close();
    server.close();
    let (far_reader, far) = taken.borrow_mut().pop().unwrap();
    writer.write("question").unwrap();
    assert_eq!(far_reader.readexactly(8).await.unwrap(), "question");
    far.write("answer").unwrap();
    assert_eq!(reader.readexactly(6).await.unwrap(), "answer");
    // The sockets are dropped in the background.
    drop(far_reader);
    drop(far);
    server.wait_closed().await;
    let refused = open_connection("127.0.0.1", port).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

async fn sv5_wait_closed_waits_for_the_listeners_and_the_connections(_: &Ground) {
    let (server, port, taken) = handing("127.0.0.1").await;
    let (reader, _writer) = client(port, &taken).await;
    let mut closed = pin!(server.wait_closed());
    waits(closed.as_mut()).await;
    server.close();
    waits(closed.as_mut()).await;
    taken.borrow_mut().clear();
    closed.await;
    server.wait_closed().await;
    assert_eq!(reader.read(1).await.unwrap(), "");
}

async fn sv6_serve_forever_waits_for_close_and_only_one_may_wait(_: &Ground) {
    let options = ServerOptions::new().start_serving(false);
    let server = options.start_server(greet, "127.0.0.1", 0).await.unwrap();
    {
        let mut serving = pin!(server.serve_forever());
        waits(serving.as_mut()).await;
        assert!(server.is_serving(), "it begins to serve");
        assert_eq!(server.serve_forever().await, Err(ServerError::Busy));
        server.close();
        serving.await.unwrap();
    }
    assert_eq!(server.serve_forever().await, Err(ServerError::Closed));
}

async fn sv6_a_cancelled_serve_forever_ends_the_server_and_its_connections(_: &Ground) {
    let (server, port, taken) = handing("127.0.0.1").await;
    let client = client(port, &taken).await;
    {
        let mut serving = pin!(server.serve_forever());
        waits(serving.as_mut()).await;
    }
    ended(&client).await;
    server.wait_closed().await;
    assert!(!server.is_serving());
}

async fn sv7_leaving_the_scope_ends_the_server_and_its_connections(ground: &Ground) {
    let (server, port, taken) = handing_on(ground.free_port(), "127.0.0.1").await;
    let (client, result) = server
        .scope(async |server| {
            assert!(server.is_serving());
            let client = client(port, &taken).await;
            taken.borrow()[0].1.write("goodbye").unwrap();
            (client, 7)
        })
        .await;
    assert_eq!(result, 7);
    assert_eq!(client.0.read_to_end().await.unwrap(), "goodbye");
    let refused = open_connection("127.0.0.1", port).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

async fn sv7_leaving_the_scope_aborts_what_does_not_end_in_time(_: &Ground) {
    let (server, port, taken) = handing("127.0.0.1").await;
    let client = client(port, &taken).await;
    // The client does not read, so not everything can be sent.
    client.1.transport().pause_reading();
    let (_reader, far) = taken.borrow_mut().pop().unwrap();
    server
        .scope(async |_| far.write(vec![0; 32 << 20]).unwrap())
        .await;
    far.wait_closed().await.unwrap();
    assert!(far.drain().await.is_err());
}

async fn sv7_a_scope_that_is_dropped_ends_the_server_and_its_connections(ground: &Ground) {
    let (server, port, taken) = handing_on(ground.free_port(), "127.0.0.1").await;
    let client = client(port, &taken).await;
    {
        let mut scope = pin!(server.scope(async |_| std::future::pending::<()>().await));
        waits(scope.as_mut()).await;
    }
    ended(&client).await;
    let mut refused = open_connection("127.0.0.1", port).await;
    while refused.is_ok() {
        super::pause().await;
        refused = open_connection("127.0.0.1", port).await;
    }
}

async fn sv9_closing_while_connections_arrive_ends_them_quietly(ground: &Ground) {
    let port = ground.free_port();
    for round in 0..20 {
        let (server, port, taken) = handing_on(port, "127.0.0.1").await;
        let connecting = async {
            let mut clients = Vec::new();
            while let Ok(client) = open_connection("127.0.0.1", port).await {
                clients.push(client);
                if clients.len() > 50 {
                    break;
                }
            }
            clients
        };
        let closing = async {
            let before = round % 4;
            until(|| taken.borrow().len() >= before).await;
            server.close();
            server.close_clients();
        };
        let (clients, ()) = join(connecting, closing).await;
        // A connection was accepted or not; all of them end.
        for client in &clients {
            ended(client).await;
        }
        taken.borrow_mut().clear();
        server.wait_closed().await;
    }
}

async fn close_clients_sends_what_was_written_and_abort_clients_does_not(_: &Ground) {
    let (server, port, taken) = handing("127.0.0.1").await;
    let first = client(port, &taken).await;
    taken.borrow()[0].1.write("the end").unwrap();
    server.close_clients();
    assert_eq!(first.0.read_to_end().await.unwrap(), "the end");
    assert!(server.is_serving(), "the server goes on");

    let second = client(port, &taken).await;
    second.1.transport().pause_reading();
    let far = taken.borrow()[1].1.clone();
    far.write(vec![b'x'; 32 << 20]).unwrap();
    server.abort_clients();
    far.wait_closed().await.unwrap();
    second.1.transport().resume_reading();
    let received = second.0.read_to_end().await.unwrap_or_default();
    assert!(received.len() < 32 << 20);
    server.close();
    server.wait_closed().await;
}

async fn dropping_the_server_closes_it(ground: &Ground) {
    let (server, port, taken) = handing_on(ground.free_port(), "127.0.0.1").await;
    let (reader, _writer) = client(port, &taken).await;
    drop(server);
    let gone = Rc::new(Cell::new(false));
    let noticing = gone.clone();
    spawn(async move {
        while open_connection("127.0.0.1", port).await.is_ok() {
            super::pause().await;
        }
        noticing.set(true);
    });
    until(|| gone.get()).await;
    // Its connections go on.
    taken.borrow()[0].1.write("still here").unwrap();
    assert_eq!(reader.readexactly(10).await.unwrap(), "still here");
}

async fn p2_a_server_ends_although_a_client_neither_reads_nor_leaves(_: &Ground) {
    let (server, port, taken) = handing("127.0.0.1").await;
    let idle = client(port, &taken).await;
    let stalled = client(port, &taken).await;
    stalled.1.transport().pause_reading();
    let far = taken.borrow()[1].1.clone();
    far.write(vec![0; 32 << 20]).unwrap();
    server.close();
    server.close_clients();
    ended(&idle).await;
    let mut closed = pin!(server.wait_closed());
    waits(closed.as_mut()).await;
    server.abort_clients();
    closed.await;
}

async fn p9_no_callback_that_ends_leaves_its_client_hanging(_: &Ground) {
    let host = "127.0.0.1";
    let quiet = ServerOptions::new().on_failure(|_| {});
    for server in [
        quiet.start_server(|_, _| {}, host, 0).await,
        quiet.start_server(|_, _| Err::<(), _>("no"), host, 0).await,
        quiet.start_server(async |_, _| {}, host, 0).await,
        quiet.start_server(async |_, _| Err::<(), _>("no"), host, 0).await,
        quiet.start_server(async |_, _| sleep(Duration::from_millis(1)).await, host, 0).await,
    ] {
        let server = server.unwrap();
        let port = server.sockets()[0].port().unwrap();
        let client = open_connection(host, port).await.unwrap();
        assert_eq!(client.0.read(1).await.unwrap(), "");
        server.close();
        server.wait_closed().await;
    }
}

async fn a_lookup_that_fails_is_an_error_with_the_name(_: &Ground) {
    match start_server(|_, _| {}, "denied.invalid", 0).await {
        Err(ListenError::Lookup(failure)) => {
            assert_eq!(failure.name, "denied.invalid");
            assert_eq!(failure.code, LookupErrorCode::AccessDenied);
        }
        other => panic!("{other:?}"),
    }
    let flags = LookupFlags {
        numeric_host: true,
        ..LookupFlags::default()
    };
    let options = ServerOptions::new().flags(flags);
    match options.start_server(|_, _| {}, "localhost", 0).await {
        Err(ListenError::Lookup(failure)) => assert_eq!(failure.name, "localhost"),
        other => panic!("{other:?}"),
    }
}
