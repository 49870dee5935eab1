//! Runs a TLS client or server whose steps are its arguments; composed.
use guests::composed as net;
include!("../both_forms/tls.rs");
