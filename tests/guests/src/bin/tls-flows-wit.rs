//! An echo, a source or a sink of bytes over TLS; written against the WIT.
use guests::composed as net;
include!("../both_forms/tls-flows.rs");
