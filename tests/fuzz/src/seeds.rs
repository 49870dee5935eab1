//! The first inputs of a fuzzer, before it has found others.

use std::path::PathBuf;
use std::{env, fs};

/// The variable that names the folder for the seeds.
const VARIABLE: &str = "FUZZ_SEEDS";

/// Writes the seeds to the folder that `FUZZ_SEEDS` names, if it is set.
///
/// # Panics
///
/// If the seeds cannot be written.
#[expect(clippy::expect_used, reason = "a fuzzer without its seeds is to stop")]
pub fn write<S: AsRef<[u8]>>(seeds: impl IntoIterator<Item = (&'static str, S)>) {
    let Some(folder) = env::var_os(VARIABLE).map(PathBuf::from) else {
        return;
    };
    for (name, seed) in seeds {
        fs::write(folder.join(name), seed).expect("the folder for seeds");
    }
}
