//! Checks that our echo client and server print what those of asyncio's documentation
//! print, in every pairing of the static and the composed form.

use crate::support::{python, run};

const STATIC_CLIENT: &str = "tcp-echo-client";
const STATIC_SERVER: &str = "tcp-echo-server";
const COMPOSED_CLIENT: &str = "tcp-echo-client-wit";
const COMPOSED_SERVER: &str = "tcp-echo-server-wit";

fn echo(server: &str, client: &str, message: &str, more: &[&str]) {
    let mut server = run(
        &["--allow-listen", "tcp://127.0.0.1:0"],
        server,
        &["127.0.0.1", "0"],
    );
    let address = server.listening();
    let port = address.port().to_string();
    let mut args = vec!["127.0.0.1", &port, message];
    args.extend(more);
    let client = run(
        &["--allow-connect", &format!("tcp://{address}")],
        client,
        &args,
    );
    assert_eq!(
        client.success(),
        format!("Send: '{message}'\nReceived: '{message}'\nClose the connection\n")
    );
    server.wait_for(&format!("Received '{message}' from ('127.0.0.1', "));
    server.wait_for(&format!("Send: '{message}'"));
    server.wait_for("Close the connection");
}

#[test]
fn a_static_client_talks_to_a_static_server() {
    echo(STATIC_SERVER, STATIC_CLIENT, "Hello World!", &[]);
}

#[test]
fn a_static_client_talks_to_a_composed_server() {
    echo(COMPOSED_SERVER, STATIC_CLIENT, "Grüße", &[]);
}

#[test]
fn a_composed_client_talks_to_a_static_server() {
    echo(STATIC_SERVER, COMPOSED_CLIENT, "Hello World!", &[]);
}

#[test]
fn a_composed_client_talks_to_a_composed_server() {
    echo(COMPOSED_SERVER, COMPOSED_CLIENT, "another message", &[]);
}

#[test]
fn the_client_that_does_not_wait_for_the_end_has_sent_everything() {
    echo(STATIC_SERVER, STATIC_CLIENT, "Hello World!", &["--no-wait"]);
    echo(
        COMPOSED_SERVER,
        COMPOSED_CLIENT,
        "Hello World!",
        &["--no-wait"],
    );
}

#[test]
fn the_bytes_on_the_wire_are_the_messages() {
    let peer = "import socket
listener = socket.create_server(('127.0.0.1', 0))
print('port', listener.getsockname()[1])
connection, _ = listener.accept()
print('got', connection.recv(100))
connection.sendall(b'something else')
connection.close()";
    for client in [STATIC_CLIENT, COMPOSED_CLIENT] {
        let mut peer = python(peer, &[]);
        let port = peer.wait_for("port ");
        let allow = format!("tcp://127.0.0.1:{port}");
        let client = run(
            &["--allow-connect", &allow],
            client,
            &["127.0.0.1", &port, "exactly this"],
        );
        assert_eq!(
            client.success(),
            "Send: 'exactly this'\nReceived: 'something else'\nClose the connection\n"
        );
        assert_eq!(peer.wait_for("got "), "b'exactly this'");
    }
}
