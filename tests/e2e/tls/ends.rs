//! Checks how sessions end: by both ends, by one of them, or not at all.

use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;

use super::wire::Wire;
use super::{FORMS, client, lines, peer, server};
use crate::support::authority::Authority;

/// Runs the program as a client of a server that calls `serve`. Returns the printed
/// lines, and the result of `serve`.
fn with_server<T: Send + 'static>(
    form: &str,
    words: &[&str],
    serve: impl Fn(Wire) -> T + Send + 'static,
) -> (Vec<String>, T) {
    let authority = Authority::new();
    let config = authority.server_config(&authority.localhost());
    let (port, served) = peer(1, move |tcp| {
        serve(Wire::server(tcp, config.clone()).unwrap())
    });
    let printed = lines(client(&authority, form, port, words));
    (printed, served.join().unwrap().remove(0))
}

/// Runs the program as a server of a client that calls `connect`. Returns the rest of the
/// printed line that starts with `until`, and the result of `connect`.
fn with_client<T>(
    form: &str,
    words: &[&str],
    until: &str,
    connect: impl FnOnce(Wire) -> T,
) -> (String, T) {
    let authority = Authority::new();
    let flags = [authority.localhost().flag("main")];
    let words = [&["identity=main"], words].concat();
    let (mut server, address) = server(&flags, form, &words);
    let tcp = TcpStream::connect(address).unwrap();
    let wire = Wire::client(tcp, authority.client_config(), "localhost").unwrap();
    let done = connect(wire);
    (server.wait_for(until), done)
}

#[test]
fn t1_a_stream_that_is_cut_short_is_told_from_one_that_ended() {
    let words = ["--", "all", "all", "close", "closed"];
    for form in FORMS {
        let (printed, ()) = with_server(form, &words, |wire| {
            wire.send(b"part of it");
            wire.fin();
            // Waits until the program has ended the connection, too.
            drop(wire.rest());
        });
        let cut = "Tls(UnexpectedEof)";
        let part = format!("Truncated {{ partial: b\"part of it\", code: {cut} }}");
        assert_eq!(printed[0], format!("all failed: {part}"), "{form}");
        assert_eq!(
            printed[1],
            format!("all failed: Connection({cut})"),
            "{form}"
        );
        assert_eq!(printed[2], format!("closed Err({cut})"), "{form}");

        let (printed, ()) = with_server(form, &words, |wire| {
            wire.send(b"all of it");
            wire.send_end();
            drop(wire.rest());
        });
        let expected = ["all \"all of it\"", "all \"\"", "closed Ok(())"];
        assert_eq!(printed, expected, "{form}");
    }
}

#[test]
fn t1_a_line_that_is_cut_short_is_no_line() {
    for form in FORMS {
        let (told, ()) = with_client(form, &["--", "line", "line", "hold"], "line f", |wire| {
            wire.send(b"one\ntw");
            wire.fin();
        });
        assert_eq!(told, "ailed: Connection(Tls(UnexpectedEof))", "{form}");
    }
}

#[test]
fn t2_t3_t4_after_the_peers_end_of_the_session_writing_goes_on() {
    let words = ["--", "all", "send:answer", "close", "closed"];
    for form in FORMS {
        let (printed, answer) = with_server(form, &words, |wire| {
            wire.send(b"question");
            wire.send_end();
            wire.rest()
        });
        assert_eq!(printed, ["all \"question\"", "closed Ok(())"], "{form}");
        assert_eq!(answer.0, "answer");
        answer.1.unwrap();
    }
}

#[test]
fn t3_t4_after_a_cut_end_writing_is_an_error() {
    let words = ["--", "line", "send:answer", "eof"];
    for form in FORMS {
        let (printed, ()) = with_server(form, &words, |wire| {
            wire.fin();
            drop(wire.rest());
        });
        let cut = "Connection(Tls(UnexpectedEof))";
        let expected = ["line", "write", "eof"].map(|step| format!("{step} failed: {cut}"));
        assert_eq!(printed, expected, "{form}");
    }
}

