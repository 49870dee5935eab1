//! Leaves a connection behind; written against the WIT.
use guests::composed as net;
include!("../behaviours/forgets.rs");
