//! What a server's callback may be: a plain function or an asynchronous one.

use std::fmt;
use std::future::Future;

use futures::FutureExt;
use futures::future::LocalBoxFuture;

/// What a server's callback comes to: nothing, or a `Result` (or one in another,
/// as a task's handle gives it).
pub trait Outcome {
    /// What went wrong, if something did.
    fn failure(self) -> Option<String>;
}

impl Outcome for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<T: Outcome, E: fmt::Display> Outcome for Result<T, E> {
    fn failure(self) -> Option<String> {
        match self {
            Ok(outcome) => outcome.failure(),
            Err(error) => Some(error.to_string()),
        }
    }
}

/// What calling a server's callback gives: a future for an asynchronous one,
/// which runs as a task, or its outcome for a plain one.
///
/// `Kind` tells the two apart and is never written out.
pub trait Called<Kind>: 'static {
    /// The task to run, whose result is what went wrong; none if the outcome is
    /// known.
    fn task(self) -> Result<Task, Option<String>>;
}

type Task = LocalBoxFuture<'static, Option<String>>;

/// The kind of a plain callback.
#[derive(Debug)]
pub struct Plain(());

/// The kind of an asynchronous callback.
#[derive(Debug)]
pub struct Asynchronous(());

impl<T: Outcome + 'static> Called<Plain> for T {
    fn task(self) -> Result<Task, Option<String>> {
        Err(self.failure())
    }
}

impl<F: Future<Output: Outcome> + 'static> Called<Asynchronous> for F {
    fn task(self) -> Result<Task, Option<String>> {
        Ok(self.map(Outcome::failure).boxed_local())
    }
}