#[test]
fn d17_write_eof_ends_the_session_s_half_and_reading_goes_on() {
    let words = [
        "--",
        "send:question",
        "eof",
        "send:more",
        "all",
        "close",
        "closed",
    ];
    for form in FORMS {
        let (printed, question) = with_server(form, &words, |wire| {
            let question = wire.rest();
            wire.send(b"answer");
            wire.send_end();
            question
        });
        let expected = [
            "write failed: EofWritten",
            "all \"answer\"",
            "closed Ok(())",
        ];
        assert_eq!(printed, expected, "{form}");
        assert_eq!(question.0, "question");
        question.1.unwrap();
    }
}

#[test]
fn l14_a_peer_that_never_ends_its_half_is_given_up_when_the_limit_is_over() {
    let words = ["shutdown=100", "--", "send:bye", "close", "closed"];
    for form in FORMS {
        let (printed, sent) = with_server(form, &words, |wire| {
            // Reads the end of the session, and does not answer it.
            let sent = wire.rest();
            // Waits until the program closes the connection.
            drop(wire.peek());
            sent
        });
        assert_eq!(printed, ["closed Err(Tls(ShutdownTimeout))"], "{form}");
        assert_eq!(sent.0, "bye");
        sent.1.unwrap();
    }
}

#[test]
fn l14_a_client_that_never_ends_its_half_keeps_no_server_from_ending() {
    for form in FORMS {
        let words = ["shutdown=100", "--", "send:bye", "close", "closed"];
        let (told, ()) = with_client(form, &words, "closed ", |wire| {
            let (sent, ended) = wire.rest();
            assert_eq!(sent, "bye");
            ended.unwrap();
            assert_eq!(wire.peek().unwrap_or(0), 0, "closed");
        });
        assert_eq!(told, "Err(Tls(ShutdownTimeout))", "{form}");
    }
}

#[test]
fn t5_data_that_come_after_ones_own_close_are_dropped_and_no_error() {
    let words = ["--", "line", "close", "closed"];
    for form in FORMS {
        let (printed, ()) = with_server(form, &words, |wire| {
            wire.send(b"one\n");
            wire.rest().1.unwrap();
            wire.send(&[b'x'; 300_000]);
            wire.send_end();
        });
        assert_eq!(printed, ["line \"one\\n\"", "closed Ok(())"], "{form}");
    }
}

#[test]
fn the_peer_can_tell_data_cut_short_by_abort_from_an_end() {
    for form in FORMS {
        let (printed, received) = with_server(
            form,
            &["--", "send:part", "line", "abort", "closed"],
            |wire| {
                wire.send(b"go\n");
                wire.rest()
            },
        );
        assert_eq!(printed, ["line \"go\\n\"", "closed Ok(())"], "{form}");
        let (bytes, ended) = received;
        assert_eq!(bytes, "part");
        assert_eq!(
            ended.unwrap_err().kind(),
            ErrorKind::UnexpectedEof,
            "{form}"
        );
    }
}

#[test]
fn a_program_that_is_killed_ends_no_session() {
    for form in FORMS {
        let authority = Authority::new();
        let flags = [authority.localhost().flag("main")];
        let words = ["identity=main", "--", "send:part", "hold"];
        let (server, address) = server(&flags, form, &words);
        let tcp = TcpStream::connect(address).unwrap();
        let wire = Wire::client(tcp, authority.client_config(), "localhost").unwrap();
        assert_eq!(wire.exactly(4), "part");
        drop(server);
        let (bytes, ended) = wire.rest();
        assert_eq!(bytes, "");
        let kind = ended.unwrap_err().kind();
        assert!(
            matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
            "{kind:?}"
        );
    }
}

