//! Does what its clients say; composed.
use guests::composed as net;
include!("../behaviours/commanded-server.rs");
