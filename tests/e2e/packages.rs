//! Checks the WIT package, what each component imports and exports, and that the tests
//! use every component.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use wit_component::DecodedWasm;
use wit_parser::{
    Docs, Function, InterfaceId, PackageId, Resolve, Stability, Type, TypeDef, TypeDefKind,
    TypeOwner, WorldId, WorldItem,
};

use crate::support::{component, workspace};

/// The packages of this repository.
const PACKAGES: [&str; 2] = ["asyncio:streams", "asyncio:host"];

// The WIT package

fn package() -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(workspace().join("wit")).unwrap();
    (resolve, package)
}

fn packages() -> (Resolve, [PackageId; 2]) {
    let (resolve, _) = package();
    let named = |name: &&str| {
        let mut packages = resolve.packages.iter();
        let found = packages.find(|(_, it)| it.name.to_string().starts_with(&format!("{name}@")));
        found.unwrap().0
    };
    let packages = PACKAGES.each_ref().map(named);
    (resolve, packages)
}

/// Collects the items that lack documentation or a version.
struct Check<'a> {
    resolve: &'a Resolve,
    package: PackageId,
    missing: Vec<String>,
    seen: usize,
}

impl Check<'_> {
    fn docs(&mut self, item: &str, docs: &Docs) {
        self.seen += 1;
        if docs
            .contents
            .as_ref()
            .is_none_or(|text| text.trim().is_empty())
        {
            self.missing.push(format!("{item}: documentation"));
        }
    }

    fn since(&mut self, item: &str, stability: &Stability) {
        let version = self.resolve.packages[self.package].name.version.as_ref();
        match stability {
            Stability::Stable { since, .. } if Some(since) <= version => {}
            other => self.missing.push(format!("{item}: @since ({other:?})")),
        }
    }

    fn item(&mut self, item: &str, docs: &Docs, stability: &Stability) {
        self.docs(item, docs);
        self.since(item, stability);
    }

    fn interface(&mut self, id: InterfaceId) {
        let interface = &self.resolve.interfaces[id];
        let name = interface.name.clone().unwrap();
        self.item(&name, &interface.docs, &interface.stability);
        for (item, ty) in &interface.types {
            let ty = &self.resolve.types[*ty];
            if !self.is_used(id, ty) {
                self.type_definition(&format!("{name}.{item}"), ty);
            }
        }
        for function in interface.functions.values() {
            self.function(&name, function);
        }
    }

    /// Returns whether a `use` brings the type into the interface.
    fn is_used(&self, here: InterfaceId, ty: &TypeDef) -> bool {
        let TypeDefKind::Type(Type::Id(of)) = &ty.kind else {
            return false;
        };
        self.resolve.types[*of].owner != TypeOwner::Interface(here)
    }

    fn type_definition(&mut self, name: &str, ty: &TypeDef) {
        self.item(name, &ty.docs, &ty.stability);
        let parts: Vec<(&String, &Docs)> = match &ty.kind {
            TypeDefKind::Record(it) => it.fields.iter().map(|it| (&it.name, &it.docs)).collect(),
            TypeDefKind::Flags(it) => it.flags.iter().map(|it| (&it.name, &it.docs)).collect(),
            TypeDefKind::Variant(it) => it.cases.iter().map(|it| (&it.name, &it.docs)).collect(),
            TypeDefKind::Enum(it) => it.cases.iter().map(|it| (&it.name, &it.docs)).collect(),
            _ => Vec::new(),
        };
        for (part, docs) in parts {
            self.docs(&format!("{name}.{part}"), docs);
        }
    }

    fn function(&mut self, interface: &str, function: &Function) {
        let name = format!("{interface}.{}", function.name);
        self.item(&name, &function.docs, &function.stability);
    }
}

/// Returns the items that lack documentation or a version, and the number of all items.
fn undocumented(resolve: &Resolve, package: PackageId) -> (Vec<String>, usize) {
    let mut check = Check {
        resolve,
        package,
        missing: Vec::new(),
        seen: 0,
    };
    for id in resolve.packages[package].interfaces.values() {
        check.interface(*id);
    }
    for (name, id) in &resolve.packages[package].worlds {
        let world = &resolve.worlds[*id];
        check.item(name, &world.docs, &world.stability);
        for (key, item) in world.imports.iter().chain(&world.exports) {
            let item_name = resolve.name_world_key(key);
            if item_name.starts_with("asyncio:") {
                check.since(&format!("{name}: {item_name}"), item.stability(resolve));
            }
        }
    }
    (check.missing, check.seen)
}

