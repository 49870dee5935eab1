use std::fmt;
use std::time::Duration;

/// The times that a run may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// For connections to finish after `run` returned.
    pub(super) linger: Duration,
    /// For a server to end after a request to stop.
    pub(super) grace: Duration,
    pub(super) cpu: Option<Duration>,
    pub(super) total: Option<Duration>,
    pub(super) startup: Option<Duration>,
}

/// A limit of time that ended a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeLimit {
    /// The processor time of [`Runner::max_cpu`](crate::Runner::max_cpu).
    Cpu(Duration),
    /// The time of [`Runner::timeout`](crate::Runner::timeout).
    Total(Duration),
    /// The time of [`Runner::startup_timeout`](crate::Runner::startup_timeout).
    Startup(Duration),
}

impl TimeLimit {
    /// Returns the exit code for the process: 124 for the total time, as `timeout` of the
    /// system does, 125 for the time to start, and 152, as after SIGXCPU, for processor
    /// time.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Total(_) => 124,
            Self::Startup(_) => 125,
            Self::Cpu(_) => 152,
        }
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu(time) => write!(f, "the program used {time:?} of processor time"),
            Self::Total(time) => write!(f, "the program did not end within {time:?}"),
            Self::Startup(time) => write!(f, "the program did not start within {time:?}"),
        }
    }
}
