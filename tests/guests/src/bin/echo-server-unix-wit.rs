//! Sends back what it receives on a Unix socket; written against the WIT.
use guests::composed as net;
include!("../behaviours/echo-server-unix.rs");
