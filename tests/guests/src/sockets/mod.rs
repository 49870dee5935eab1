//! The checks, a part in each file.

/// The checks of a part, by their names.
macro_rules! checks {
    ($($name:ident)*) => {
        pub(super) const CHECKS: &[(&str, super::Check)] =
            &[$((stringify!($name), |ip| Box::pin($name(ip)))),*];
    };
}

/// Ends the check unless the call fails with this code.
macro_rules! fails {
    ($call:expr, $code:ident) => {
        match $call {
            Err(wasi::sockets::types::ErrorCode::$code) => {}
            other => {
                let call = stringify!($call);
                let why = format!("{call}: {other:?}, not {}", stringify!($code));
                return Err($crate::checks::Failure::from(why));
            }
        }
    };
}

mod bind;
mod connect;
mod denied;
mod ends;
mod limits;
mod listen;
mod lookup;
mod options;
mod ports;
mod states;
mod streams;
mod support;
mod udp;

use std::pin::Pin;

pub(crate) use support::Ip;

pub(crate) use crate::checks::{Failure, Outcome};

pub(crate) type Check = fn(Ip) -> Pin<Box<dyn Future<Output = Outcome>>>;

/// Returns the checks of one part.
pub(crate) fn part(name: &str) -> Result<&'static [(&'static str, Check)], Failure> {
    Ok(match name {
        "bind" => bind::CHECKS,
        "connect" => connect::CHECKS,
        "denied" => denied::CHECKS,
        "ends" => ends::CHECKS,
        "limits" => limits::CHECKS,
        "listen" => listen::CHECKS,
        "lookup" => lookup::CHECKS,
        "options" => options::CHECKS,
        "ports" => ports::CHECKS,
        "states" => states::CHECKS,
        "streams" => streams::CHECKS,
        "udp" => udp::CHECKS,
        _ => return Err(format!("no such part: {name}").into()),
    })
}
