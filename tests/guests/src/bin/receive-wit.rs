//! Receives much; written against the WIT.
use guests::composed as net;
include!("../behaviours/receive.rs");
