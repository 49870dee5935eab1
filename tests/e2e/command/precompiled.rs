//! Checks programs compiled ahead of time.

use std::fs;
use std::path::Path;

use wasmtime::{Config, Engine, ModuleVersionStrategy};

use super::{command, connect, expect, run_file};
use crate::support::{Ended, Process, component, workspace};

/// The commands and the output in the transcript of docs/writing-programs.md.
fn transcript() -> (Vec<String>, Vec<String>) {
    let page = fs::read_to_string(workspace().join("docs/writing-programs.md")).unwrap();
    let (_, block) = page.split_once("```text compile\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let (commands, output): (Vec<_>, Vec<_>) = block
        .lines()
        .map(str::to_owned)
        .partition(|line| line.starts_with("$ "));
    (commands, output)
}

#[test]
fn the_documented_commands_compile_a_program_and_run_it() {
    use std::io::Write;

    let folder = tempfile::tempdir().unwrap();
    let (commands, output) = transcript();
    assert_eq!(commands.len(), 2);
    let mut processes = commands.iter().map(|line| {
        let line = line.strip_prefix("$ asyncio-streams ").unwrap();
        let components = workspace().join("target/components");
        let components = format!("{}/", components.display());
        let line = line
            .replace("target/components/", &components)
            .replace("8888", "0");
        let mut command = command(&line.split(' ').collect::<Vec<_>>());
        command.current_dir(folder.path());
        Process::start(command)
    });
    assert_eq!(processes.next().unwrap().success(), "");
    let mut server = processes.next().unwrap();
    let address = server.listening();
    assert_eq!(output, ["listening on 127.0.0.1:8888"]);
    let mut client = connect(address);
    client.write_all(b"hello\n").unwrap();
    expect(&mut client, "hello\n");
}

/// Compiles a program in this folder, under its usual name.
fn compile(folder: &Path, name: &str) {
    let mut compile = command(&["compile"]);
    compile.current_dir(folder).arg(component(name));
    assert_eq!(Process::start(compile).success(), "");
}

/// Returns the message of a refusal, which has to name the file.
fn refused(ended: &Ended) -> String {
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(ended.stdout, "");
    let message = ended.stderr.strip_prefix("asyncio-streams: error: ");
    message.expect("it is said").to_owned()
}

#[test]
fn a_precompiled_program_runs_only_when_it_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    compile(folder.path(), "probe");
    let file = folder.path().join("probe.cwasm");
    let message = refused(&run_file(&[], &file, &[]).end());
    assert!(
        message.contains("probe.cwasm: this is a precompiled program"),
        "{message}"
    );
    assert!(message.contains("--allow-precompiled"), "{message}");

    let printed = run_file(&["--allow-precompiled"], &file, &["one"]).success();
    assert_eq!(printed, "probe.cwasm\none\n");
    // The option changes nothing for programs that are not compiled.
    let printed = run_file(&["--allow-precompiled"], &component("probe"), &[]).success();
    assert_eq!(printed, "probe.wasm\n");
}

#[test]
fn compile_writes_to_standard_output() {
    let mut compile = command(&["compile", "-o", "-"]);
    let output = compile.arg(component("probe")).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("program");
    fs::write(&file, output.stdout).unwrap();
    let printed = run_file(&["--allow-precompiled"], &file, &[]).success();
    assert_eq!(printed, "program\n");
}

/// Runs a file with these bytes, allowed as precompiled, and returns the message of the
/// refusal.
fn refused_though_trusted(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("program.cwasm");
    fs::write(&file, bytes).unwrap();
    let message = refused(&run_file(&["--allow-precompiled"], &file, &[]).end());
    assert!(message.contains("program.cwasm: this"), "{message}");
    message
}

/// Compiles the same program with another engine.
fn compiled_with(change: impl FnOnce(&mut Config)) -> Vec<u8> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    change(&mut config);
    let program = fs::read(component("probe")).unwrap();
    let engine = Engine::new(&config).unwrap();
    engine.precompile_component(&program).unwrap()
}

#[test]
fn a_program_of_another_engine_is_refused_with_what_to_do() {
    let other_settings = compiled_with(|config| {
        config.consume_fuel(true);
    });
    let message = refused_though_trusted(&other_settings);
    assert!(message.contains("does not fit"), "{message}");
    assert!(message.contains("fuel"), "{message}");
    assert!(message.contains("compile the program again"), "{message}");

    let other_version = compiled_with(|config| {
        let version = ModuleVersionStrategy::Custom("47".to_owned());
        config.module_version(version).unwrap();
    });
    let message = refused_though_trusted(&other_version);
    assert!(message.contains("does not fit"), "{message}");
    assert!(message.contains("incompatible version '47'"), "{message}");
}

#[test]
fn a_file_that_is_no_precompiled_program_is_refused() {
    let module = b"\0asm\x01\0\0\0";
    let module = Engine::default().precompile_module(module).unwrap();
    let message = refused_though_trusted(&module);
    assert!(message.contains("a precompiled core module"), "{message}");

    let whole = compiled_with(|_| ());
    for garbage in [
        &b""[..],
        b"print('hello')",
        b"\x7fELF",
        &whole[..whole.len() / 2],
    ] {
        let message = refused_though_trusted(garbage);
        assert!(message.contains("not WebAssembly"), "{message}");
    }
}
