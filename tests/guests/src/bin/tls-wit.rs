//! TLS, as it is told; composed.
use guests::composed as net;
include!("../behaviours/tls.rs");
