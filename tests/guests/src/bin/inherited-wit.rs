//! Serves listeners that it inherits from its host; composed.
use std::convert::identity as adopted;

use guests::composed as net;
include!("../both_forms/inherited.rs");
