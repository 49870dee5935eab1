//! Serves listeners that its host hands over; composed.
use std::convert::identity as adopted;

use guests::composed as net;
include!("../behaviours/inherited.rs");
