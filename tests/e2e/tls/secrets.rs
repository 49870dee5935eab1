//! Checks that the private keys of the policy's identities never are in a program's
//! memory.

use std::fs;
use std::future::poll_fn;
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::task::Context;
use std::thread;

use asyncio_streams_host::compose::{self, builtin_streams};
use asyncio_streams_host::tls::{Identity, Tls};
use asyncio_streams_host::{Runner, StreamsCtx, config, policy::Policy};
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;
use wasmtime_wasi::WasiCtx;

use super::FORMS;
use super::memories::{Memories, Needles};
use super::wire::Wire;
use crate::support::authority::{Authority, Identity as Issued};
use crate::support::component;
use crate::support::listening::Listening;

/// The client sends this, so it is in the program's memory.
const SENT: &str = "what the client has sent is in the program's memory";
const ANSWER: &str = "as is what the server has answered to it";

/// The functions of `asyncio:host/tls` without those of [`OPTIONS`]. Bytes come from
/// `receive` and, with the peer's certificate, from `handshake`.
const FUNCTIONS: &str = "[constructor]context [method]connection.handshake \
    [method]connection.receive [method]connection.send [method]context.load-verify-locations \
    [method]context.set-alpn-protocols [method]context.set-ignore-unexpected-eof \
    [method]context.set-minimum-version [method]context.set-require-alpn \
    [method]context.set-verify-mode [method]context.use-identity [method]context.wrap-socket \
    [static]connection.close";

/// The options of the socket below a session, each of which has a getter and a setter. They
/// return numbers and booleans.
const OPTIONS: [&str; 7] = [
    "keep-alive-count",
    "keep-alive-enabled",
    "keep-alive-idle-time",
    "keep-alive-interval",
    "no-delay",
    "receive-buffer-size",
    "send-buffer-size",
];

fn program(engine: &Engine, form: &str) -> Component {
    let application = fs::read(component(form)).unwrap();
    let program = compose::prepare(&application, builtin_streams()).unwrap();
    Component::from_binary(engine, &program).unwrap()
}

/// Returns the private key in every form in which a program could hold it.
fn forms_of(key: &rcgen::KeyPair) -> Vec<Vec<u8>> {
    let der = key.serialize_der();
    // The octet string of 32 bytes in SEC 1's ECPrivateKey.
    let at = der.windows(2).position(|two| two == [0x04, 0x20]).unwrap();
    let scalar = der[at + 2..at + 34].to_vec();
    let reversed = scalar.iter().rev().copied().collect();
    let hex: String = scalar.iter().map(|byte| format!("{byte:02x}")).collect();
    let pem = key.serialize_pem();
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let lines = lines.map(|line| line.as_bytes().to_vec());
    let mut forms = vec![
        scalar,
        reversed,
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
    ];
    forms.extend(lines);
    forms
}

