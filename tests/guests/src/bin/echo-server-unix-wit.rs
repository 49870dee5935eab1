//! Sends back what it receives on a Unix socket; written against the WIT.
use guests::composed as net;
include!("../both_forms/echo-server-unix.rs");
