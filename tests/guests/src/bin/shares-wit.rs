//! Serves on a port that other programs may share; written against the WIT.
use guests::composed as net;
include!("../both_forms/shares.rs");
