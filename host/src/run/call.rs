use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;

use super::watch::Stage;

/// The result of the program's `run`: `Err` when it returned an error.
type Returned = Result<(), ()>;

/// The call of a program's `run`, which tells the rest of the host of its return at once.
///
/// A guest may go on computing, or waiting within a call of WASI 0.2, right after it has
/// returned its result. The store does not poll the call until the guest gives the store
/// back. But it wakes the call, and so sets the stage. When the run ends by a limit of time,
/// the store drops the call in a context where the call can still be polled for the result.
pub(super) struct Call<F: Future<Output = wasmtime::Result<Returned>>> {
    call: Option<Pin<Box<F>>>,
    waker: Waker,
    seen: Arc<SeenReturn>,
    result: Arc<OnceLock<Returned>>,
}

struct SeenReturn {
    stage: Stage,
    task: AtomicWaker,
}

impl<F: Future<Output = wasmtime::Result<Returned>>> Call<F> {
    /// Makes the call. Its result also goes to `result`, even if no poll took it before the
    /// call was dropped.
    pub(super) fn new(call: F, stage: Stage, result: Arc<OnceLock<Returned>>) -> Self {
        let seen = Arc::new(SeenReturn {
            stage,
            task: AtomicWaker::new(),
        });
        Self {
            call: Some(Box::pin(call)),
            waker: Arc::clone(&seen).into(),
            seen,
            result,
        }
    }
}

impl<F: Future<Output = wasmtime::Result<Returned>>> Future for Call<F> {
    type Output = wasmtime::Result<Returned>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(call) = &mut this.call else {
            return Poll::Pending;
        };
        this.seen.task.register(cx.waker());
        let result = call.as_mut().poll(&mut Context::from_waker(&this.waker));
        if let Poll::Ready(result) = &result {
            this.call = None;
            if let Ok(result) = result {
                let _ = this.result.set(*result);
                this.seen.stage.returned();
            }
        }
        result
    }
}

impl<F: Future<Output = wasmtime::Result<Returned>>> Drop for Call<F> {
    fn drop(&mut self) {
        let Some(mut call) = self.call.take() else {
            return;
        };
        if !self.seen.stage.has_returned() {
            return;
        }
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(result)) = call.as_mut().poll(&mut cx) {
            let _ = self.result.set(result);
        }
    }
}

impl Wake for SeenReturn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    /// The call waits for nothing but its result.
    fn wake_by_ref(self: &Arc<Self>) {
        self.stage.returned();
        self.task.wake();
    }
}
