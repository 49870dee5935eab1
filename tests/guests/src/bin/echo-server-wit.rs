//! Sends back what it receives; written against the WIT.
use guests::composed as net;
include!("../behaviours/echo-server.rs");
