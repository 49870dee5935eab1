//! A connection: what its reader, its writer and its task share, and the task.
//!
//! Bytes go one way each. Received: transport -> buffer -> reader. Written:
//! writer -> write buffer -> transport. The task is the only one that touches
//! the transport; the handles only change state here and wake it.

pub(crate) mod open;
mod read;
mod receiving;
mod resting;
mod task;
#[cfg(test)]
mod tests;
mod upgrade;
mod wakers;
mod write;

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll};

use self::receiving::Receiving;
use self::upgrade::Upgrade;
use self::wakers::Wakers;
use crate::address::Names;
use crate::buffer::Buffer;
use crate::error::ErrorCode;
use crate::runtime::waiters::Waiters;
use crate::ssl::SslObject;
use crate::water_marks::WaterMarks;

thread_local! {
    /// Bytes that transports have taken, to see whether anything still moves.
    static SENT: Cell<u64> = const { Cell::new(0) };
    /// Connections that are being closed and are not closed yet.
    static CLOSING: Cell<usize> = const { Cell::new(0) };
    static ALL_CLOSED: Waiters = Waiters::default();
}

pub(crate) struct Connection {
    names: Names,
    read: RefCell<ReadSide>,
    write: RefCell<WriteSide>,
    /// Tasks in `drain`.
    draining: Waiters,
    /// Tasks in `wait_closed`.
    closing: Waiters,
    state: Cell<State>,
    /// How the connection failed, if it did.
    failure: RefCell<Option<ErrorCode>>,
    /// Readers and writers that exist.
    handles: Cell<usize>,
    receiving: Receiving,
    wakers: Arc<Wakers>,
    /// TLS can begin.
    upgradable: Cell<bool>,
    /// TLS is to begin.
    upgrade: RefCell<Option<Upgrade>>,
    /// Receiving waits for TLS to begin.
    parked: Cell<bool>,
    /// What came of it.
    object: OnceCell<Rc<SslObject>>,
}

#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
enum State {
    Open,
    /// `close` was called: send what is buffered, then close.
    Closing,
    /// `abort` was called or the connection failed: close now.
    Aborting,
    /// The transport is gone.
    Closed,
}

#[derive(Debug)]
struct ReadSide {
    buffer: Buffer,
    error: Option<ErrorCode>,
    /// By flow control: more than twice the limit was buffered, and not yet
    /// down to the limit.
    full: bool,
    /// By `pause_reading`.
    paused: bool,
    /// How many bytes the waiting read needs; 0 if none waits.
    wanted: usize,
    /// Who waits.
    waiting: Option<Wait>,
    /// The number of the next one who waits.
    next_wait: u64,
    /// The data had ended before the connection failed.
    ended_before_error: bool,
    /// Before the pause takes hold, what has arrived meanwhile is taken.
    last_look: bool,
    /// The task waits for room.
    blocked: bool,
    /// The read that waits receives, now.
    receives: bool,
    /// It has what it wants.
    satisfied: bool,
}

/// A call that waits for bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Wait {
    number: u64,
    /// It only waits and takes nothing, so that another may take its place.
    yields: bool,
}

#[derive(Debug)]
struct WriteSide {
    /// What was written and not handed to the transport yet.
    queued: Vec<u8>,
    /// What the transport has in hand and has not taken yet.
    in_flight: usize,
    marks: WaterMarks,
    /// Above the high-water mark since, and not yet down to the low one.
    above: bool,
    eof: bool,
    /// TLS is to begin: what is written from now on is held for it.
    upgrading: bool,
    held: Vec<u8>,
    /// `abort` threw bytes away.
    discarded: bool,
    /// The task waits for something to send.
    idle: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("names", &self.names)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(limit: usize, names: Names) -> Rc<Connection> {
        let wakers = Arc::new(Wakers::default());
        Rc::new(Connection {
            names,
            read: RefCell::new(ReadSide {
                buffer: Buffer::new(limit),
                error: None,
                full: false,
                paused: false,
                wanted: 0,
                waiting: None,
                next_wait: 0,
                ended_before_error: false,
                last_look: false,
                blocked: false,
                receives: false,
                satisfied: false,
            }),
            write: RefCell::new(WriteSide {
                queued: Vec::new(),
                in_flight: 0,
                marks: WaterMarks::default(),
                above: false,
                eof: false,
                upgrading: false,
                held: Vec::new(),
                discarded: false,
                idle: false,
            }),
            draining: Waiters::default(),
            closing: Waiters::default(),
            state: Cell::new(State::Open),
            failure: RefCell::new(None),
            handles: Cell::new(0),
            receiving: Receiving::new(&wakers),
            wakers,
            upgradable: Cell::new(false),
            upgrade: RefCell::default(),
            parked: Cell::new(false),
            object: OnceCell::new(),
        })
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }
}

