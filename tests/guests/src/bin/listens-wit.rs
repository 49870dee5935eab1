//! Listens, prints the addresses, and ends; composed.
use guests::composed as net;
include!("../behaviours/listens.rs");
