//! Serves with probes of idle connections; composed.
use guests::composed as net;
include!("../behaviours/keeps-alive.rs");
