//! Checks that a program without any permission cannot fill the host's memory: all that the
//! host keeps for it counts against `--max-memory`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Once;

use wasm_encoder::{
    Component, ConstExpr, GlobalSection, GlobalType, InstanceSection, MemorySection, MemoryType,
    Module, ModuleArg, ModuleSection, ValType,
};

use crate::support::authority::Authority;
use crate::support::{Ended, Process, component};

/// The memory that the programs may have, and that of the whole process, in MiB.
const MEMORY: &str = "64MiB";
const PROCESS: u64 = 200;

/// Runs the command after it, and prints the most resident memory that it had, in KiB.
const MEASURE: &str = "
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
";

/// Has the guest hoard in this way. Returns its end, and the most memory of the process, in
/// MiB.
fn hoard_with(flags: &[&str], args: &[&str]) -> (Ended, u64) {
    measured(flags, &component("hoards"), args)
}

/// Runs this program, and returns the same.
fn measured(flags: &[&str], program: &Path, args: &[&str]) -> (Ended, u64) {
    let mut command = Command::new("python3");
    command
        .env_remove("ASYNCIO_STREAMS_COMPONENT")
        .env_remove("ASYNCIO_STREAMS_LOG")
        .args(["-c", MEASURE, env!("CARGO_BIN_EXE_asyncio-streams"), "run"])
        .args(flags)
        .arg(program)
        .args(args);
    let ended = Process::start(command).end();
    let peak = ended
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("peak "));
    let peak: u64 = peak.unwrap_or_else(|| panic!("{ended:?}")).parse().unwrap();
    (ended, peak / 1024)
}

/// The same with the limit of memory, whose process has to stay small.
fn hoard(args: &[&str]) -> Ended {
    hoard_allowed(&[], args)
}

fn hoard_allowed(allowed: &[&str], args: &[&str]) -> Ended {
    // Compiling takes memory too. The other runs take the program from the cache.
    static COMPILED: Once = Once::new();
    COMPILED.call_once(|| {
        assert_eq!(hoard_with(&[], &["nothing"]).0.code, Some(0));
    });
    let flags = [allowed, &["--max-memory", MEMORY]].concat();
    let (ended, peak) = hoard_with(&flags, args);
    assert!(peak < PROCESS, "{peak} MiB: {ended:?}");
    println!("{args:.9?}: {peak} MiB");
    ended
}

/// Returns the number in the last line that has one of this.
fn count(ended: &Ended, what: &str) -> u64 {
    let mut lines = ended.stdout.lines().rev();
    let line = lines.find_map(|line| line.split_once(what));
    let (count, _) = line.unwrap_or_else(|| panic!("{ended:?}"));
    count.trim().parse().unwrap_or_else(|_| panic!("{ended:?}"))
}

/// The program was refused something, or was ended by a limit that the trap names.
fn limited(ended: &Ended, words: &str) {
    let all = format!("{}{}", ended.stdout, ended.stderr);
    assert!(all.contains(words), "{ended:?}");
}

#[test]
fn tls_contexts_and_their_protocols_are_bounded() {
    let ended = hoard(&["contexts"]);
    limited(&ended, "the limit of TLS contexts is 1000");
    let ended = hoard(&["protocols"]);
    limited(&ended, "InvalidArgument");
}

#[test]
fn roots_of_servers_count_as_memory() {
    let pem = Authority::new().pem();
    let ended = hoard(&["roots", &pem]);
    limited(&ended, "OutOfMemory");
    assert!(
        count(&ended, " contexts with roots, then") > 10,
        "{ended:?}"
    );
}

#[test]
fn a_server_name_of_any_length_is_refused_at_once() {
    assert_eq!(hoard(&["names"]).stdout, "true\n");
}

#[test]
fn sessions_and_pairs_count_as_memory() {
    let ended = hoard(&["sessions"]);
    limited(&ended, "OutOfMemory");
    assert!(count(&ended, " sessions, then") > 50, "{ended:?}");
    let ended = hoard(&["pairs"]);
    limited(&ended, "OutOfMemory");
    let pairs = count(&ended, " pairs, then");
    assert!((50..1000).contains(&pairs), "{ended:?}");
}

#[test]
fn waits_and_streams_are_bounded_by_the_memory() {
    for way in ["waits", "streams"] {
        let ended = hoard(&[way]);
        assert_eq!(ended.code, Some(134), "{ended:?}");
        limited(&ended, "--max-concurrent");
    }
}

#[test]
fn look_ups_that_are_given_up_leave_nothing_and_those_that_wait_count_as_memory() {
    let ended = hoard_allowed(&["--allow-resolve", "*"], &["look-ups"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    limited(&ended, "out of memory");
    assert!(count(&ended, " look-ups, then") > 1000, "{ended:?}");
}

#[test]
fn what_a_denial_suggests_about_memory_helps() {
    let few = count(&hoard(&["pairs"]), " pairs, then");
    let (ended, _) = hoard_with(&["--max-memory", "128MiB"], &["pairs"]);
    let more = count(&ended, " pairs, then");
    assert!(more > few + few / 2, "{few}, then {more}");
}

/// A component with this many instances of a module.
fn instances(module: &Module, count: usize) -> Component {
    let mut component = Component::new();
    component.section(&ModuleSection(module));
    let mut instances = InstanceSection::new();
    for _ in 0..count {
        let args: [(&str, ModuleArg); 0] = [];
        instances.instantiate(0, args);
    }
    component.section(&instances);
    component
}

/// Runs a component that the host has to refuse, and returns why it did.
fn refused(component: &Component) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.wasm");
    fs::write(&path, component.as_slice()).unwrap();
    let (ended, peak) = measured(&["--max-memory", MEMORY], &path, &[]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(peak < PROCESS, "{peak} MiB: {ended:?}");
    ended.stderr
}

#[test]
fn instances_with_many_globals_are_refused_before_they_are_made() {
    let mut globals = GlobalSection::new();
    for _ in 0..1_000_000 {
        let ty = GlobalType {
            val_type: ValType::I64,
            mutable: true,
            shared: false,
        };
        globals.global(ty, &ConstExpr::i64_const(1));
    }
    let mut module = Module::new();
    module.section(&globals);
    let error = refused(&instances(&module, 60));
    assert!(error.contains("globals and functions take"), "{error}");
}

#[test]
fn a_program_with_memory_of_64_bits_is_refused_with_the_name_of_the_feature() {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: true,
        shared: false,
        page_size_log2: None,
    });
    let mut module = Module::new();
    module.section(&memories);
    let error = refused(&instances(&module, 1));
    assert!(
        error.contains("the feature `memory64` of WebAssembly, which is off"),
        "{error}"
    );
}
