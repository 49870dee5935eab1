//! Makes Unix sockets of every kind and leaves nothing behind; composed.
use guests::composed as net;
include!("../behaviours/unix-churn.rs");
