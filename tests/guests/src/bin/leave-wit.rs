//! Returns right after writing; written against the WIT.
use guests::composed as net;
include!("../behaviours/leave.rs");