/// Serves two sessions, and searches the memories each time the program has run.
fn serve(
    form: &str,
    authority: &Authority,
    server: &Issued,
    needles: &Needles,
) -> (Vec<usize>, usize) {
    let memories = Memories::default();
    let engine = Engine::new(&memories.config(config())).unwrap();

    let mut policy = Policy::new();
    policy.allow_listen("tcp://127.0.0.1:0".parse().unwrap());
    let (sender, listening) = channel();
    let pem = (server.certificate.pem(), server.key.serialize_pem());
    let identity = Identity::from_pem("main", pem.0.as_bytes(), pem.1.as_bytes()).unwrap();
    let ctx = StreamsCtx::builder()
        .policy(policy)
        .observer(Listening::new(move |address| sender.send(address).unwrap()))
        .tls(Tls::builder().identity(identity).build().unwrap());
    let answer = format!("send:{ANSWER}");
    let args = [
        "tls",
        "server",
        "127.0.0.1",
        "identity=main",
        "--",
        "line",
        &answer,
    ];
    let wasi = WasiCtx::builder().args(&args).build();
    let runner = Runner::new(ctx.build(), wasi);

    let (stop, clients) = (runner.stop_handle(), authority.client_config());
    let client = thread::spawn(move || {
        let address = listening.recv().unwrap();
        for _ in 0..2 {
            let tcp = TcpStream::connect(address).unwrap();
            let wire = Wire::client(tcp, clients.clone(), "localhost").unwrap();
            wire.send(format!("{SENT}\n").as_bytes());
            assert_eq!(wire.rest().0, ANSWER);
            wire.send_end();
        }
        stop.stop();
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let component = program(&engine, form);
    let mut found = memories.holding(needles);
    runtime.block_on(async {
        let mut run = runner.run(&engine, &component);
        poll_fn(|cx: &mut Context<'_>| {
            let polled = run.as_mut().poll(cx);
            // No program runs in the memories now.
            for (most, now) in found.iter_mut().zip(memories.holding(needles)) {
                *most = now.max(*most);
            }
            polled
        })
        .await
        .unwrap();
    });
    client.join().unwrap();
    (found, memories.count())
}

#[test]
fn no_memory_of_a_program_ever_holds_a_private_key_of_the_policy() {
    for (form, holders) in FORMS.into_iter().zip([1, 2]) {
        let authority = Authority::new();
        let server = authority.localhost();
        let mut needles = forms_of(&server.key);
        let secrets = needles.len();
        assert!(secrets >= 6);
        needles.push(SENT.as_bytes().to_vec());
        needles.push(ANSWER.as_bytes().to_vec());
        let (found, memories) = serve(form, &authority, &server, &Needles::new(needles));
        assert!(memories >= holders, "{form}: {memories}");
        assert_eq!(found[..secrets], vec![0; secrets], "{form}");
        // The search finds bytes that are there: in the application, and in the composed
        // form in the streams component as well.
        assert!(
            found[secrets..].iter().all(|found| *found >= holders),
            "{form}: {found:?}"
        );
    }
}

/// Returns the interfaces that a program imports, and the functions of
/// `asyncio:host/tls`.
fn imports(engine: &Engine, component: &Component) -> (Vec<String>, Vec<String>) {
    let ty = component.component_type();
    let mut functions = Vec::new();
    let mut names = Vec::new();
    for (name, item) in ty.imports(engine) {
        let interface = name.split('@').next().unwrap();
        names.push(interface.to_owned());
        let (ComponentItem::ComponentInstance(instance), "asyncio:host/tls") =
            (&item.ty, interface)
        else {
            continue;
        };
        for (function, item) in instance.exports(engine) {
            if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                functions.push(function.to_owned());
            }
        }
    }
    names.sort();
    functions.sort();
    (names, functions)
}

#[test]
fn no_function_that_a_program_imports_could_give_it_a_private_key() {
    let engine = Engine::new(&config()).unwrap();
    for form in FORMS {
        let (interfaces, mut functions) = imports(&engine, &program(&engine, form));
        for option in OPTIONS {
            for access in ["get", "set"] {
                let of_an_option = format!("[method]connection.{access}-{option}");
                functions.retain(|function| *function != of_an_option);
            }
        }
        // The composed form imports everything that the variant `full` of the streams
        // component does.
        let full = if form == "tls" {
            ""
        } else {
            "asyncio:host/listeners asyncio:host/tcp-options "
        };
        let expected = format!(
            "{full}asyncio:host/tls asyncio:host/unix-sockets wasi:cli/environment \
             wasi:cli/exit wasi:cli/stderr wasi:cli/stdin wasi:cli/stdout wasi:cli/types \
             wasi:clocks/monotonic-clock wasi:clocks/types wasi:sockets/ip-name-lookup \
             wasi:sockets/types"
        );
        let mut expected: Vec<&str> = expected.split(' ').collect();
        expected.sort_unstable();
        assert_eq!(interfaces, expected, "{form}");
        assert_eq!(functions.join(" "), FUNCTIONS, "{form}");
    }
}
