//! The byte stream of a standard output.
//!
//! A task of its own writes it. A program that prints without awaiting anything gives that
//! task no turn, so [`Output::hand_over`] writes from within `print!`.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::LocalBoxFuture;
use wasi::clocks::monotonic_clock;
use wit_bindgen::rt::async_support::{StreamResult, StreamWrite, StreamWriter as RawWriter};

use crate::connection::Connection;
use crate::error::ErrorCode;
use crate::limit::DEFAULT_LIMIT;
use crate::runtime::executor;
use crate::runtime::waiters::Waiters;
use crate::transport::Sink;
use crate::{StreamWriter, byte_stream};

/// A program that prints without awaiting hands this many bytes over, without waiting.
const EAGER: usize = 1024 * 1024;

/// The time that `print!` waits, when its buffer is full, for a reader that takes nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The result with which the host ends an output.
pub(super) type Ending = LocalBoxFuture<'static, Result<(), ErrorCode>>;

/// A standard stream that the program has used.
pub(super) struct Output {
    writer: StreamWriter,
    connection: std::rc::Weak<Connection>,
    port: Rc<Port>,
    /// The number of waiting bytes at which `print!` hands over next.
    eager: Cell<usize>,
}

/// The byte stream, and the bytes that it is to carry next.
struct Port {
    transfer: RefCell<Transfer>,
    next: RefCell<Vec<u8>>,
    /// The bytes that the host has taken and the connection does not know of yet.
    taken: Rc<Cell<usize>>,
    /// A write that would wait is cancelled instead.
    gives_up: Rc<Cell<bool>>,
    closed: Cell<bool>,
    /// The task that writes, while it sleeps.
    task: RefCell<Option<Waker>>,
    /// Tasks that wait until `next` is written, or for the outcome.
    written: Waiters,
    ending: RefCell<Ending>,
    /// The result of `ending`, once it has one.
    outcome: RefCell<Option<Result<(), ErrorCode>>>,
}

enum Transfer {
    Idle(RawWriter<u8>),
    /// Ends with the byte stream and the bytes that it has not carried, or with `None` if its
    /// reader is gone.
    Writing(LocalBoxFuture<'static, Option<(RawWriter<u8>, Vec<u8>)>>),
    Over,
}

/// The reader of the output has taken nothing for [`PATIENCE`].
pub(super) struct Stuck;

impl Output {
    /// Makes the output that writes to this byte stream; `ending` is the host's result.
    pub(super) fn new(stream: RawWriter<u8>, ending: Ending) -> Output {
        let port = Rc::new(Port {
            transfer: RefCell::new(Transfer::Idle(stream)),
            next: RefCell::default(),
            taken: Rc::default(),
            gives_up: Rc::default(),
            closed: Cell::new(false),
            task: RefCell::default(),
            written: Waiters::default(),
            ending: RefCell::new(ending),
            outcome: RefCell::default(),
        });
        let sink = OutputSink(Rc::clone(&port));
        let writer = byte_stream::writer(sink, DEFAULT_LIMIT);
        let connection = writer.downgrade();
        executor::detach(port.clone().run(connection.clone()));
        Output {
            writer,
            connection,
            port,
            eager: Cell::new(EAGER),
        }
    }

    /// Returns the error with which the output has ended, if its reader is gone. The
    /// connection learns of it in its task's next turn.
    pub(super) fn failure(&self) -> Option<ErrorCode> {
        if self.port.closed.get() || !self.port.is_over() {
            return None;
        }
        let outcome = wit_bindgen::block_on(poll_fn(|cx| self.port.poll_outcome(cx)));
        self.port.wake();
        Some(outcome.err().unwrap_or(ErrorCode::ConnectionBroken))
    }

    pub(super) fn writer(&self) -> &StreamWriter {
        &self.writer
    }

    /// Hands over what waits, as much as the host takes at once, when that is a lot.
    pub(super) fn hand_over_much(&self) {
        if self.waiting() >= self.eager.get() {
            wit_bindgen::block_on(poll_fn(|cx| {
                self.give_up(cx);
                Poll::Ready(())
            }));
            self.port.wake();
            self.eager.set(self.waiting().saturating_mul(2).max(EAGER));
        }
    }

