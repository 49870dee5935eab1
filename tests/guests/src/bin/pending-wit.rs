//! Connects while other calls wait; written against the WIT.
use guests::composed as net;
include!("../behaviours/pending.rs");
