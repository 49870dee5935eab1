//! Checks that the command refuses files that do not fit, with exit code 2 and a message
//! that says what does not fit and what to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

use crate::support::{Ended, Process, component, workspace};

/// The world of the application in most tests.
const APPLICATION: &str = "
    import streams;
    import server;
    export wasi:cli/run@0.3.0;
";

/// The project's WIT package, for a test to change, and the exports of a program.
struct Package {
    folder: TempDir,
    version: &'static str,
}

impl Package {
    fn new() -> Package {
        let folder = tempfile::tempdir().unwrap();
        let from = workspace().join("wit");
        fs::create_dir(folder.path().join("deps")).unwrap();
        for part in ["", "deps"] {
            for file in fs::read_dir(from.join(part)).unwrap() {
                let path = file.unwrap().path();
                if path.is_file() {
                    let to = folder.path().join(part).join(path.file_name().unwrap());
                    fs::copy(path, to).unwrap();
                }
            }
        }
        let package = Package {
            folder,
            version: "0.1.0",
        };
        let run = "run: async func() -> result;";
        package.dependency(
            "cli3",
            &format!("package wasi:cli@0.3.0; interface run {{ {run} }}"),
        );
        let run = "run: func() -> result;";
        package.dependency(
            "cli2",
            &format!("package wasi:cli@0.2.6; interface run {{ {run} }}"),
        );
        package
    }

    /// Adds a package that the application depends on.
    fn dependency(&self, name: &str, wit: &str) {
        let path = self.folder.path().join("deps").join(format!("{name}.wit"));
        fs::write(path, wit).unwrap();
    }

    fn version(mut self, version: &'static str) -> Package {
        for file in fs::read_dir(self.folder.path()).unwrap() {
            let path = file.unwrap().path();
            // The host's package has a version of its own.
            if path.is_file() && !path.ends_with("host.wit") {
                let text = fs::read_to_string(&path).unwrap();
                let name = "package asyncio:streams@";
                let (before, after) = (format!("{name}0.1.0;"), format!("{name}{version};"));
                assert!(text.contains(&before), "{}", path.display());
                fs::write(path, text.replace(&before, &after)).unwrap();
            }
        }
        self.version = version;
        self
    }

    /// Replaces a text that occurs once in the file.
    fn replace(self, file: &str, before: &str, after: &str) -> Package {
        let path = self.folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(before).count(), 1, "{before}");
        fs::write(path, text.replace(before, after)).unwrap();
        self
    }

    /// Builds a component of this world. It traps as soon as one of its functions is
    /// called.
    fn component(&self, world: &str) -> Vec<u8> {
        let wit = format!(
            "package asyncio:streams@{}; world test {{ {world} }}",
            self.version
        );
        fs::write(self.folder.path().join("test.wit"), wit).unwrap();
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(self.folder.path()).unwrap();
        let world = resolve.select_world(&[package], Some("test")).unwrap();
        let abi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
        let mut module = dummy_module(&resolve, world, abi);
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
            .unwrap();
        let mut encoder = ComponentEncoder::default();
        let encoder = encoder.validate(true).module(&module).unwrap();
        encoder.encode().unwrap()
    }

    fn run(&self, world: &str) -> Ended {
        let path = self.folder.path().join("app.wasm");
        fs::write(&path, self.component(world)).unwrap();
        run_file(&path)
    }

    /// Runs the application, which has to be refused, and returns the message.
    fn refused(&self, world: &str) -> String {
        message(&self.run(world))
    }
}

fn command(args: &[&str], path: &Path) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asyncio-streams"));
    command
        .env_remove("ASYNCIO_STREAMS_COMPONENT")
        .env_remove("ASYNCIO_STREAMS_LOG")
        .args(args)
        .arg(path);
    Process::start(command).end()
}

fn run_file(path: &Path) -> Ended {
    command(&["run"], path)
}

/// Returns the message of a refusal, which has to name the file.
fn message(ended: &Ended) -> String {
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(ended.stdout, "");
    let message = ended.stderr.strip_prefix("asyncio-streams: error: ");
    message.unwrap_or_else(|| panic!("{ended:?}")).to_owned()
}

fn assert_contains(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in {message:?}");
    }
}

