//! A connection: what its reader, its writer and its task share, and the task.
//!
//! Bytes go one way each. Received: transport -> buffer -> reader. Written:
//! writer -> write buffer -> transport. The task is the only one that touches
//! the transport; the handles only change state here and wake it.

mod close;
pub(crate) mod open;
mod read;
mod read_side;
mod receive;
mod receive_buffer;
mod rest;
mod task;
#[cfg(test)]
mod tests;
mod upgrade;
mod wake_ups;
mod write;

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use self::close::State;
pub(crate) use self::close::{all_closed, total_sent};
use self::read_side::{ReadSide, Wait};
use self::receive::Receiving;
use self::upgrade::Upgrade;
use self::wake_ups::Wakers;
use self::write::WriteSide;
use crate::address::Names;
use crate::buffer::Buffer;
use crate::error::ErrorCode;
use crate::runtime::waiters::Waiters;
use crate::ssl::SslObject;
use crate::water_marks::WaterMarks;

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