/// A counted reference: the connection closes when the last one is dropped.
#[derive(Debug)]
pub(crate) struct Handle(Rc<Connection>);

impl Handle {
    pub(crate) fn new(connection: &Rc<Connection>) -> Handle {
        connection.handles.set(connection.handles.get() + 1);
        Handle(connection.clone())
    }

    pub(crate) fn downgrade(&self) -> Weak<Connection> {
        Rc::downgrade(&self.0)
    }
}

impl Clone for Handle {
    fn clone(&self) -> Handle {
        Handle::new(&self.0)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let left = self.0.handles.get() - 1;
        self.0.handles.set(left);
        if left == 0 {
            self.0.close();
        }
    }
}

impl std::ops::Deref for Handle {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

/// The end of a connection.
impl Connection {
    pub(crate) fn close(&self) {
        if self.state.get() == State::Open {
            let rests = self.wakers.take_rest();
            {
                // Between two reads nobody has looked what came.
                let mut read = self.read.borrow_mut();
                read.last_look |= rests && read.open();
            }
            self.leave(State::Closing);
            self.wake_everybody();
        }
    }

    pub(crate) fn abort(&self) {
        if matches!(self.state.get(), State::Open | State::Closing) {
            self.leave(State::Aborting);
            {
                let mut write = self.write.borrow_mut();
                write.discarded = write.size() > 0;
                write.clear();
            }
            self.read.borrow_mut().buffer.set_ended(true);
            self.wake_everybody();
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.state.get() != State::Open || self.failed()
    }

    pub(crate) async fn wait_closed(&self) -> Result<(), ErrorCode> {
        self.closing.wait_until(|| self.closed()).await
    }

    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Result<(), ErrorCode>> {
        self.closing.poll(cx, || self.closed())
    }

    fn closed(&self) -> Option<Result<(), ErrorCode>> {
        (self.state.get() == State::Closed).then(|| match &*self.failure.borrow() {
            Some(code) => Err(code.clone()),
            None => Ok(()),
        })
    }

    /// The transport is gone: what has not arrived will not be read.
    pub(crate) fn finished(&self) {
        self.leave(State::Closed);
        self.upgrade.take();
        {
            let mut read = self.read.borrow_mut();
            if read.error.is_none() && !read.buffer.ended() {
                // Nobody has seen the end of the data of a connection that
                // failed.
                read.error = self.failure.borrow().clone();
                let ended = read.error.is_none();
                read.buffer.set_ended(ended);
            }
        }
        self.wake_everybody();
        self.closing.wake_all();
    }

    /// Nothing more can be sent. What the peer has sent can still be received:
    /// its last words may say why.
    fn fail_sending(&self, code: ErrorCode) {
        self.failure.borrow_mut().get_or_insert(code);
        self.write.borrow_mut().clear();
        self.wake_everybody();
    }

    fn failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    /// The connection is lost: the reader keeps what it has, what was written
    /// and not sent is gone.
    fn fail(&self, code: ErrorCode) {
        if matches!(self.state.get(), State::Aborting | State::Closed) {
            return;
        }
        self.leave(State::Aborting);
        self.failure.borrow_mut().get_or_insert(code.clone());
        self.write.borrow_mut().clear();
        {
            let mut read = self.read.borrow_mut();
            read.ended_before_error = read.buffer.ended();
            read.buffer.set_ended(false);
            read.error = Some(code);
        }
        self.wake_everybody();
    }
    /// On to `state`, which is a later one.
    fn leave(&self, state: State) {
        let before = self.state.replace(state);
        let closing = |state| matches!(state, State::Closing | State::Aborting);
        let left = CLOSING.with(|count| {
            match (closing(before), closing(state)) {
                (false, true) => count.set(count.get() + 1),
                (true, false) => count.set(count.get().saturating_sub(1)),
                _ => {}
            }
            count.get()
        });
        if left == 0 {
            ALL_CLOSED.with(|waiters| waiters.wake_all());
        }
    }

    fn wake_everybody(&self) {
        self.wakers.receive();
        self.wakers.wake_reader();
        self.draining.wake_all();
    }
}

/// Waits until every connection that is being closed is closed.
pub(crate) async fn all_closed() {
    poll_fn(|cx| {
        ALL_CLOSED.with(|waiters| waiters.poll(cx, || (CLOSING.with(Cell::get) == 0).then_some(())))
    })
    .await;
}

/// How many bytes transports have taken so far.
pub(crate) fn total_sent() -> u64 {
    SENT.with(Cell::get)
}
