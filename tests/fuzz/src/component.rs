//! Passes programs, most of them broken, through the host's `compose`.

#![expect(clippy::expect_used, reason = "a fuzzer without its seeds is to stop")]

use std::sync::LazyLock;

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

use crate::host::compose::prepare;

/// A small streams component, which applications are composed with.
const WIT: &str = "
    package asyncio:streams@0.1.0;
    interface types { variant error { closed, other(string) } }
    interface streams {
        use types.{error};
        resource reader {
            read: async func(n: u32) -> result<list<u8>, error>;
            at-eof: func() -> bool;
        }
        connect: async func(host: string) -> result<reader, error>;
    }
    world application { import streams; }
    world library { export types; export streams; }
    world nothing { import print: func(text: string); }
    world capability { import asyncio:host/tls; }
";

const HOST: &str = "package asyncio:host; interface tls { connect: func(); }";

static LIBRARY: LazyLock<Vec<u8>> = LazyLock::new(|| component(WIT, "library"));

/// Prepares any bytes as a program.
///
/// # Panics
///
/// If the prepared program is not ready to run.
pub fn check(program: &[u8]) {
    match prepare(program, Some(&LIBRARY)) {
        Ok(ready) => {
            let again = prepare(&ready, None).ok();
            assert_eq!(again.as_deref(), Some(&*ready));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Programs of every kind, valid and invalid.
#[must_use]
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let other = |from, to| component(&WIT.replace(from, to), "application");
    vec![
        ("application", component(WIT, "application")),
        ("module", module(WIT, "application")),
        ("library", LIBRARY.clone()),
        ("nothing", component(WIT, "nothing")),
        ("capability", component(WIT, "capability")),
        ("newer", other("@0.1.0", "@0.2.0")),
        ("older", other("@0.1.0", "@0.1.0-rc.1")),
        ("function", other("at-eof", "is-eof")),
        ("signature", other("n: u32", "n: u64")),
        ("type", other("closed", "shut")),
    ]
}

fn component(wit: &str, world: &str) -> Vec<u8> {
    ComponentEncoder::default()
        .module(&module(wit, world))
        .and_then(|encoder| encoder.encode())
        .expect("a component of a correct interface")
}

fn module(wit: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let world = resolve
        .push_str("host.wit", HOST)
        .and_then(|_| resolve.push_str("streams.wit", wit))
        .and_then(|package| resolve.select_world(&[package], Some(world)))
        .expect("a correct interface");
    let abi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let mut module = dummy_module(&resolve, world, abi);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .expect("a world that can be embedded");
    module
}
