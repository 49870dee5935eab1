//! Receiving and sending. Tokio is asked only where the system would block: it
//! lets a task have 128 results in a turn, and all connections of a guest are one
//! task. With a thousand that are ready, most would be asked again and again in
//! vain.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use rustix::buffer::spare_capacity;
use rustix::io::{Errno, ioctl_fionread, retry_on_intr};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};
use tokio::io::Interest;

use super::Connection;

impl Connection {
    /// One call of the system for each message: a read that does not fill the
    /// buffer leaves nothing, and the system says when there is more.
    pub(crate) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_io(cx, into.len(), || {
            let (count, _) = recv(self, &mut *into, RecvFlags::empty())?;
            Ok(count)
        })
    }

    /// Appends to what `into` has, as far as it has room.
    pub(crate) fn poll_receive_more(
        &self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let room = into.capacity() - into.len();
        self.poll_read_io(cx, room, || {
            let (count, _) = recv(self, spare_capacity(into), RecvFlags::empty())?;
            Ok(count)
        })
    }

    pub(crate) fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_io(cx, bytes.len(), || {
            Ok(send(self, bytes, SendFlags::NOSIGNAL)?)
        })
    }

    pub(crate) fn poll_send_vectored(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let whole = slices.iter().map(|slice| slice.len()).sum();
        self.poll_write_io(cx, whole, || {
            let mut nothing = SendAncillaryBuffer::default();
            Ok(sendmsg(self, slices, &mut nothing, SendFlags::NOSIGNAL)?)
        })
    }

    /// Sends what the system has room for.
    pub(super) fn send_now(&self, bytes: &[u8]) -> io::Result<usize> {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match retry_on_intr(|| send(self, bytes, flags)) {
            Err(Errno::AGAIN) => Ok(0),
            sent => Ok(sent?),
        }
    }

    /// Receives what has come, up to so many bytes; none where nothing has, and
    /// nothing at the end.
    pub(super) fn receive_now(&self, length: u64) -> io::Result<Option<Vec<u8>>> {
        // One for what comes in between, or the end.
        let come = ioctl_fionread(self)?.max(1);
        let length = usize::try_from(length.min(come)).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(length);
        let receive = || recv(self, spare_capacity(&mut bytes), RecvFlags::DONTWAIT);
        match retry_on_intr(receive) {
            Err(Errno::AGAIN) => Ok(None),
            received => received.map(|_| Some(bytes)).map_err(io::Error::from),
        }
    }

    /// Drops what has come, up to so many times 4 KiB. Closing a connection would
    /// reset it otherwise, and what was sent last might not arrive.
    pub(crate) fn discard_received(&self, times: usize) {
        let mut scratch = [0; 4096];
        for _ in 0..times {
            let received = recv(self, &mut scratch[..], RecvFlags::DONTWAIT);
            if !matches!(received, Ok((1.., _))) {
                return;
            }
        }
    }

    fn poll_read_io(
        &self,
        cx: &mut Context<'_>,
        whole: usize,
        mut receive: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.exhausting(Interest::READABLE, whole, &mut receive) {
                Err(error) if again(&error) => ready!(self.poll_read_ready(cx))?,
                received => return Poll::Ready(received),
            }
        }
    }

    fn poll_write_io(
        &self,
        cx: &mut Context<'_>,
        whole: usize,
        mut send: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.exhausting(Interest::WRITABLE, whole, &mut send) {
                Err(error) if again(&error) => ready!(self.poll_write_ready(cx))?,
                sent => return Poll::Ready(sent),
            }
        }
    }

    /// Does `work` on the socket, whose full result would be `whole`. Less than
    /// that has exhausted it: the next one waits until the system says so.
    fn exhausting(
        &self,
        interest: Interest,
        whole: usize,
        work: impl FnOnce() -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut part = None;
        let done = self.try_io(interest, || match work() {
            Ok(count) if count > 0 && count < whole => {
                part = Some(count);
                Err(io::ErrorKind::WouldBlock.into())
            }
            done => done,
        });
        part.map_or(done, Ok)
    }
}

/// Whether it has to be done again.
fn again(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
