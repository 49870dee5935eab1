//! Receiving and sending.
//!
//! Each call tries the kernel first and asks tokio only when the kernel would block.
//! Tokio's cooperative budget gives a task 128 results a turn, and all connections of
//! a guest are one task. With a thousand ready connections, most would be polled again
//! and again in vain.

use std::io::{self, IoSlice, IoSliceMut};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::io::{Errno, ioctl_fionread, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendFlags, recv, recvmsg,
    send, sendmsg,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::StreamSocket;
use crate::lock::lock;
use crate::quota::Half;

/// The time after which a transfer asks again at the latest. A quota of 0 bytes a second
/// never lets it start.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The number of bytes, and whether the kernel has no more of them, or no more room.
type Part = (usize, bool);

impl StreamSocket {
    /// Receives into `into`, with one system call for each message. A read that does not
    /// fill the buffer has emptied the socket, and epoll reports when more arrives.
    pub(crate) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_io(cx, || match self.unix() {
            None => {
                let whole = into.len();
                let (count, _) = recv(self, &mut *into, RecvFlags::empty())?;
                Ok((count, count < whole))
            }
            Some(unix) => receive_unix(unix, into),
        })
    }

    /// Receives behind the bytes that `into` holds, up to its capacity.
    pub(crate) fn poll_receive_more(
        &self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let room = into.capacity() - into.len();
        let may_end_early = self.unix().is_some();
        self.poll_read_io(cx, || {
            let (count, _) = recv(self, spare_capacity(into), RecvFlags::empty())?;
            Ok((count, count < room && !may_end_early))
        })
    }

    pub(crate) fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_io(cx, || {
            let count = send(self, bytes, SendFlags::NOSIGNAL)?;
            Ok((count, count < bytes.len()))
        })
    }

    pub(crate) fn poll_send_vectored(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let whole = slices.iter().map(|slice| slice.len()).sum();
        self.poll_write_io(cx, || {
            let mut nothing = SendAncillaryBuffer::default();
            let count = sendmsg(self, slices, &mut nothing, SendFlags::NOSIGNAL)?;
            Ok((count, count < whole))
        })
    }

    /// Sends as much as the kernel has room for, without waiting.
    pub(super) fn send_now(&self, bytes: &[u8]) -> io::Result<usize> {
        if self.has_to_pause(Half::Sent)? {
            return Ok(0);
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match retry_on_intr(|| send(self, bytes, flags)) {
            Err(Errno::AGAIN) => Ok(0),
            sent => self.counted(Half::Sent, sent.map_err(io::Error::from)),
        }
    }

    /// Receives at most `length` bytes that have arrived. Returns `None` when none have,
    /// and an empty list at the end of the data.
    pub(super) fn receive_now(&self, length: u64) -> io::Result<Option<Vec<u8>>> {
        if self.has_to_pause(Half::Received)? {
            return Ok(None);
        }
        // At least one, for bytes that arrive in between and for the end.
        let come = ioctl_fionread(self)?.max(1);
        let length = usize::try_from(length.min(come)).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(length);
        let receive = || recv(self, spare_capacity(&mut bytes), RecvFlags::DONTWAIT);
        match retry_on_intr(receive) {
            Err(Errno::AGAIN) => Ok(None),
            received => {
                let received = received.map(|(count, _)| count).map_err(io::Error::from);
                self.counted(Half::Received, received)?;
                Ok(Some(bytes))
            }
        }
    }

    /// Discards bytes that have arrived, up to `times` times 4 KiB. Linux resets a
    /// connection that is closed with unread bytes, and the bytes sent last might not
    /// arrive: RFC 2525, section 2.17.
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
        mut receive: impl FnMut() -> io::Result<Part>,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_quota(cx, Half::Received))?;
        loop {
            match self.exhausting(Interest::READABLE, &mut receive) {
                Err(error) if again(&error) => ready!(self.poll_read_ready(cx))?,
                received => return Poll::Ready(self.counted(Half::Received, received)),
            }
        }
    }

    fn poll_write_io(
        &self,
        cx: &mut Context<'_>,
        mut send: impl FnMut() -> io::Result<Part>,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_quota(cx, Half::Sent))?;
        loop {
            match self.exhausting(Interest::WRITABLE, &mut send) {
                Err(error) if again(&error) => ready!(self.poll_write_ready(cx))?,
                sent => return Poll::Ready(self.counted(Half::Sent, sent)),
            }
        }
    }

    /// Waits until the guest's quotas of bytes let a transfer start.
    fn poll_quota(&self, cx: &mut Context<'_>, half: Half) -> Poll<io::Result<()>> {
        let Some(bytes) = self.permit().bytes() else {
            return Poll::Ready(Ok(()));
        };
        let mut pauses = lock(&self.pauses);
        let pause = pauses.of(half);
        loop {
            if let Some(sleep) = pause {
                ready!(sleep.as_mut().poll(cx));
                *pause = None;
            }
            match bytes.begin(half).inspect_err(|_| self.over_quota())? {
                None => return Poll::Ready(Ok(())),
                Some(time) => {
                    *pause = Some(Box::pin(tokio::time::sleep(time.min(LONGEST_PAUSE))));
                }
            }
        }
    }

    /// Returns true if a transfer has to wait for the quota of a second.
    fn has_to_pause(&self, half: Half) -> io::Result<bool> {
        match self.permit().bytes() {
            None => Ok(false),
            Some(bytes) => {
                let begun = bytes.begin(half).inspect_err(|_| self.over_quota());
                Ok(begun?.is_some())
            }
        }
    }

    fn over_quota(&self) {
        self.permit().traffic().over_quota();
    }

    /// Counts the bytes of a transfer, for the connection and for the guest's quotas, and
    /// notes an error.
    fn counted(&self, half: Half, done: io::Result<usize>) -> io::Result<usize> {
        let permit = self.permit();
        match &done {
            Ok(count) => {
                match half {
                    Half::Received => permit.traffic().received(*count),
                    Half::Sent => permit.traffic().sent(*count),
                }
                if let Some(bytes) = permit.bytes() {
                    bytes.count(half, *count);
                }
            }
            Err(error) => permit.traffic().failed(error),
        }
        done
    }

    /// Does `work` on the socket. When that has exhausted the socket, tokio is told that
    /// it would block, so that the next operation waits for an event.
    fn exhausting(
        &self,
        interest: Interest,
        work: impl FnOnce() -> io::Result<Part>,
    ) -> io::Result<usize> {
        let mut last = None;
        let done = self.try_io(interest, || match work()? {
            (count @ 1.., true) => {
                last = Some(count);
                Err(io::ErrorKind::WouldBlock.into())
            }
            (count, _) => Ok(count),
        });
        let done = last.map_or(done, Ok);
        if let Ok(1..) = done {
            self.permit().is_used();
        }
        done
    }
}

