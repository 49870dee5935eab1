//! The exports of `asyncio:streams/handover`.
//!
//! wit-bindgen's reads of a stream belong to a task, and cannot end in a synchronous
//! export. So an outbox calls the canonical functions itself, and polls a set of its own.

use std::cell::RefCell;

use wit_bindgen::rt::async_support::StreamReader as RawStream;

use super::Component;
use super::ssl::SslContext;
use super::streams::{Separators, size};
use super::wit::handover::{Guest, GuestOutbox};
use super::wit::sockets::SocketBorrow;
use super::wit::ssl::SslContextBorrow;
use super::wit::streams::{Separators as SeparatorsHandle, StreamWriterBorrow};
use super::wit::types as wit;
use crate::socket::Socket;
use crate::{StreamWriter, ssl};

/// The room of an outbox that has reserved no more.
const ROOM: usize = 64 * 1024;

/// The most bytes that one read of a stream can receive: their number has 28 bits.
const MOST: usize = (1 << 28) - 1;

/// The canonical functions.
#[cfg(target_family = "wasm")]
mod canonical {
    #[link(wasm_import_module = "[export]asyncio:streams/handover@0.1.0")]
    unsafe extern "C" {
        #[link_name = "[async-lower][stream-read-0][constructor]outbox"]
        pub(super) fn read(stream: u32, to: *mut u8, most: usize) -> u32;
    }

    #[link(wasm_import_module = "$root")]
    unsafe extern "C" {
        #[link_name = "[waitable-set-new]"]
        pub(super) fn new() -> u32;
        #[link_name = "[waitable-set-drop]"]
        pub(super) fn drop(set: u32);
        #[link_name = "[waitable-join]"]
        pub(super) fn join(waitable: u32, set: u32);
        #[link_name = "[waitable-set-poll]"]
        pub(super) fn poll(set: u32, event: *mut [u32; 2]) -> u32;
    }
}

/// Stands in for the canonical functions where the library is only checked.
#[cfg(not(target_family = "wasm"))]
mod canonical {
    pub(super) unsafe fn read(_: u32, _: *mut u8, _: usize) -> u32 {
        super::BLOCKED
    }
    pub(super) unsafe fn new() -> u32 {
        0
    }
    pub(super) unsafe fn drop(_: u32) {}
    pub(super) unsafe fn join(_: u32, _: u32) {}
    pub(super) unsafe fn poll(_: u32, _: *mut [u32; 2]) -> u32 {
        0
    }
}

/// The answer of a read whose bytes are still to come.
const BLOCKED: u32 = u32::MAX;

/// The event of a read that has received bytes.
const STREAM_READ: u32 = 2;

/// Bytes on their way into the next call.
pub(super) struct Outbox(RefCell<Receiving>);

struct Receiving {
    stream: RawStream<u8>,
    /// The set that has the stream's events.
    set: u32,
    /// The bytes that have arrived. A pending read receives into the rest of the capacity,
    /// so the vector must not change while there is one.
    bytes: Vec<u8>,
    pending: bool,
    /// The other end of the stream is gone.
    ended: bool,
}

impl Receiving {
    /// Starts a read for the room that is left.
    fn start(&mut self) {
        while !self.pending && !self.ended && self.bytes.len() < self.bytes.capacity() {
            let room = self.bytes.spare_capacity_mut();
            let most = room.len().min(MOST);
            // SAFETY: the room belongs to `bytes`, which does not change before the read has
            // ended, and is never freed before that.
            let answer =
                unsafe { canonical::read(self.stream.handle(), room.as_mut_ptr().cast(), most) };
            match answer {
                BLOCKED => self.pending = true,
                _ => self.add(answer),
            }
        }
    }

    /// Ends the pending read if it has received bytes, and counts them.
    fn collect(&mut self) {
        let mut event = [0; 2];
        // SAFETY: the set exists, and the event has room for its two values.
        if self.pending && unsafe { canonical::poll(self.set, &raw mut event) } == STREAM_READ {
            self.pending = false;
            let [_, answer] = event;
            self.add(answer);
        }
    }

    /// Counts the bytes of a read by its answer: their number, and four bits of which one
    /// means that the other end is gone.
    fn add(&mut self, answer: u32) {
        let count = (answer >> 4) as usize;
        // SAFETY: the read has written `count` bytes behind the others.
        unsafe { self.bytes.set_len(self.bytes.len() + count) };
        self.ended |= answer & 0xf == 1;
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.collect();
        if self.pending {
            // Only an asynchronous function could end the read. So the stream and the room
            // stay.
            self.stream.take_handle();
            std::mem::forget(std::mem::take(&mut self.bytes));
        } else {
            // SAFETY: the set exists, and has no member from here on.
            unsafe {
                canonical::join(self.stream.handle(), 0);
                canonical::drop(self.set);
            }
        }
    }
}

impl Outbox {
    /// Passes the bytes to the function, and empties the outbox.
    fn take<T>(&self, function: impl FnOnce(&[u8]) -> T) -> T {
        let receiving = &mut *self.0.borrow_mut();
        receiving.collect();
        let result = function(&receiving.bytes);
        if !receiving.pending {
            receiving.bytes.clear();
            if receiving.bytes.capacity() > ROOM {
                receiving.bytes = Vec::with_capacity(ROOM);
            }
            receiving.start();
        }
        result
    }
}

impl Guest for Component {
    type Outbox = Outbox;
}

impl GuestOutbox for Outbox {
    fn new(stream: RawStream<u8>) -> Outbox {
        // SAFETY: the functions have no conditions but that the stream exists.
        let set = unsafe { canonical::new() };
        unsafe { canonical::join(stream.handle(), set) };
        let mut receiving = Receiving {
            stream,
            set,
            bytes: Vec::with_capacity(ROOM),
            pending: false,
            ended: false,
        };
        receiving.start();
        Outbox(RefCell::new(receiving))
    }

    fn extend(&self, count: u64) {
        let receiving = &mut *self.0.borrow_mut();
        receiving.collect();
        if !receiving.pending {
            receiving.bytes.reserve_exact(size(count));
            receiving.start();
        }
    }

    fn write(&self, writer: StreamWriterBorrow<'_>) -> Result<(), wit::WriteError> {
        let writer = writer.get::<StreamWriter>();
        Ok(self.take(|bytes| writer.write(bytes))?)
    }

    fn send(&self, socket: SocketBorrow<'_>) -> Result<u64, wit::ErrorCode> {
        let socket = socket.get::<Socket>();
        Ok(self.take(|bytes| socket.send(bytes))? as u64)
    }

    fn separators(&self, lengths: Vec<u32>) -> SeparatorsHandle {
        self.take(|mut bytes| {
            let pieces = lengths.into_iter().map(|length| {
                let length = size(u64::from(length)).min(bytes.len());
                let (piece, rest) = bytes.split_at(length);
                bytes = rest;
                piece
            });
            SeparatorsHandle::new(Separators::of(pieces))
        })
    }

    fn load_verify_locations(&self, context: SslContextBorrow<'_>) {
        let context = context.get::<SslContext>();
        self.take(|bytes| {
            context.set(|context: ssl::SslContext| context.load_verify_locations(bytes.to_vec()));
        });
    }
}
