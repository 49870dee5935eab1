use std::fmt::Write as _;
use std::hash::{Hash as _, Hasher};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

/// The version of the composer: that of this package, and its code, which changes
/// between versions during development.
const COMPOSER: &[&[u8]] = &[
    env!("CARGO_PKG_VERSION").as_bytes(),
    include_bytes!("../../compose/mod.rs"),
    include_bytes!("../../compose/inspect/mod.rs"),
    include_bytes!("../../compose/module.rs"),
];

/// The name of a compiled program: a strong hash of all its inputs, so that no program
/// passes for another one.
pub(super) struct Key(String);

impl Key {
    pub(super) fn new(engine: &Engine, program: &[u8], streams: Option<&[u8]>) -> Self {
        let mut hash = Hash(Sha256::new());
        for part in COMPOSER {
            hash.part(part);
        }
        hash.part(program);
        hash.part(streams.unwrap_or_default());
        engine.precompile_compatibility_hash().hash(&mut hash);
        let mut name = String::with_capacity(64);
        for byte in hash.0.finalize() {
            let _ = write!(name, "{byte:02x}");
        }
        Self(name)
    }

    pub(super) fn file_name(&self) -> &str {
        &self.0
    }
}

struct Hash(Sha256);

impl Hash {
    /// Adds a part with its length, so that no two lists of parts give the same bytes.
    fn part(&mut self, bytes: &[u8]) {
        self.write_usize(bytes.len());
        self.write(bytes);
    }
}

/// Takes bytes of types that give them by [`std::hash::Hash`] only.
impl Hasher for Hash {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
