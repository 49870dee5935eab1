//! Whole programs: from the start of `wasi:cli/run` to the end of the last socket.

mod call;
mod exit;
mod runner;
mod times;
mod watch;

pub use self::exit::{Exit, Frame, Trap};
pub use self::runner::{
    DEFAULT_GRACE, DEFAULT_LINGER, Linger, RunError, RunReport, Runner, Running,
};
pub use self::times::TimeLimit;