    /// Hands over what waits, until at most `rest` bytes do. Nothing else of the program
    /// runs meanwhile.
    ///
    /// # Errors
    /// [`Stuck`] when the host has taken nothing for [`PATIENCE`].
    pub(super) fn hand_over(&self, rest: usize) -> Result<(), Stuck> {
        let result = wit_bindgen::block_on(async {
            let result = loop {
                let before = self.waiting();
                let progress = poll_fn(|cx| match self.poll(cx) {
                    Poll::Ready(()) => Poll::Ready(true),
                    Poll::Pending if self.waiting() <= rest => Poll::Ready(true),
                    Poll::Pending if self.waiting() < before => Poll::Ready(false),
                    Poll::Pending => Poll::Pending,
                });
                match within(PATIENCE, progress).await {
                    Some(true) => break Ok(()),
                    Some(false) => {}
                    None => break Err(Stuck),
                }
            };
            poll_fn(|cx| {
                self.give_up(cx);
                Poll::Ready(())
            })
            .await;
            result
        });
        self.port.wake();
        result
    }

    /// Writes all that waits. Ready when the host has taken it, or takes no more.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(connection) = self.connection.upgrade() {
            let queued = connection.hand_over();
            self.port.next.borrow_mut().extend_from_slice(&queued);
        }
        let written = self.port.poll(cx);
        self.port.report(&self.connection);
        written
    }

    /// Writes what the host takes at once, and cancels a write that would wait: `block_on`
    /// returns only when no operation is pending.
    fn give_up(&self, cx: &mut Context<'_>) {
        self.port.gives_up.set(true);
        let _ = self.poll(cx);
        self.port.gives_up.set(false);
    }

    /// The number of bytes that the host has not taken.
    fn waiting(&self) -> usize {
        self.writer.transport().get_write_buffer_size()
    }
}

