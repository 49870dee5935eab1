//! Uses Unix sockets; composed.
use std::convert::identity as adopted;

use guests::composed as net;
include!("../behaviours/unix.rs");