/// Receives from a Unix socket. A message with descriptors ends a read early, though
/// more bytes may be there: the descriptors are dropped, and the socket is not empty.
fn receive_unix(socket: &UnixStream, into: &mut [u8]) -> io::Result<Part> {
    let whole = into.len();
    let mut into = [IoSliceMut::new(into)];
    let mut nothing = RecvAncillaryBuffer::default();
    let received = recvmsg(socket, &mut into, &mut nothing, RecvFlags::empty())?;
    let dropped = received.flags.contains(ReturnFlags::CTRUNC);
    Ok((received.bytes, received.bytes < whole && !dropped))
}

/// Returns whether the operation has to be tried again.
fn again(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write as _;
    use std::mem::MaybeUninit;
    use std::os::fd::AsFd as _;
    use std::sync::Arc;

    use rustix::net::SendAncillaryMessage;
    use tokio::time::timeout;

    use super::*;
    use crate::access::testing;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Makes a connected socket and its peer.
    fn pair() -> (StreamSocket, std::os::unix::net::UnixStream) {
        let (ours, peer) = UnixStream::pair().unwrap();
        let permit = Arc::new(testing::permit());
        let peer = peer.into_std().unwrap();
        (StreamSocket::new(ours, permit), peer)
    }

    /// Sends a descriptor with the bytes.
    fn send_with_descriptor(peer: &std::os::unix::net::UnixStream, bytes: &[u8]) {
        let descriptors = [peer.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
        let slices = [IoSlice::new(bytes)];
        let sent = sendmsg(peer, &slices, &mut ancillary, SendFlags::empty());
        assert_eq!(sent, Ok(bytes.len()));
    }

    #[tokio::test]
    async fn what_follows_a_message_with_descriptors_is_received_and_they_are_dropped() {
        for more in [false, true] {
            let (connection, mut peer) = pair();
            send_with_descriptor(&peer, b"one ");
            peer.write_all(b"two").unwrap();
            let mut received = Vec::new();
            while received.len() < 7 {
                let mut piece = Vec::with_capacity(100);
                let count = poll_fn(|cx| match more {
                    true => connection.poll_receive_more(cx, &mut piece),
                    false => {
                        piece.resize(100, 0);
                        connection.poll_receive(cx, &mut piece)
                    }
                });
                let count = timeout(PATIENCE, count)
                    .await
                    .expect("nothing comes")
                    .unwrap();
                received.extend_from_slice(&piece[..count]);
            }
            assert_eq!(received, b"one two");
        }
    }
}