// Applications that do not fit

#[test]
fn an_application_of_this_version_starts() {
    let ended = Package::new().run(APPLICATION);
    // The dummy module traps as soon as it is called.
    assert_eq!(ended.code, Some(134), "{ended:?}");
}

#[test]
fn an_application_that_knows_less_of_the_interfaces_starts() {
    let function = "@since(version = 0.1.0)\n    at-eof: func() -> bool;";
    let package = Package::new().replace("streams.wit", function, "");
    assert_eq!(package.run(APPLICATION).code, Some(134));
}

#[test]
fn an_application_of_a_later_patch_that_uses_nothing_new_starts() {
    let package = Package::new().version("0.1.9");
    assert_eq!(package.run(APPLICATION).code, Some(134));
}

#[test]
fn an_application_of_a_newer_version_is_refused_with_both_versions() {
    let message = Package::new().version("0.2.0").refused(APPLICATION);
    assert_contains(
        &message,
        &[
            "app.wasm",
            "`asyncio:streams/",
            "@0.2.0`",
            "@0.1.0`",
            "the application is newer: update asyncio-streams",
        ],
    );
}

#[test]
fn an_application_that_needs_a_newer_function_is_refused_with_its_name() {
    let function = "at-eof: func() -> bool;";
    let newer = format!("{function} @since(version = 0.1.1) peek: func() -> list<u8>;");
    let package = Package::new()
        .version("0.1.1")
        .replace("streams.wit", function, &newer);
    assert_contains(
        &package.refused(APPLICATION),
        &[
            "imports `asyncio:streams/streams@0.1.1`",
            "provides `asyncio:streams/streams@0.1.0`",
            "which has no function `stream-reader.peek`",
            "the application is newer: update asyncio-streams",
        ],
    );
}

#[test]
fn an_application_that_needs_a_newer_interface_is_refused_with_its_name() {
    let package = Package::new().version("0.1.1");
    let wit = "package asyncio:streams@0.1.1; interface datagrams { open: func(); }";
    fs::write(package.folder.path().join("datagrams.wit"), wit).unwrap();
    assert_contains(
        &package.refused(&format!("import datagrams; {APPLICATION}")),
        &[
            "imports `asyncio:streams/datagrams@0.1.1`",
            "does not provide it",
        ],
    );
}

#[test]
fn an_application_with_another_signature_is_refused_with_both() {
    let function = "read: async func(n: option<u64>)";
    let other = function.replace("u64", "u32");
    let package = Package::new().replace("streams.wit", function, &other);
    assert_contains(
        &package.refused(APPLICATION),
        &[
            "imports `asyncio:streams/streams@0.1.0`",
            "`stream-reader.read`",
            "n: option<u64>",
            "n: option<u32>",
            "build the application with the interfaces of this version",
        ],
    );
}

#[test]
fn an_application_with_another_type_is_refused_with_both_definitions() {
    let package = Package::new().replace("types.wit", "service(string),", "service(list<u8>),");
    assert_contains(
        &package.refused(APPLICATION),
        &[
            "`port`",
            "variant { number(u16), service(string) }",
            "variant { number(u16), service(list<u8>) }",
        ],
    );
}

#[test]
fn an_application_that_imports_an_unknown_interface_of_ours_is_refused() {
    let package = Package::new();
    let wit = "package asyncio:http@0.1.0; interface client { get: func(); }";
    package.dependency("http", wit);
    assert_contains(
        &package.refused(&format!("import asyncio:http/client@0.1.0; {APPLICATION}")),
        &["`asyncio:http/client@0.1.0`", "does not provide"],
    );
}

#[test]
fn an_application_with_an_import_that_is_not_provided_is_refused() {
    let package = Package::new();
    let wit = "package acme:database@1.2.3; interface tables { open: func(); }";
    package.dependency("database", wit);
    assert_contains(
        &package.refused(&format!("import acme:database/tables@1.2.3; {APPLICATION}")),
        &["acme:database/tables@1.2.3", "cannot be instantiated"],
    );
}

// Components that are no programs

