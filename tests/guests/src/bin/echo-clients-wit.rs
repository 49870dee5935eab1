//! Runs many clients of an echo server; written against the WIT.
use guests::composed as net;
include!("../behaviours/echo-clients.rs");
