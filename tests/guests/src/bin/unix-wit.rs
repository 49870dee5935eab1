//! Unix sockets; composed.
use guests::composed as net;
include!("../behaviours/unix.rs");
