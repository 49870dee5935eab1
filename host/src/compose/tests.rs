use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use super::*;

const READER: &str = "resource reader {
    read: async func(n: u32) -> result<list<u8>, error>;
    at-eof: func() -> bool;
}
connect: async func(host: string) -> result<reader, error>;";

const TYPES: &str = "variant error { closed, other(string) }";

fn interfaces(version: &str, types: &str, streams: &str) -> String {
    format!(
        "package asyncio:streams@{version};
         interface types {{ {types} }}
         interface streams {{ use types.{{error}}; {streams} }}
         world application {{ import streams; }}
         world library {{ export types; export streams; }}
         world capability {{ import streams; import asyncio:host/datagrams@0.1.0; }}
         world options {{ import streams; import asyncio:host/tcp-options@0.1.3; }}
         world later {{ import asyncio:host/tcp-options@0.2.0; }}"
    )
}

fn module(wit: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    for (version, interface) in [
        ("0.1.0", "datagrams"),
        ("0.1.3", "tcp-options"),
        ("0.2.0", "tcp-options"),
    ] {
        let host =
            format!("package asyncio:host@{version}; interface {interface} {{ reset: func(); }}");
        resolve.push_str("host.wit", &host).unwrap();
    }
    let package = resolve.push_str("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let abi = ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync);
    let mut module = dummy_module(&resolve, world, abi);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    module
}

fn component(wit: &str, world: &str) -> Vec<u8> {
    ComponentEncoder::default()
        .module(&module(wit, world))
        .unwrap()
        .validate(true)
        .encode()
        .unwrap()
}

fn application(version: &str, types: &str, streams: &str) -> Vec<u8> {
    component(&interfaces(version, types, streams), "application")
}

fn library() -> Vec<u8> {
    component(&interfaces("0.1.0", TYPES, READER), "library")
}

fn mismatch(application: &[u8]) -> Mismatch {
    match prepare(application, Some(&library())) {
        Err(ComposeError::Mismatch(mismatch)) => *mismatch,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was composed"),
    }
}

fn imports(component: &[u8]) -> Vec<String> {
    let mut graph = CompositionGraph::new();
    let id = register(&mut graph, "test", component).unwrap();
    let world = graph[id].ty();
    graph.types()[world].imports.keys().cloned().collect()
}

#[test]
fn an_application_is_composed_with_the_streams_component() {
    let application = application("0.1.0", TYPES, READER);
    assert!(!imports(&application).is_empty());
    let composed = prepare(&application, Some(&library())).unwrap();
    assert_eq!(imports(&composed), Vec::<String>::new());
}

#[test]
fn an_older_application_of_the_same_track_is_composed() {
    let library = component(&interfaces("0.1.3", TYPES, READER), "library");
    let application = application("0.1.0", TYPES, READER);
    assert!(prepare(&application, Some(&library)).is_ok());
}

#[test]
fn a_core_module_is_encoded_and_composed() {
    let module = module(&interfaces("0.1.0", TYPES, READER), "application");
    let composed = prepare(&module, Some(&library())).unwrap();
    assert_eq!(imports(&composed), Vec::<String>::new());
}

#[test]
fn a_component_that_imports_nothing_of_ours_comes_back_as_it_is() {
    let component = component("package a:b; world w { import f: func(); }", "w");
    let same = prepare(&component, None).unwrap();
    assert_eq!(*same, *component);
}

#[test]
fn a_program_already_composed_comes_back_as_it_is() {
    let application = application("0.1.0", TYPES, READER);
    let composed = prepare(&application, Some(&library())).unwrap();
    assert_eq!(*prepare(&composed, None).unwrap(), *composed);
}

#[test]
fn without_a_streams_component_an_application_is_refused() {
    let error = prepare(&application("0.1.0", TYPES, READER), None).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("asyncio:streams/streams@0.1.0"), "{text}");
}

