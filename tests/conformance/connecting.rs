//! Checks of connecting.

use std::io;
use std::pin::pin;
use std::time::Duration;

use asyncio_streams::timeout;

use super::super::net::{
    Address, Attempt, ConnectError, ConnectOptions, ErrorCode, Family, LookupErrorCode,
    LookupFlags, ReadError, StreamReader, StreamWriter, open_connection, start_server,
};
use super::{Ground, checks, waits};

checks! {
    oc1_a_limit_of_zero_is_refused_before_anything_is_tried
    k1_without_a_limit_it_is_64_kib
    oc5_without_a_host_it_is_this_machine_ipv6_first
    oc5_an_empty_host_cannot_be_looked_up
    the_address_of_all_interfaces_that_a_server_has_reaches_it_over_loopback
    a_connect_to_port_0_is_refused
    oc6_a_port_is_a_number_or_digits_or_the_name_of_a_service
    oc7_addresses_are_tried_one_after_the_other_in_their_order
    oc8_each_attempt_that_failed_is_in_the_error_with_its_cause
    oc9_a_name_that_cannot_be_looked_up_is_an_error_with_the_name
    oc10_a_local_address_is_bound_before_connecting
    oc10_a_local_address_that_cannot_be_bound_is_in_the_error
    oc11_a_local_address_of_another_family_is_an_error_that_says_so
    oc12_a_literal_of_another_family_cannot_be_looked_up
    oc17_a_connect_to_nowhere_can_be_cancelled_and_limited_in_time
    oc19_a_connection_is_made_when_it_is_returned
    l34_a_client_probes_its_idle_connection_where_asked_for
    happy_eyeballs_pass_by_an_address_that_does_not_answer
    happy_eyeballs_wait_for_nobody_when_the_first_address_answers
    happy_eyeballs_fail_with_every_attempt
    what_means_nothing_here_is_refused_and_not_ignored
}

/// Starts an echo server in the program itself.
async fn echo(host: &str) -> (super::super::net::Server, u16) {
    echo_on(host, 0).await
}

async fn echo_on(host: &str, port: u16) -> (super::super::net::Server, u16) {
    let server = start_server(repeat, host, port).await.unwrap();
    let port = server.sockets()[0].port().unwrap();
    (server, port)
}

async fn repeat(reader: StreamReader, writer: StreamWriter) -> Result<(), ReadError> {
    loop {
        let bytes = reader.read(1000).await?;
        if bytes.is_empty() || writer.write(bytes).is_err() {
            return Ok(());
        }
    }
}

async fn answers(connection: (StreamReader, StreamWriter)) {
    let (reader, writer) = connection;
    writer.write("hello").unwrap();
    assert_eq!(reader.readexactly(5).await.unwrap(), "hello");
}

fn failed<T: std::fmt::Debug>(result: Result<T, ConnectError>) -> Vec<Attempt> {
    match result {
        Err(ConnectError::Failed(attempts)) => attempts,
        other => panic!("{other:?}"),
    }
}

fn invalid<T: std::fmt::Debug>(result: Result<T, ConnectError>, word: &str) {
    match result {
        Err(ConnectError::InvalidArgument(why)) => assert!(why.contains(word), "{why}"),
        other => panic!("{other:?}"),
    }
}

fn unknown_service<T: std::fmt::Debug>(result: Result<T, ConnectError>, service: &str) {
    match result {
        Err(ConnectError::Lookup(failure)) => {
            assert_eq!(failure.name, service);
            assert_eq!(failure.code, LookupErrorCode::UnknownService);
        }
        other => panic!("{other:?}"),
    }
}

fn address(text: &str, port: u16) -> Address {
    std::net::SocketAddr::new(text.parse().unwrap(), port).into()
}

async fn oc1_a_limit_of_zero_is_refused_before_anything_is_tried(ground: &Ground) {
    let options = ConnectOptions::new().limit(0);
    // The name could not be looked up either.
    let result = options.open_connection("nowhere.invalid", ground.refused);
    invalid(result.await, "limit");
}

