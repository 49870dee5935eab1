//! The two kinds of callbacks of a server: plain and asynchronous functions.

use std::future::Future;

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use crate::outcome::Outcome;

/// The value that a server's callback returns: an [`Outcome`] from a plain function,
/// or a future of one from an asynchronous function.
///
/// The server runs the future as a task of its own. `Kind` is inferred and tells the
/// two kinds apart: without it, the two implementations would overlap. No other type
/// can implement this trait.
pub trait CallbackResult<Kind>: sealed::Sealed<Kind> + 'static {
    /// Returns the task to run, or the failure of a callback that is over.
    ///
    /// # Errors
    /// The message of a plain callback's failure, `None` for success.
    #[doc(hidden)]
    fn into_task(self) -> Result<Task, Option<String>>;
}

type Task = LocalBoxFuture<'static, Option<String>>;

mod sealed {
    #[derive(Debug)]
    pub struct Plain(());

    #[derive(Debug)]
    pub struct Asynchronous(());

    pub trait Sealed<Kind> {}
}

impl<T: Outcome + 'static> sealed::Sealed<sealed::Plain> for T {}

impl<T: Outcome + 'static> CallbackResult<sealed::Plain> for T {
    fn into_task(self) -> Result<Task, Option<String>> {
        Err(self.failure())
    }
}

impl<F: Future<Output: Outcome> + 'static> sealed::Sealed<sealed::Asynchronous> for F {}

impl<F: Future<Output: Outcome> + 'static> CallbackResult<sealed::Asynchronous> for F {
    fn into_task(self) -> Result<Task, Option<String>> {
        Ok(self.map(Outcome::failure).boxed_local())
    }
}