#[test]
fn a_newer_application_is_refused_with_both_versions() {
    let mismatch = mismatch(&application("0.2.0", TYPES, READER));
    assert_eq!(mismatch.difference, Difference::Version);
    let text = mismatch.to_string();
    assert!(text.contains("@0.2.0") && text.contains("@0.1.0"), "{text}");
    assert!(text.contains("the application is newer"), "{text}");
}

#[test]
fn a_missing_function_is_named() {
    let streams = format!("{READER} listen: func();");
    let mismatch = mismatch(&application("0.1.4", TYPES, &streams));
    assert_eq!(
        mismatch.difference,
        Difference::MissingFunction("listen".into())
    );
    let text = mismatch.to_string();
    assert!(text.contains("no function `listen`"), "{text}");
    assert!(text.contains("@0.1.4") && text.contains("@0.1.0"), "{text}");
}

#[test]
fn a_missing_method_is_named_with_its_resource() {
    let streams = READER.replace("at-eof", "is-eof");
    let mismatch = mismatch(&application("0.1.0", TYPES, &streams));
    assert_eq!(
        mismatch.difference,
        Difference::MissingFunction("reader.is-eof".into())
    );
}

#[test]
fn another_signature_is_shown_beside_the_one_wanted() {
    let streams = READER.replace("n: u32", "n: u64");
    let text = mismatch(&application("0.1.0", TYPES, &streams)).to_string();
    assert!(text.contains("`reader.read`"), "{text}");
    assert!(text.contains("n: u32") && text.contains("n: u64"), "{text}");
}

#[test]
fn another_type_is_shown_beside_the_one_wanted() {
    let types = TYPES.replace("closed", "shut");
    let mismatch = mismatch(&application("0.1.0", &types, READER));
    let Difference::Type {
        name,
        wanted,
        available,
    } = &mismatch.difference
    else {
        panic!("{mismatch}");
    };
    assert_eq!(name, "error");
    assert_eq!(wanted, "variant { shut, other(string) }");
    assert_eq!(available, "variant { closed, other(string) }");
}

#[test]
fn an_interface_that_the_streams_component_lacks_is_named() {
    let library = component(
        &interfaces("0.1.0", TYPES, READER).replace("export streams;", ""),
        "library",
    );
    let error = prepare(&application("0.1.0", TYPES, READER), Some(&library)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("does not provide it"), "{text}");
}

#[test]
fn a_capability_that_the_host_lacks_is_named() {
    for (world, interface) in [
        ("capability", "asyncio:host/datagrams@0.1.0"),
        ("later", "asyncio:host/tcp-options@0.2.0"),
    ] {
        let component = component(&interfaces("0.1.0", TYPES, READER), world);
        let error = prepare(&component, Some(&library())).unwrap_err();
        assert!(error.to_string().contains(interface), "{error}");
    }
}

#[test]
fn a_capability_that_the_host_has_is_left_to_it() {
    let component = component(&interfaces("0.1.0", TYPES, READER), "options");
    let composed = prepare(&component, Some(&library())).unwrap();
    assert_eq!(imports(&composed), ["asyncio:host/tcp-options@0.1.3"]);
}

#[test]
fn what_is_not_webassembly_is_refused() {
    for bytes in [&b""[..], b"\0asm", b"#!/bin/sh\necho", b"(module)"] {
        assert!(matches!(prepare(bytes, None), Err(ComposeError::NotWasm)));
    }
}

#[test]
fn a_broken_component_is_refused_without_a_panic() {
    let whole = library();
    for length in [8, 9, 20, whole.len() / 2, whole.len() - 1] {
        let cut = whole.get(..length).unwrap_or_default();
        let _ = prepare(cut, None);
    }
}

#[test]
fn modules_that_the_encoder_cannot_bear_are_refused_before() {
    for (module, reason) in [
        (
            &include_bytes!("hostile/packages-in-a-cycle.wasm")[..],
            "need each other",
        ),
        (
            &include_bytes!("hostile/section-past-the-end.wasm")[..],
            "at offset",
        ),
    ] {
        match encode(module) {
            Err(ComposeError::Module(why)) => assert!(why.contains(reason), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}
