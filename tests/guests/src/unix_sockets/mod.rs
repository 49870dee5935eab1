//! The checks, a part in each file.

/// The checks of a part, by their names.
macro_rules! checks {
    ($($name:ident)*) => {
        pub(super) const CHECKS: &[(&str, super::Check)] =
            &[$((stringify!($name), |folder| Box::pin($name(folder)))),*];
    };
}

/// Ends the check unless the call fails with this error.
macro_rules! fails {
    ($call:expr, $error:pat) => {
        match $call {
            Err($error) => {}
            other => {
                let (call, error) = (stringify!($call), stringify!($error));
                let why = format!("{call}: {other:?}, not {error}");
                return Err($crate::checks::Failure::from(why));
            }
        }
    };
}

mod addresses;
mod listening;
mod sessions;
mod states;
mod streams;
mod support;

use std::pin::Pin;

pub(crate) use support::Folder;

use crate::checks::{Failure, Outcome};

pub(crate) type Check = fn(Folder) -> Pin<Box<dyn Future<Output = Outcome>>>;

/// Returns the checks of one part.
pub(crate) fn part(name: &str) -> Result<&'static [(&'static str, Check)], Failure> {
    Ok(match name {
        "addresses" => addresses::CHECKS,
        "listening" => listening::CHECKS,
        "sessions" => sessions::CHECKS,
        "states" => states::CHECKS,
        "streams" => streams::CHECKS,
        _ => return Err(format!("no such part: {name}").into()),
    })
}
