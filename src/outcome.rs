//! The results that programs and callbacks return.

use std::fmt;

/// The result of a program or of a server's callback: nothing, or a `Result`.
///
/// A `Result` may hold another one, as awaiting a [`JoinHandle`](crate::JoinHandle)
/// gives it. An error needs [`Display`](fmt::Display), nothing else.
pub trait Outcome {
    /// Returns the message of the error; `None` for success.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_within_a_result_is_a_failure() {
        let nested: Result<Result<(), &str>, &str> = Ok(Err("inner"));
        assert_eq!(nested.failure(), Some("inner".into()));
        let nested: Result<Result<(), &str>, &str> = Err("outer");
        assert_eq!(nested.failure(), Some("outer".into()));
        assert_eq!(Ok::<(), String>(()).failure(), None);
    }
}
