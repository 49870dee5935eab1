//! Serves until it is stopped, and lets its clients finish; composed.
use guests::composed as net;
include!("../behaviours/finishes.rs");
