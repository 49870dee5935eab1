//! Connects; written against the WIT.
use guests::composed as net;
include!("../behaviours/connect.rs");