impl Port {
    /// Writes `next` until the output is closed and everything is written, or its reader is
    /// gone.
    async fn run(self: Rc<Self>, connection: std::rc::Weak<Connection>) {
        poll_fn(|cx| {
            let written = self.poll(cx);
            self.report(&connection);
            if written.is_ready() {
                self.written.wake_all();
                if self.closed.get() || self.is_over() {
                    // Ends the byte stream.
                    *self.transfer.borrow_mut() = Transfer::Over;
                    return Poll::Ready(());
                }
            }
            *self.task.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        self.written.wake_all();
        let outcome = poll_fn(|cx| {
            *self.task.borrow_mut() = Some(cx.waker().clone());
            self.poll_outcome(cx)
        });
        drop(outcome.await);
        self.written.wake_all();
    }

    fn poll_outcome(&self, cx: &mut Context<'_>) -> Poll<Result<(), ErrorCode>> {
        let mut outcome = self.outcome.borrow_mut();
        if let Some(outcome) = &*outcome {
            return Poll::Ready(outcome.clone());
        }
        let ended = self.ending.borrow_mut().as_mut().poll(cx);
        ended.map(|ended| outcome.insert(ended).clone())
    }

    /// Ready when the host has taken everything, or takes no more; also when it gives up.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut transfer = self.transfer.borrow_mut();
        loop {
            *transfer = match std::mem::replace(&mut *transfer, Transfer::Over) {
                Transfer::Over => return Poll::Ready(()),
                Transfer::Idle(stream) => {
                    let data = std::mem::take(&mut *self.next.borrow_mut());
                    if data.is_empty() {
                        *transfer = Transfer::Idle(stream);
                        return Poll::Ready(());
                    }
                    let (taken, gives_up) = (self.taken.clone(), self.gives_up.clone());
                    Transfer::Writing(Box::pin(write_all(stream, data, taken, gives_up)))
                }
                Transfer::Writing(mut write) => match write.as_mut().poll(cx) {
                    Poll::Ready(Some((stream, mut rest))) => {
                        let cancelled = !rest.is_empty();
                        rest.append(&mut self.next.borrow_mut());
                        *self.next.borrow_mut() = rest;
                        if cancelled {
                            *transfer = Transfer::Idle(stream);
                            return Poll::Ready(());
                        }
                        Transfer::Idle(stream)
                    }
                    Poll::Ready(None) => Transfer::Over,
                    Poll::Pending => {
                        *transfer = Transfer::Writing(write);
                        return Poll::Pending;
                    }
                },
            };
        }
    }

    /// Tells the connection how much the host has taken.
    fn report(&self, connection: &std::rc::Weak<Connection>) {
        let taken = self.taken.take();
        if let (Some(connection), true) = (connection.upgrade(), taken > 0) {
            connection.sent(taken);
        }
    }

    fn is_over(&self) -> bool {
        matches!(*self.transfer.borrow(), Transfer::Over)
    }

    fn wake(&self) {
        let task = self.task.borrow_mut().take();
        if let Some(task) = task {
            task.wake();
        }
    }
}

async fn write_all(
    mut stream: RawWriter<u8>,
    data: Vec<u8>,
    taken: Rc<Cell<usize>>,
    gives_up: Rc<Cell<bool>>,
) -> Option<(RawWriter<u8>, Vec<u8>)> {
    let (mut result, mut rest) = or_give_up(stream.write(data), &gives_up).await;
    loop {
        match result {
            StreamResult::Complete(count) => taken.set(taken.get().saturating_add(count)),
            StreamResult::Cancelled => return Some((stream, rest.into_vec())),
            StreamResult::Dropped => return None,
        }
        if rest.remaining() == 0 || gives_up.get() {
            return Some((stream, rest.into_vec()));
        }
        (result, rest) = or_give_up(stream.write_buf(rest), &gives_up).await;
    }
}

/// The result of a write, which is cancelled if it would wait and `gives_up` is set.
async fn or_give_up<'a>(
    write: StreamWrite<'a, u8>,
    gives_up: &Cell<bool>,
) -> <StreamWrite<'a, u8> as Future>::Output {
    let mut write = pin!(write);
    poll_fn(|cx| match write.as_mut().poll(cx) {
        Poll::Pending if gives_up.get() => Poll::Ready(write.as_mut().cancel()),
        write => write,
    })
    .await
}

/// The result of `future`, or `None` when `limit` has passed.
pub(super) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    if let Poll::Ready(value) = futures::poll!(future.as_mut()) {
        return Some(value);
    }
    let nanoseconds = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    let mut over = pin!(monotonic_clock::wait_for(nanoseconds));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => over.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// The sending half of a standard output's connection.
struct OutputSink(Rc<Port>);

impl OutputSink {
    async fn outcome(&self) -> Result<(), ErrorCode> {
        let port = &self.0;
        port.written
            .wait_until(|| port.outcome.borrow().clone())
            .await
    }
}

impl Sink for OutputSink {
    /// The port reports the progress.
    async fn send(
        &mut self,
        mut data: Vec<u8>,
        _progress: impl FnMut(usize),
    ) -> (Result<(), ErrorCode>, Vec<u8>) {
        let port = &self.0;
        port.next.borrow_mut().append(&mut data);
        port.wake();
        let written = || {
            let idle = matches!(*port.transfer.borrow(), Transfer::Idle(_));
            let all = idle && port.next.borrow().is_empty();
            (all || port.is_over()).then_some(())
        };
        port.written.wait_until(written).await;
        if !port.is_over() {
            return (Ok(()), data);
        }
        let code = self.outcome().await.err();
        (Err(code.unwrap_or(ErrorCode::ConnectionBroken)), data)
    }

    async fn finish(&mut self) -> Result<(), ErrorCode> {
        self.0.closed.set(true);
        self.0.wake();
        self.outcome().await
    }
}

impl Drop for OutputSink {
    fn drop(&mut self) {
        self.0.closed.set(true);
        self.0.wake();
    }
}
