//! Prints more than is read; written against the WIT.
use guests::composed as net;
include!("../behaviours/outputs.rs");
