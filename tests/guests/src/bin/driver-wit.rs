//! Does to a connection what it is asked to; written against the WIT.
use guests::composed as net;
include!("../behaviours/driver.rs");
