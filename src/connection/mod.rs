//! A connection: the state that its reader, its writer and its task share.
//!
//! Received bytes go transport -> buffer -> reader. Written bytes go writer -> queue ->
//! transport. Sending is the connection task's alone. Receiving is done by one of two
//! parties: the connection task, or the read that waits, in its own turn. So a message
//! reaches the read that waits for it without a turn of the task in between.
//!
//! The rules are free of I/O: `receiver.rs` (who receives), `flow.rs` (whether the buffer
//! takes more), `read_side.rs` (reads), the state in `write.rs` (writes), `form.rs` (how
//! the linked library and the component differ). `receive.rs` and `task.rs` move the
//! bytes, `read.rs`, `write.rs`, `close.rs` and `upgrade.rs` are what handles call.
//!
//! # Who receives
//!
//! The states of [`Receiver`](receiver::Receiver). A *turn* is one poll of the receive loop
//! by a party, after the loop was woken. `close`, a pause, `start_tls` and failures end a
//! rest like the timer does.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> Absent
//!     Absent --> Receiving : the task has a transport
//!     Receiving --> Receiving : turn of either party
//!     Receiving --> Blocked : buffer full, or reading paused
//!     Blocked --> Receiving : room made, or turn of either party
//!     Receiving --> Resting : the read has what it wants
//!     Resting --> Receiving : the next read, or the task if none comes
//!     Receiving --> GivingUp : component: the read that polled last is dropped
//!     GivingUp --> Resting : the receive is given up
//!     GivingUp --> Blocked : reading paused, with bytes in hand
//!     GivingUp --> Receiving : the budget is spent
//!     Receiving --> Parked : start_tls waits
//!     Parked --> Absent : the host takes the transport for TLS
//!     Parked --> Receiving : close, or sending has failed
//!     Receiving --> Ending : the data have ended
//!     Ending --> Over : the outcome arrives
//!     Receiving --> Over : close or abort, after a last look
//! ```
//!
//! After `close` and `abort`, the next turn leads to `Over` from `Blocked`, `Parked` and
//! `Ending` as well.
//!
//! # Who wakes whom
//!
//! | when | wakes | for |
//! |---|---|---|
//! | the host completes a receive | the pending read; the task if there is none, or the library is linked | the receive loop |
//! | the task has received enough | the pending read | its next attempt |
//! | a read has received enough in its own turn | none | the read attempts again at once |
//! | a read ends while receiving rests | the task: at once if linked, after 2 ms in a component | the receive loop, if no read comes |
//! | a read is dropped that alone was woken | the task | the receive loop |
//! | a read takes the place of a `ready` | the call of `ready` | to return |
//! | a read takes bytes, or waits; `resume_reading` | the task, if receiving is blocked | the receive loop |
//! | `pause_reading` while receiving rests | the task | a last look |
//! | `start_tls` | the task | to give up the receive, and to send the rest |
//! | receiving parks in the turn of a read | the task | to begin TLS |
//! | the data end, or all is received, in the turn of a read | the task | to wait for the outcome; to close |
//! | `write`, `write_eof` while the task has nothing to send | the task | to send |
//! | the transport takes bytes: down to the low-water mark, or all | the calls of `drain` | to return |
//! | `close`, `abort`, a failure, the end | the task, the pending read, the calls of `drain` | to look at the state |
//! | the end | the calls of `wait_closed` | to return |
//!
//! # Invariants
//!
//! - A pending operation of the host is polled, cancelled and dropped only in a turn of the
//!   task, in a turn of a read, or in the destructor of a read: all of them run in an
//!   asynchronous call. `close`, `abort`, `pause_reading` and the destructors of handles
//!   may run in a synchronous export, where dropping a pending operation of wit-bindgen
//!   0.63 traps. They change the state, and wake the task.
//! - In a component, a read that ends leaves no receive pending that it has polled last:
//!   wasmtime 48 keeps the record of a call until the receive is over.
//! - The outcome of the data is polled by the task alone, since the task outlives each read.
//! - No `RefCell` borrow is held across an await, nor across the drop of a pending
//!   operation, nor while a waker is woken.
//! - A read looks in this order: arguments, zero length, what the buffer can satisfy, the
//!   pending error, the end of the data, then it waits. It takes nothing before it is
//!   complete.
//! - A woken receive loop is polled: by the read that was woken, or by the task.
//!   `wake_up_tests.rs` checks that none is lost.

mod carrier;
mod close;
mod flow;
mod form;
pub(crate) mod open;
mod read;
mod read_side;
mod receive;
mod receive_buffer;
mod receiver;
mod rest;
mod task;
#[cfg(test)]
mod tests;
mod upgrade;
#[cfg(test)]
mod wake_up_tests;
mod wake_ups;
mod write;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use self::carrier::Carrier;
use self::close::State;
pub(crate) use self::close::{all_closed, total_sent};
use self::read_side::ReadSide;
use self::receive::Receiving;
use self::upgrade::{Sessions, Upgrade};
use self::wake_ups::WakeUps;
pub(crate) use self::write::WRITE_HARD_LIMIT;
use self::write::WriteSide;
use crate::address::Names;
use crate::error::ErrorCode;
use crate::runtime::waiters::Waiters;

/// The state that the reader, the writer and the task of one peer share.
pub(crate) struct Connection {
    /// This connection, for the timer that ends a rest.
    this: Weak<Connection>,
    names: Names,
    read: RefCell<ReadSide>,
    write: RefCell<WriteSide>,
    /// Calls of `drain`.
    draining: Waiters,
    /// Calls of `wait_closed`.
    closing: Waiters,
    state: Cell<State>,
    /// How the connection failed, if it did: the first error, of either direction. Set
    /// once. Not part of `state`: after sending has failed, receiving goes on.
    failure: RefCell<Option<ErrorCode>>,
    /// How many readers and writers exist.
    handles: Cell<usize>,
    /// Counts the transfers of bytes, in both directions.
    transfers: Cell<u64>,
    receiving: Receiving,
    wake_ups: Arc<WakeUps>,
    /// How far TLS has come. Not part of `state`: a connection may be closed in each of
    /// its states.
    upgrade: RefCell<Upgrade>,
    /// The socket or session, for its options. `Other` until the connection is opened.
    carrier: RefCell<Carrier>,
    sessions: Sessions,
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
        let wake_ups = Arc::new(WakeUps::default());
        Rc::new_cyclic(|this| Connection {
            this: this.clone(),
            names,
            read: RefCell::new(ReadSide::new(limit)),
            write: RefCell::new(WriteSide::new()),
            draining: Waiters::default(),
            closing: Waiters::default(),
            state: Cell::new(State::Open),
            failure: RefCell::new(None),
            handles: Cell::new(0),
            transfers: Cell::new(0),
            receiving: Receiving::new(&wake_ups),
            wake_ups,
            upgrade: RefCell::new(Upgrade::Impossible),
            carrier: RefCell::new(Carrier::Other),
            sessions: Sessions::default(),
        })
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Returns a number that grows when bytes are received or sent.
    pub(crate) fn transfers(&self) -> u64 {
        self.transfers.get()
    }

    fn count_transfer(&self, bytes: usize) {
        let count = self.transfers.get().wrapping_add(bytes as u64);
        self.transfers.set(count);
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
