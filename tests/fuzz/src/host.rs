//! Those modules of the host that know no wasmtime, which takes minutes to
//! build with instrumentation.

#[path = "../../../host/src/compose/mod.rs"]
pub mod compose;
#[path = "../../../host/src/policy/mod.rs"]
pub mod policy;
