//! The features of WebAssembly that programs may use.
//!
//! A feature is on if compilers use it without being asked, and off otherwise: each is
//! code of the engine that a hostile program reaches. Memories of 64 bits, shared memories
//! and threads are also off because the limits of memory and time would not hold for them.

use wasmparser::{Validator, WasmFeatures};
use wasmtime::Config;

/// The features that are on, by their names in wasmparser, each with its reason.
const ON: &[(&str, &str)] = &[
    ("FLOATS", "part of the first version of WebAssembly"),
    ("MUTABLE_GLOBAL", "linkers export the stack pointer"),
    (
        "SATURATING_FLOAT_TO_INT",
        "Rust's `as` from floats; default of LLVM",
    ),
    ("SIGN_EXTENSION", "default of LLVM, Go and others"),
    ("MULTI_VALUE", "default of LLVM"),
    ("BULK_MEMORY", "memcpy and memset; default of LLVM"),
    (
        "BULK_MEMORY_OPT",
        "the part of BULK_MEMORY that LLVM names so",
    ),
    ("REFERENCE_TYPES", "default of LLVM"),
    (
        "CALL_INDIRECT_OVERLONG",
        "the form in which LLVM's linker writes calls through tables",
    ),
    (
        "SIMD",
        "the search for a byte, here and in the libraries of other languages",
    ),
    (
        "EXTENDED_CONST",
        "places the data of shared libraries, as those of Python are linked",
    ),
    (
        "MULTI_MEMORY",
        "wasmtime's own code between components copies from one memory to another",
    ),
    ("COMPONENT_MODEL", "programs are components"),
    ("CM_ASYNC", "WASI 0.3"),
];

/// Turns on the features of the list, and all others off.
pub(super) fn apply(config: &mut Config) {
    for (name, feature) in wasmtime::WasmFeatures::all().iter_names() {
        config.wasm_features(feature, is_on(name));
    }
    config.shared_memory(false);
}

fn is_on(name: &str) -> bool {
    ON.iter().any(|(on, _)| *on == name)
}

/// Returns the same features for a validator.
pub(crate) fn validated() -> WasmFeatures {
    let on = ON.iter().map(|(name, _)| WasmFeatures::from_name(name));
    on.flatten().collect()
}

/// Returns the name of the feature that is off and without which this is not valid, as the
/// proposals write it, and the words of the validator.
pub(crate) fn missing(error: &wasmparser::Error) -> Option<(String, String)> {
    let feature = error.missing_wasm_feature()?;
    let (name, _) = feature.iter_names().next()?;
    Some((
        name.to_lowercase().replace('_', "-"),
        error.message().to_owned(),
    ))
}

/// Looks for a feature that is off in all of a component that the engine has refused,
/// instructions included.
pub(super) fn missing_in(component: &[u8]) -> Option<(String, String)> {
    let mut validator = Validator::new_with_features(validated());
    missing(&validator.validate_all(component).err()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_of_the_list_exists_in_the_engine_and_in_the_validator() {
        for (name, _) in ON {
            assert!(wasmtime::WasmFeatures::from_name(name).is_some(), "{name}");
            assert!(WasmFeatures::from_name(name).is_some(), "{name}");
        }
    }
}