#[test]
fn a_program_for_wasi_0_2_is_refused_with_what_to_do() {
    let package = Package::new();
    for world in [
        "export wasi:cli/run@0.2.6;",
        "import streams; export wasi:cli/run@0.2.6;",
    ] {
        assert_contains(
            &package.refused(world),
            &[
                "for WASI 0.2",
                "`wasi:cli/run@0.2.6`",
                "build it against WASI 0.3",
            ],
        );
    }
}

#[test]
fn a_component_without_a_program_is_refused_with_what_it_has() {
    let streams = message(&run_file(&component("streams-tcp")));
    assert_contains(
        &streams,
        &[
            "not a program",
            "wasi:cli/run@0.3.0",
            "asyncio:streams/streams@0.1.0",
        ],
    );
    assert_contains(
        &Package::new().refused("import streams;"),
        &["not a program", "it exports nothing"],
    );
}

// Files that are no components

/// Files that cannot be run, each with its description.
fn broken() -> Vec<(String, Vec<u8>)> {
    let noise: Vec<u8> = (0..5000_u32).map(|n| (n * n / 8) as u8).collect();
    let begin = |magic: &[u8]| [magic, &noise].concat();
    let mut broken = vec![
        ("empty".to_owned(), Vec::new()),
        ("text".to_owned(), b"print('hello')\n".to_vec()),
        ("WAT".to_owned(), b"(component)".to_vec()),
        ("noise".to_owned(), noise.clone()),
        (
            "a component of noise".to_owned(),
            begin(b"\0asm\x0d\0\x01\0"),
        ),
        ("a module of noise".to_owned(), begin(b"\0asm\x01\0\0\0")),
        (
            "of a future version".to_owned(),
            begin(b"\0asm\x0e\0\x01\0"),
        ),
        (
            "a module that is no program".to_owned(),
            b"\0asm\x01\0\0\0".to_vec(),
        ),
    ];
    for name in ["tcp-echo-client", "tcp-echo-client-wit"] {
        let whole = fs::read(component(name)).unwrap();
        let part = whole.len() / 8;
        let lengths = (0..8)
            .map(|n| n * part)
            .chain([4, 8, 9, 100, whole.len() - 1]);
        for length in lengths {
            broken.push((
                format!("{length} bytes of {name}"),
                whole[..length].to_vec(),
            ));
        }
        let mut damaged = whole.clone();
        damaged[part] ^= 0xff;
        damaged.truncate(whole.len() - part);
        broken.push((format!("{name} with damage"), damaged));
    }
    broken
}

#[test]
fn a_file_that_is_broken_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.wasm");
    for (what, bytes) in broken() {
        fs::write(&path, bytes).unwrap();
        let ended = run_file(&path);
        assert_eq!(ended.code, Some(2), "{what}: {ended:?}");
        assert_contains(&message(&ended), &["broken.wasm: "]);
        assert!(!ended.stderr.contains("panicked"), "{what}: {ended:?}");
    }
}

#[test]
fn compose_writes_nothing_for_a_file_that_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let (path, output) = (
        folder.path().join("broken.wasm"),
        folder.path().join("out.wasm"),
    );
    let whole = fs::read(component("tcp-echo-client-wit")).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let ended = command(&["compose", "-o", output.to_str().unwrap()], &path);
    assert_contains(&message(&ended), &["broken.wasm: "]);
    assert!(!output.exists());
}

#[test]
fn a_path_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing: PathBuf = folder.path().join("missing.wasm");
    assert_contains(
        &message(&run_file(&missing)),
        &["missing.wasm", "No such file"],
    );
    assert_contains(&message(&run_file(folder.path())), &["cannot read"]);
}

#[test]
fn a_streams_component_that_is_none_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("streams.wasm");
    fs::write(&path, b"\0asm\x0d\0\x01\0 and more").unwrap();
    let flags = ["run", "--streams-component", path.to_str().unwrap()];
    let application = component("tcp-echo-client-wit");
    assert_contains(
        &message(&command(&flags, &application)),
        &["the streams component"],
    );

    // Another component that is not the streams component.
    let other = component("probe");
    let flags = ["run", "--streams-component", other.to_str().unwrap()];
    assert_contains(
        &message(&command(&flags, &application)),
        &[
            "imports `asyncio:streams/",
            "the streams component does not provide it",
        ],
    );
}
