//! What holds for `open_connection`, `start_server` and `Server`: run by
//! programs, linked and composed, on real sockets. As for the battery of pairs,
//! whoever includes it says what it is run against.

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

/// What the test that runs the program has laid out.
pub(crate) struct Ground {
    /// Nobody listens on this port.
    pub(crate) refused: u16,
    /// On this port 127.0.0.1 sends back what it receives, and ::1 never
    /// answers.
    pub(crate) half_silent: u16,
    /// Ports that no other test has and that the kernel gives to no socket by itself.
    pub(crate) free: RefCell<Vec<u16>>,
}

impl Ground {
    /// A port for the check alone, which can close it and expect that nobody takes it.
    fn free_port(&self) -> u16 {
        let port = self.free.borrow_mut().pop();
        port.expect("the test has reserved enough ports")
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

/// All of them.
pub(crate) fn functions() -> Vec<Check> {
    [connecting::checks(), serving::checks()].concat()
}
