//! Makes Unix sockets of every kind and leaves nothing behind; composed.
use guests::composed as net;
include!("../both_forms/unix-churn.rs");
