//! Answers once a question has ended; written against the WIT.
use guests::composed as net;
include!("../behaviours/answer-server.rs");