async fn k1_without_a_limit_it_is_64_kib(ground: &Ground) {
    let opened = open_connection("127.0.0.1", ground.half_silent).await;
    assert_eq!(opened.unwrap().0.limit(), 65536);
}

async fn oc5_without_a_host_it_is_this_machine_ipv6_first(ground: &Ground) {
    let (_server, port) = echo("::1").await;
    let connection = open_connection(None, port).await.unwrap();
    assert_eq!(connection.1.peername(), Some(address("::1", port)));
    answers(connection).await;
    let (_server, port) = echo_on("127.0.0.1", ground.free_port()).await;
    let connection = open_connection(None, port).await.unwrap();
    assert_eq!(connection.1.peername(), Some(address("127.0.0.1", port)));
    answers(connection).await;
    let attempts = failed(open_connection(None, ground.refused).await);
    let tried: Vec<Address> = attempts.into_iter().map(|one| one.address).collect();
    let expected = ["::1", "127.0.0.1"].map(|ip| address(ip, ground.refused));
    assert_eq!(tried, expected);
}

async fn oc5_an_empty_host_cannot_be_looked_up(_: &Ground) {
    fn unresolvable<T: std::fmt::Debug>(result: Result<T, ConnectError>) {
        match result {
            Err(ConnectError::Lookup(failure)) => {
                assert_eq!(failure.name, "");
                assert_eq!(failure.code, LookupErrorCode::NameUnresolvable);
            }
            other => panic!("{other:?}"),
        }
    }
    let (_server, port) = echo("127.0.0.1").await;
    unresolvable(open_connection("", port).await);
    let options = ConnectOptions::new().local_addr("", 0);
    unresolvable(options.open_connection("127.0.0.1", port).await);
    answers(open_connection(None, port).await.unwrap()).await;
}

async fn the_address_of_all_interfaces_that_a_server_has_reaches_it_over_loopback(_: &Ground) {
    for (all, loopback) in [("0.0.0.0", "127.0.0.1"), ("::", "::1")] {
        let (server, port) = echo(all).await;
        let name = server.sockets()[0].ip().unwrap().ip().to_string();
        assert_eq!(name, all);
        let connection = open_connection(name.as_str(), port).await.unwrap();
        assert_eq!(connection.1.peername(), Some(address(loopback, port)));
        answers(connection).await;
    }
    // The policy judges loopback.
    let denied = failed(open_connection("0.0.0.0", 70).await);
    assert_eq!(denied[0].address, address("127.0.0.1", 70));
    assert_eq!(denied[0].code, ErrorCode::AccessDenied);
}

async fn a_connect_to_port_0_is_refused(_: &Ground) {
    for host in ["127.0.0.1", "::1", "0.0.0.0"] {
        let attempts = failed(open_connection(host, 0).await);
        assert_eq!(attempts[0].address.port(), Some(0));
        assert_eq!(attempts[0].code, ErrorCode::ConnectionRefused);
    }
}

async fn oc6_a_port_is_a_number_or_digits_or_the_name_of_a_service(_: &Ground) {
    let (_server, port) = echo("127.0.0.1").await;
    answers(open_connection("127.0.0.1", port).await.unwrap()).await;
    let digits = port.to_string();
    answers(open_connection("127.0.0.1", digits).await.unwrap()).await;
    // No rule allows port 70: a denial shows that the name of the service was understood.
    let denied = failed(open_connection("127.0.0.1", "gopher").await);
    assert_eq!(denied[0].address, address("127.0.0.1", 70));
    assert_eq!(denied[0].code, ErrorCode::AccessDenied);
    unknown_service(open_connection("127.0.0.1", "gofer").await, "gofer");
    invalid(open_connection("127.0.0.1", 65536).await, "65536");
    invalid(open_connection("127.0.0.1", -1).await, "-1");
}

async fn oc7_addresses_are_tried_one_after_the_other_in_their_order(ground: &Ground) {
    // The first address never answers, so the second one is not tried.
    let mut connecting = pin!(open_connection(None, ground.half_silent));
    waits(connecting.as_mut()).await;
    let patience = Duration::from_millis(300);
    assert!(timeout(patience, connecting).await.is_err());
}

