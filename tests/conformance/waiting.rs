//! Waiting for events, and checks that something waits.

use std::pin::Pin;

use futures::poll;

use super::super::pause;

/// Lets other tasks run until the condition holds.
pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    for _ in 0..20_000 {
        if so() {
            return;
        }
        pause().await;
    }
    panic!("it never came about");
}

/// Checks that the future waits.
pub(crate) async fn waits<T>(mut future: Pin<&mut impl Future<Output = T>>) {
    for _ in 0..5 {
        assert!(poll!(&mut future).is_pending(), "it did not wait");
        pause().await;
    }
}
