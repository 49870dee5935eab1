//! The modules of the host that do not use wasmtime. Building wasmtime with
//! instrumentation takes minutes.

#[path = "../../../host/src/compose/mod.rs"]
pub mod compose;
#[path = "../../../host/src/policy/mod.rs"]
pub mod policy;
