//! Counts the lines it receives; written against the WIT.
use guests::composed as net;
include!("../both_forms/lines-server.rs");
