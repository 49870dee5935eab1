//! Serves, and executes the commands of its clients; composed.
use guests::composed as net;
include!("../behaviours/commanded-server.rs");