#[test]
fn a_program_that_ends_sends_what_it_has_written_and_ends_its_sessions() {
    for form in FORMS {
        // The program neither closes the connection nor waits.
        let (printed, received) = with_server(form, &["--", "fill:1000000"], |wire| {
            let received = wire.rest();
            wire.send_end();
            received
        });
        assert!(printed.is_empty(), "{form}: {printed:?}");
        assert_eq!(received.0.len(), 1_000_000);
        received.1.unwrap();
    }
}

#[test]
fn a_reset_is_a_reset_also_in_a_session() {
    let words = ["--", "line", "send:go", "line", "close", "closed"];
    for form in FORMS {
        let (printed, ()) = with_server(form, &words, |wire| {
            wire.send(b"one\n");
            wire.exactly(2);
            wire.reset();
        });
        let [one, two, closed] = &printed[..] else {
            panic!("{form}: {printed:?}");
        };
        assert_eq!(one, "line \"one\\n\"");
        assert_eq!(two, "line failed: Connection(ConnectionReset)");
        assert_eq!(closed, "closed Err(ConnectionReset)");
    }
}

#[test]
fn a_session_that_both_ends_have_ended_closes_well_although_the_peer_is_gone() {
    const TIMES: usize = 100;
    for form in FORMS {
        let authority = Authority::new();
        let flags = [authority.localhost().flag("main")];
        let words = ["identity=main", "--", "all", "close", "closed"];
        let (mut server, address) = server(&flags, form, &words);
        for _ in 0..TIMES {
            let tcp = TcpStream::connect(address).unwrap();
            let wire = Wire::client(tcp, authority.client_config(), "localhost").unwrap();
            let sent = [wire.seal(b"bye"), wire.seal_end()].concat();
            (&wire.socket).write_all(&sent).unwrap();
            // Answers what still comes with a reset.
            drop(wire);
            assert_eq!(server.wait_for("all "), "\"bye\"", "{form}");
            assert_eq!(server.wait_for("closed "), "Ok(())", "{form}");
        }
    }
}

#[test]
fn what_the_peer_has_not_taken_is_an_error_although_it_has_ended_its_half() {
    let words = ["--", "all", "fill:8000000", "close", "closed"];
    for form in FORMS {
        let (printed, ()) = with_server(form, &words, |wire| {
            wire.send(b"enough");
            wire.send_end();
            // Some of the data has arrived, and more cannot be sent yet.
            wire.exactly(1);
            wire.reset();
        });
        let [all, closed] = &printed[..] else {
            panic!("{form}: {printed:?}");
        };
        assert_eq!(all, "all \"enough\"");
        assert!(closed.starts_with("closed Err(Connection"), "{closed}");
    }
}

#[test]
fn the_end_of_the_connection_is_that_of_the_session_where_it_is_asked_for() {
    let words = [
        "ignore-eof",
        "--",
        "line",
        "line",
        "line",
        "close",
        "closed",
    ];
    for form in FORMS {
        let (printed, ()) = with_server(form, &words, |wire| {
            wire.send(b"one\ntw");
            wire.fin();
            drop(wire.rest());
        });
        let expected = [
            "line \"one\\n\"",
            "line \"tw\"",
            "line \"\"",
            "closed Ok(())",
        ];
        assert_eq!(printed, expected, "{form}");
        // A reset is none.
        let words = ["ignore-eof", "--", "line", "send:go", "line"];
        let (printed, ()) = with_server(form, &words, |wire| {
            wire.send(b"one\n");
            wire.exactly(2);
            wire.reset();
        });
        assert_eq!(printed[0], "line \"one\\n\"", "{form}");
        assert_eq!(printed[1], "line failed: Connection(ConnectionReset)");
    }
}

#[test]
fn a_server_may_take_the_end_of_the_connection_for_that_of_the_session() {
    for form in FORMS {
        let words = ["ignore-eof", "--", "line", "line", "hold"];
        let (told, _) = with_client(form, &words, "line \"t", |wire| {
            wire.send(b"one\ntw");
            wire.fin();
            wire
        });
        assert_eq!(told, "w\"", "{form}");
    }
}
