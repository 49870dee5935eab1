//! The battery for `open_connection`, `start_server` and `Server`, which programs run on real
//! sockets, linked and composed. As with the battery of pairs, the file that includes it
//! provides the names that it runs against.

#[path = "connecting.rs"]
mod connecting;
#[path = "serving.rs"]
mod serving;
#[path = "waiting.rs"]
mod waiting;

use std::cell::RefCell;
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::pause;
use waiting::{until, waits};

/// The environment that the test has prepared for the program.
pub(crate) struct Ground {
    /// A port on which no server listens.
    pub(crate) refused: u16,
    /// A port on which an echo server listens on 127.0.0.1, and ::1 never answers.
    pub(crate) half_silent: u16,
    /// Ports that no other test has and that the kernel gives to no socket by itself.
    pub(crate) free: RefCell<Vec<u16>>,
}

impl Ground {
    /// Returns a port for the check alone, which can close it and expect it to stay free.
    fn free_port(&self) -> u16 {
        // The test has reserved enough.
        self.free.borrow_mut().pop().unwrap()
    }
}

/// A check.
pub(crate) type Check = (&'static str, fn(Rc<Ground>) -> LocalBoxFuture<'static, ()>);

/// The checks of a module, by name.
macro_rules! checks {
    ($($name:ident)*) => {
        pub(super) fn checks() -> Vec<super::Check> {
            vec![$((stringify!($name), |ground| Box::pin(async move { $name(&ground).await }))),*]
        }
    };
}
use checks;

/// Returns all checks.
pub(crate) fn functions() -> Vec<Check> {
    [connecting::checks(), serving::checks()].concat()
}
