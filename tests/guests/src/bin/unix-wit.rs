//! Uses Unix sockets; composed.
use std::convert::identity as adopted;

use guests::composed as net;
include!("../both_forms/unix.rs");