#[test]
fn everything_in_the_packages_is_documented_and_has_a_version() {
    let (resolve, packages) = packages();
    for (package, least) in packages.into_iter().zip([200, 6]) {
        let (missing, seen) = undocumented(&resolve, package);
        assert_eq!(missing, Vec::<String>::new());
        assert!(seen >= least, "only {seen} items were seen");
    }
}

#[test]
fn items_without_documentation_or_version_are_found() {
    let mut resolve = Resolve::default();
    let wit = "package asyncio:streams@0.1.0;
        interface all {
            type number = u8;
            enum colour { red }
            record point { x: u8 }
            flags set { one }
            variant either { this }
            resource thing { constructor(); act: func(); make: static func() -> thing; }
            call: func();
        }
        world w { import all; }";
    let package = resolve.push_str("test.wit", wit).unwrap();
    let (missing, _) = undocumented(&resolve, package);
    let documentation = "\
        all all.number all.colour all.colour.red all.point all.point.x all.set all.set.one \
        all.either all.either.this all.thing all.[constructor]thing all.[method]thing.act \
        all.[static]thing.make all.call w";
    let found = |kind: &str| -> BTreeSet<String> {
        let found = missing.iter().filter_map(|text| text.rsplit_once(": "));
        let found = found.filter(|(_, what)| what.starts_with(kind));
        found.map(|(item, _)| item.to_owned()).collect()
    };
    let expected: Vec<&str> = documentation.split_whitespace().collect();
    assert_eq!(found("documentation"), set(&expected));
    // Cases, fields and flags have no version of their own.
    let mut expected: Vec<&str> = expected
        .into_iter()
        .filter(|item| {
            !["red", "x", "one", "this"]
                .iter()
                .any(|part| item.ends_with(part))
        })
        .collect();
    expected.push("w: asyncio:streams/all@0.1.0");
    assert_eq!(found("@since"), set(&expected));
}

#[test]
fn worlds_hold_interfaces_only() {
    let (resolve, packages) = packages();
    let worlds = packages.map(|package| &resolve.packages[package].worlds);
    assert!(worlds.iter().all(|worlds| !worlds.is_empty()));
    for (name, id) in worlds.into_iter().flatten() {
        let world = &resolve.worlds[*id];
        for (key, item) in world.imports.iter().chain(&world.exports) {
            let item_name = resolve.name_world_key(key);
            assert!(
                matches!(item, WorldItem::Interface { .. }),
                "{name}: {item_name}"
            );
            assert!(
                item_name.contains(':'),
                "{name}: {item_name} is not in a package"
            );
        }
    }
}

