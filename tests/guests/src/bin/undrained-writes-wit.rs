//! Writes without draining; written against the WIT.
use guests::composed as net;
include!("../behaviours/undrained-writes.rs");
