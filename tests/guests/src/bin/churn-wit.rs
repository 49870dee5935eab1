//! Makes and accepts connections on demand; composed.
use guests::composed as net;
include!("../behaviours/churn.rs");