#[test]
fn the_packages_have_the_version_of_the_crate() {
    let (resolve, packages) = packages();
    for (package, name) in packages.into_iter().zip(PACKAGES) {
        let found = resolve.packages[package].name.to_string();
        assert_eq!(found, format!("{name}@{}", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn the_interfaces_that_plain_applications_import_mention_no_socket() {
    let (resolve, package) = package();
    let worlds = &resolve.packages[package].worlds;
    let world = &resolve.worlds[worlds["application"]];
    let imports = world.imports.keys().map(|key| resolve.name_world_key(key));
    for import in imports {
        assert!(import.starts_with("asyncio:streams/"), "{import}");
        assert!(!import.contains("/adopt"), "{import}");
    }
}

#[test]
fn the_wasi_packages_are_of_the_version_that_guests_are_built_with() {
    let lock = fs::read_to_string(workspace().join("Cargo.lock")).unwrap();
    let wasip3 = lock
        .split("[[package]]")
        .find(|it| it.contains("\nname = \"wasip3\"\n"));
    let version = wasip3
        .unwrap()
        .lines()
        .find_map(|line| line.strip_prefix("version = "));
    let (_, wasi) = version
        .unwrap()
        .trim_matches('"')
        .split_once("+wasi-")
        .unwrap();

    let (resolve, ours) = packages();
    let mut names = BTreeSet::new();
    for (id, dependency) in &resolve.packages {
        if !ours.contains(&id) {
            assert_eq!(dependency.name.version.as_ref().unwrap().to_string(), wasi);
            names.insert(format!(
                "{}:{}",
                dependency.name.namespace, dependency.name.name
            ));
        }
    }
    assert_eq!(names, set(&["wasi:clocks", "wasi:sockets"]));
}

// What components import and export

/// The interfaces of a component, without their versions.
#[derive(Debug)]
struct Surface {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
}

impl Surface {
    /// Reads a component. Its WASI has to be on the 0.3 track, and our packages at this
    /// version.
    fn of(name: &str) -> Surface {
        let bytes = fs::read(component(name)).unwrap();
        let DecodedWasm::Component(resolve, world) = wit_component::decode(&bytes).unwrap() else {
            panic!("{name} is a package");
        };
        let (imports, exports) = names(&resolve, world);
        let unversioned = |names: Vec<String>| {
            let names = names.into_iter().map(|full| {
                let (interface, version) = full.split_once('@').unwrap();
                let ours = interface.starts_with("asyncio:") && version == "0.1.0";
                let wasi = interface.starts_with("wasi:") && version.starts_with("0.3.");
                assert!(ours || wasi, "{name}: {full}");
                interface.to_owned()
            });
            names.collect()
        };
        Surface {
            imports: unversioned(imports),
            exports: unversioned(exports),
        }
    }

    /// Returns the packages that it imports from.
    fn packages(&self) -> BTreeSet<String> {
        let packages = self.imports.iter().filter_map(|name| name.split_once('/'));
        packages.map(|(package, _)| package.to_owned()).collect()
    }
}

fn names(resolve: &Resolve, world: WorldId) -> (Vec<String>, Vec<String>) {
    let world = &resolve.worlds[world];
    let names = |keys: &mut dyn Iterator<Item = &wit_parser::WorldKey>| {
        keys.map(|key| resolve.name_world_key(key)).collect()
    };
    (
        names(&mut world.imports.keys()),
        names(&mut world.exports.keys()),
    )
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn the_streams_component_imports_nothing_but_sockets_a_clock_and_in_full_what_the_host_adds() {
    let wasi = set(&[
        "wasi:clocks/monotonic-clock",
        "wasi:clocks/types",
        "wasi:sockets/ip-name-lookup",
        "wasi:sockets/types",
    ]);
    let full = &wasi
        | &set(&[
            "asyncio:host/listeners",
            "asyncio:host/tcp-options",
            "asyncio:host/tls",
            "asyncio:host/unix-sockets",
        ]);
    for (variant, imports) in [("streams-tcp", wasi), ("streams-full", full)] {
        let surface = Surface::of(variant);
        assert_eq!(surface.imports, imports, "{variant}");
        assert_eq!(
            surface.exports,
            set(&[
                "asyncio:streams/adopt",
                "asyncio:streams/handover",
                "asyncio:streams/server",
                "asyncio:streams/sockets",
                "asyncio:streams/ssl",
                "asyncio:streams/streams",
                "asyncio:streams/types",
            ])
        );
        // The package documents these imports of the component.
        let (resolve, package) = package();
        let (imports, exports) = names(&resolve, resolve.packages[package].worlds[variant]);
        let unversioned = |names: Vec<String>| -> BTreeSet<String> {
            let names = names.iter().filter_map(|name| name.split_once('@'));
            names.map(|(name, _)| name.to_owned()).collect()
        };
        assert_eq!(surface.imports, unversioned(imports), "{variant}");
        assert_eq!(surface.exports, unversioned(exports), "{variant}");
    }
}

#[test]
fn a_plain_application_imports_nothing_but_streams_the_command_line_and_a_clock() {
    for name in examples().iter().filter(|name| name.ends_with("-wit")) {
        let surface = Surface::of(name);
        assert_eq!(
            surface.packages(),
            // The clock bounds how long `println!` waits for a reader that takes nothing.
            set(&["asyncio:streams", "wasi:cli", "wasi:clocks"]),
            "{name}"
        );
        assert!(!surface.imports.contains("asyncio:streams/adopt"), "{name}");
        assert_eq!(surface.exports, set(&["wasi:cli/run"]), "{name}");
    }
}

/// The one composed guest that makes sockets of its own on purpose.
const ADOPTS: &str = "adopts-wit";

#[test]
fn a_composed_guest_has_no_socket_unless_it_brings_its_own() {
    let surface = Surface::of(ADOPTS);
    assert!(surface.imports.contains("asyncio:streams/adopt"));
    assert!(surface.imports.contains("wasi:sockets/types"));
    let composed = |name: &&String| name.ends_with("-wit") && *name != ADOPTS;
    for name in guests().iter().filter(composed) {
        let surface = Surface::of(name);
        let allowed = set(&["asyncio:streams", "wasi:cli", "wasi:clocks"]);
        assert!(
            surface.packages().is_subset(&allowed),
            "{name}: {surface:?}"
        );
        assert!(surface.packages().contains("asyncio:streams"), "{name}");
        assert_eq!(surface.exports, set(&["wasi:cli/run"]), "{name}");
    }
}

/// The capabilities, and the linked programs that import each. Sessions and inherited
/// listeners may be on Unix sockets, so a program that imports `tls` or `listeners`
/// imports `unix-sockets` too.
const MORE: [(&str, &[&str]); 4] = [
    (
        "tcp-options",
        &[
            "adopts",
            "conformance",
            "functions",
            "shares",
            "tcp-options",
            "unix",
        ],
    ),
    (
        "tls",
        &[
            "binds-host",
            "conformance",
            "hoards",
            "http-headers",
            "tls",
            "tls-raw",
            "tls-churn",
            "tls-flows",
            "unix",
            "unix-sockets",
        ],
    ),
    (
        "unix-sockets",
        &[
            "binds-host",
            "conformance",
            "echo-server-unix",
            "hoards",
            "inherited",
            "http-headers",
            "redis-client",
            "tls",
            "tls-raw",
            "tls-churn",
            "tls-flows",
            "unix",
            "unix-churn",
            "unix-sockets",
            "wait-for-data",
        ],
    ),
    ("listeners", &["inherited"]),
];

#[test]
fn a_static_program_imports_nothing_but_wasi_unless_it_asks_for_more() {
    for name in guests()
        .union(&examples())
        .filter(|name| !name.ends_with("-wit"))
    {
        let mut surface = Surface::of(name);
        for (interface, who) in MORE {
            let asks = surface.imports.remove(&format!("asyncio:host/{interface}"));
            assert_eq!(asks, who.contains(&name.as_str()), "{name}: {interface}");
        }
        let allowed = set(&["wasi:cli", "wasi:clocks", "wasi:sockets"]);
        assert!(
            surface.packages().is_subset(&allowed),
            "{name}: {surface:?}"
        );
        assert_eq!(surface.exports, set(&["wasi:cli/run"]), "{name}");
    }
}

// Whether the tests use all of them

/// The tests' guests, by the names of their files.
fn guests() -> BTreeSet<String> {
    let files = sources(&workspace().join("tests/guests/src/bin"));
    let guests: BTreeSet<String> = files.iter().map(|file| stem(file)).collect();
    assert!(!guests.is_empty());
    guests
}

/// The examples. Those in the folder `wit` end in `-wit`. A `mod.rs` belongs to another
/// example.
fn examples() -> BTreeSet<String> {
    let folder = workspace().join("examples");
    let examples: BTreeSet<String> = sources(&folder)
        .iter()
        .filter(|file| !file.ends_with("mod.rs"))
        .map(|file| match file.parent() {
            Some(parent) if parent.ends_with("wit") => format!("{}-wit", stem(file)),
            _ => stem(file),
        })
        .collect();
    assert!(!examples.is_empty());
    examples
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// Lists the Rust files in a folder and below.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_component_is_run_by_a_test() {
    let tests = workspace().join("tests");
    let guests_folder = tests.join("guests");
    let tests: Vec<String> = sources(&tests)
        .iter()
        .filter(|file| !file.starts_with(&guests_folder) && !file.ends_with("packages.rs"))
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    // The tests name a guest in full, or as a common name with `{form}`.
    let named = |name: &str| {
        let both = name.trim_end_matches("-wit");
        tests.iter().any(|test| {
            let has = |text: &str| test.contains(&format!("\"{text}\""));
            has(name) || has(&format!("{both}{{form}}")) || (has(both) && has("-wit"))
        })
    };
    let mut names = guests();
    // A test names the behaviour that it wants of these two.
    assert!(names.remove("behaviours") && names.remove("behaviours-wit"));
    let folder = guests_folder.join("src/behaviours");
    let behaviours = sources(&folder)
        .into_iter()
        .map(|file| stem(&file).replace('_', "-"))
        .filter(|name| name != "mod")
        .flat_map(|name| [format!("{name}-wit"), name]);
    names.extend(behaviours);
    names.extend(examples());
    let dead: Vec<String> = names.into_iter().filter(|name| !named(name)).collect();
    assert_eq!(dead, Vec::<String>::new(), "no test names these components");
}
