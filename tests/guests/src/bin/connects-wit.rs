//! Connects until it is refused; written against the WIT.
use guests::composed as net;
include!("../behaviours/connects.rs");
