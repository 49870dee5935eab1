//! Ends its side, then reads the answer; written against the WIT.
use guests::composed as net;
include!("../behaviours/answer-client.rs");
