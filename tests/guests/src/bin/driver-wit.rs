//! Does to a connection what its control connection asks for; written against the WIT.
use guests::composed as net;
include!("../behaviours/driver.rs");