async fn oc8_each_attempt_that_failed_is_in_the_error_with_its_cause(ground: &Ground) {
    let error = open_connection("127.0.0.1", ground.refused).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(io::Error::from(error.clone()).kind(), error.kind());
    assert!(error.to_string().contains(&format!("127.0.0.1:{}", ground.refused)));
    assert_eq!(
        failed::<()>(Err(error)),
        [Attempt {
            address: address("127.0.0.1", ground.refused),
            local_address: None,
            code: ErrorCode::ConnectionRefused,
        }]
    );
    let several = failed(open_connection("localhost", ground.refused).await);
    assert!(!several.is_empty());
    for attempt in several {
        assert_eq!(attempt.code, ErrorCode::ConnectionRefused);
        assert!(attempt.address.ip().unwrap().ip().is_loopback());
    }
}

async fn oc9_a_name_that_cannot_be_looked_up_is_an_error_with_the_name(ground: &Ground) {
    match open_connection("nowhere.invalid", ground.refused).await {
        Err(ConnectError::Lookup(failure)) => {
            assert_eq!(failure.name, "nowhere.invalid");
            let unknown = matches!(
                failure.code,
                LookupErrorCode::NameUnresolvable | LookupErrorCode::TemporaryResolverFailure
            );
            assert!(unknown, "{:?}", failure.code);
        }
        other => panic!("{other:?}"),
    }
    match open_connection("denied.invalid", ground.refused).await {
        Err(ConnectError::Lookup(failure)) => {
            assert_eq!(failure.code, LookupErrorCode::AccessDenied);
        }
        other => panic!("{other:?}"),
    }
}

async fn oc10_a_local_address_is_bound_before_connecting(_: &Ground) {
    let (_server, port) = echo("127.0.0.1").await;
    let options = ConnectOptions::new().local_addr("127.0.0.1", 0);
    let connection = options.open_connection("127.0.0.1", port).await.unwrap();
    let local = connection.1.sockname().unwrap();
    assert_eq!(local.ip().unwrap().ip(), address("127.0.0.1", 0).ip().unwrap().ip());
    answers(connection).await;
}

async fn oc10_a_local_address_that_cannot_be_bound_is_in_the_error(_: &Ground) {
    let (server, port) = echo("127.0.0.1").await;
    let taken = server.sockets()[0].clone();
    let options = ConnectOptions::new().local_addr("127.0.0.1", port);
    let attempts = failed(options.open_connection("127.0.0.1", port).await);
    assert_eq!(attempts[0].local_address, Some(taken));
    assert_eq!(attempts[0].code, ErrorCode::AddressInUse);
}

async fn oc11_a_local_address_of_another_family_is_an_error_that_says_so(ground: &Ground) {
    let options = ConnectOptions::new().local_addr("::1", 0);
    let attempts = failed(options.open_connection("127.0.0.1", ground.refused).await);
    assert_eq!(attempts[0].address, address("127.0.0.1", ground.refused));
    assert_eq!(attempts[0].local_address, Some(address("::1", 0)));
    let words = attempts[0].code.to_string();
    assert!(words.contains("family"), "{words}");
    // The addresses of its own family are tried.
    let options = ConnectOptions::new().local_addr("127.0.0.1", 0);
    let (_server, port) = echo("127.0.0.1").await;
    answers(options.open_connection(None, port).await.unwrap()).await;
}

async fn oc12_a_literal_of_another_family_cannot_be_looked_up(ground: &Ground) {
    let options = ConnectOptions::new().family(Family::Ipv6);
    match options.open_connection("127.0.0.1", ground.refused).await {
        Err(ConnectError::Lookup(failure)) => {
            assert_eq!(failure.code, LookupErrorCode::WrongFamily);
        }
        other => panic!("{other:?}"),
    }
    let attempts = failed(options.open_connection(None, ground.refused).await);
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].address, address("::1", ground.refused));
}

