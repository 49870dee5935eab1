//! Sends back what it receives; written against the WIT.
use guests::composed as net;
include!("../both_forms/echo-server.rs");
