//! What lists of checks have in common: how one fails.

use std::error::Error;

pub(crate) type Failure = Box<dyn Error>;
pub(crate) type Outcome = Result<(), Failure>;

/// Ends the check with these words, unless it holds.
macro_rules! ensure {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err($crate::checks::Failure::from(format!($($words)+)));
        }
    };
}

/// Ends the check unless both are the same.
macro_rules! same {
    ($one:expr, $other:expr) => {
        match (&$one, &$other) {
            (one, other) => {
                ensure!(one == other, "{}: {one:?}, not {other:?}", stringify!($one));
            }
        }
    };
}
