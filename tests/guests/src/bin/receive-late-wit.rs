//! Receives much, and late; written against the WIT.
use guests::composed as net;
include!("../behaviours/receive-late.rs");