async fn oc17_a_connect_to_nowhere_can_be_cancelled_and_limited_in_time(ground: &Ground) {
    {
        let mut connecting = pin!(open_connection("::1", ground.half_silent));
        waits(connecting.as_mut()).await;
    }
    let options = ConnectOptions::new().timeout(Duration::from_millis(50));
    let result = options.open_connection("::1", ground.half_silent).await;
    assert_eq!(result.unwrap_err(), ConnectError::Timeout);
}

async fn oc19_a_connection_is_made_when_it_is_returned(ground: &Ground) {
    let (_reader, writer) = open_connection("127.0.0.1", ground.half_silent)
        .await
        .unwrap();
    assert_eq!(writer.peername(), Some(address("127.0.0.1", ground.half_silent)));
    assert!(writer.sockname().unwrap().port().unwrap() > 0);
}

async fn l34_a_client_probes_its_idle_connection_where_asked_for(_: &Ground) {
    let (_server, port) = echo("127.0.0.1").await;
    for asked in [true, false] {
        let options = ConnectOptions::new().keep_alive(asked);
        let connection = options.open_connection("127.0.0.1", port).await.unwrap();
        assert_eq!(connection.1.socket_options().keep_alive(), Ok(asked));
        answers(connection).await;
    }
    let (_, writer) = open_connection("127.0.0.1", port).await.unwrap();
    assert_eq!(writer.socket_options().keep_alive(), Ok(false));
}

async fn happy_eyeballs_pass_by_an_address_that_does_not_answer(ground: &Ground) {
    let options = ConnectOptions::new().happy_eyeballs_delay(Duration::from_millis(30));
    let connection = options.open_connection(None, ground.half_silent).await.unwrap();
    assert_eq!(connection.1.peername(), Some(address("127.0.0.1", ground.half_silent)));
    answers(connection).await;
}

async fn happy_eyeballs_wait_for_nobody_when_the_first_address_answers(ground: &Ground) {
    let (_server, port) = echo("::1").await;
    let options = ConnectOptions::new().happy_eyeballs_delay(Duration::from_secs(1000));
    let connection = options.open_connection(None, port).await.unwrap();
    answers(connection).await;
    // A refusal is an answer: the next address is tried at once.
    let (_server, port) = echo_on("127.0.0.1", ground.free_port()).await;
    let connection = options.open_connection(None, port).await.unwrap();
    answers(connection).await;
}

async fn happy_eyeballs_fail_with_every_attempt(ground: &Ground) {
    let options = ConnectOptions::new().happy_eyeballs_delay(Duration::from_millis(1));
    let attempts = failed(options.open_connection(None, ground.refused).await);
    let tried: Vec<Address> = attempts.into_iter().map(|one| one.address).collect();
    let expected = ["::1", "127.0.0.1"].map(|ip| address(ip, ground.refused));
    assert_eq!(tried, expected);
}

async fn what_means_nothing_here_is_refused_and_not_ignored(ground: &Ground) {
    let flags = |set: fn(&mut LookupFlags)| {
        let mut flags = LookupFlags::default();
        set(&mut flags);
        ConnectOptions::new().flags(flags)
    };
    let port = ground.half_silent;
    invalid(ConnectOptions::new().proto(17).open_connection("::1", port).await, "17");
    invalid(flags(|set| set.passive = true).open_connection("::1", port).await, "passive");
    let numeric = flags(|set| set.numeric_service = true);
    unknown_service(numeric.open_connection("127.0.0.1", "http").await, "http");
    let numeric = flags(|set| set.numeric_host = true);
    let named = numeric.open_connection("localhost", port).await;
    assert!(matches!(named, Err(ConnectError::Lookup(_))), "{named:?}");
    let zone = open_connection("fe80::1%eth0", port).await;
    assert!(matches!(zone, Err(ConnectError::NotSupported(_))), "{zone:?}");

    let harmless = flags(|set| set.addrconfig = true).proto(6);
    answers(harmless.open_connection("127.0.0.1", port).await.unwrap()).await;
}
