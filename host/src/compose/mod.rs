//! From a compiler's output to a program: core modules are encoded as components, and
//! the streams component is plugged into applications that import it. All of it happens
//! in process.

mod check;
mod error;
mod inspect;
mod module;
mod render;

use std::borrow::Cow;
use std::panic;

use wac_graph::types::{ItemKind, Package, SubtypeChecker};
use wac_graph::{CompositionGraph, EncodeOptions, PackageId, plug};

pub use check::{Difference, Mismatch};
pub use error::ComposeError;

/// The name of the program in errors.
const APPLICATION: &str = "application";

/// The prefix of the interfaces that the streams component provides.
const STREAMS: &str = "asyncio:streams/";

/// The prefix of the interfaces that this project provides, in components or in the
/// host.
const OURS: &str = "asyncio:";

/// The interfaces of `asyncio:host` that the host implements, with their version.
const HOST_INTERFACES: [&str; 4] = [
    "asyncio:host/listeners@0.1.0",
    "asyncio:host/tcp-options@0.1.0",
    "asyncio:host/tls@0.1.0",
    "asyncio:host/unix-sockets@0.1.0",
];

/// Returns the variant `full` of the streams component, if it was built in. It imports
/// WASI and [`asyncio:host`](crate::imports::asyncio_host).
#[must_use]
pub fn builtin_streams() -> Option<&'static [u8]> {
    let component: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/streams-full.rs"));
    component
}

/// Returns the variant `tcp` of the streams component, if it was built in. It imports
/// nothing but WASI, for programs that run in other hosts too.
#[must_use]
pub fn builtin_streams_tcp() -> Option<&'static [u8]> {
    let component: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/streams-tcp.rs"));
    component
}

/// Makes a program that needs no other component. A core module is encoded, and an
/// application that imports `asyncio:streams` is composed with the streams component.
/// Any other program is returned as it is. The result imports WASI and
/// [`asyncio:host`](crate::imports::asyncio_host).
///
/// # Errors
///
/// Fails when the program is not WebAssembly, uses a feature that is off in
/// [`config`](crate::config), or would take more of the host than a limit; when it imports
/// an interface of ours that `streams` does not provide, or when there is no `streams`.
pub fn prepare<'a>(
    program: &'a [u8],
    streams: Option<&[u8]>,
) -> Result<Cow<'a, [u8]>, ComposeError> {
    // The composer panics at types that it does not know. Those are refused before; a panic
    // that is left ends this program's composing, and no other's.
    panic::catch_unwind(|| prepare_here(program, streams)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<&str>().map(ToString::to_string);
        let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(ComposeError::Panic(words.unwrap_or_default()))
    })
}

fn prepare_here<'a>(
    program: &'a [u8],
    streams: Option<&[u8]>,
) -> Result<Cow<'a, [u8]>, ComposeError> {
    inspect::check_size(APPLICATION, program)?;
    let application = encode(program)?;
    inspect::inspect(APPLICATION, &application)?;
    let mut graph = CompositionGraph::new();
    let application_id = register(&mut graph, APPLICATION, &application)?;
    let missing = imports_that_the_host_lacks(&graph, application_id);
    let (wanted, others): (Vec<_>, Vec<_>) = missing
        .into_iter()
        .partition(|name| name.starts_with(STREAMS));
    if let Some(capability) = others.into_iter().next() {
        return Err(ComposeError::NoCapability(capability));
    }
    if wanted.is_empty() {
        return Ok(application);
    }
    let Some(streams) = streams else {
        return Err(ComposeError::NoStreamsComponent(wanted));
    };
    inspect::inspect("streams component", streams)?;
    let streams_id = register(&mut graph, "streams component", streams)?;

    for name in &wanted {
        if let Err(error) = provides(&graph, streams_id, application_id, name) {
            let mismatch = check::explain(&application, streams, name, &error);
            return Err(ComposeError::Mismatch(Box::new(mismatch)));
        }
    }
    plug(&mut graph, vec![streams_id], application_id)
        .map_err(|error| ComposeError::failed(&error))?;
    let composed = graph
        .encode(EncodeOptions::default())
        .map_err(|error| ComposeError::failed(&error))?;
    check_nothing_left(&composed)?;
    Ok(Cow::Owned(composed))
}

/// Returns a component as it is, and encodes a core module as one. The module carries the
/// types of a component, as `cargo build --target wasm32-unknown-unknown` makes it.
///
/// # Errors
///
/// Fails when the bytes are neither.
pub fn encode(wasm: &[u8]) -> Result<Cow<'_, [u8]>, ComposeError> {
    match wasm.get(..8) {
        Some([0, b'a', b's', b'm', 0x0d, 0, 1, 0]) => Ok(Cow::Borrowed(wasm)),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => module::encode(wasm).map(Cow::Owned),
        _ => Err(ComposeError::NotWasm),
    }
}

fn register(
    graph: &mut CompositionGraph,
    name: &'static str,
    component: &[u8],
) -> Result<PackageId, ComposeError> {
    let invalid = |reason: String| ComposeError::Invalid { name, reason };
    let package = Package::from_bytes(name, None, component, graph.types_mut())
        .map_err(|error| invalid(format!("{error:#}")))?;
    graph
        .register_package(package)
        .map_err(|error| invalid(error.to_string()))
}

/// Returns the `asyncio:` imports that this host does not implement.
fn imports_that_the_host_lacks(graph: &CompositionGraph, package: PackageId) -> Vec<String> {
    let world = graph[package].ty();
    let imports = &graph.types()[world].imports;
    let has = |name: &str| {
        let mut interfaces = HOST_INTERFACES.iter();
        interfaces.any(|interface| check::same_track(interface, name))
    };
    imports
        .keys()
        .filter(|name| name.starts_with(OURS) && !has(name))
        .cloned()
        .collect()
}

/// Checks that `plug` will satisfy the import: it skips an import whose types do not
/// match, without an error.
fn provides(
    graph: &CompositionGraph,
    streams: PackageId,
    application: PackageId,
    name: &str,
) -> Result<(), String> {
    let types = graph.types();
    let exports = &types[graph[streams].ty()].exports;
    let provided: Option<ItemKind> = exports.get(name).copied().or_else(|| {
        exports
            .iter()
            .find(|(export, _)| check::same_track(export, name))
            .map(|(_, ty)| *ty)
    });
    let wanted = types[graph[application].ty()].imports.get(name).copied();
    let (Some(provided), Some(wanted)) = (provided, wanted) else {
        return Err("there is no such interface".to_owned());
    };
    let mut cache = Default::default();
    SubtypeChecker::new(&mut cache)
        .is_subtype(provided, types, wanted, types)
        .map_err(|error| format!("{error:#}"))
}

fn check_nothing_left(composed: &[u8]) -> Result<(), ComposeError> {
    let mut graph = CompositionGraph::new();
    let id = register(&mut graph, "composed program", composed)?;
    let left = imports_that_the_host_lacks(&graph, id);
    if left.is_empty() {
        Ok(())
    } else {
        Err(ComposeError::Left(left))
    }
}

#[cfg(test)]
mod tests;
