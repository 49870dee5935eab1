//! The options of a socket of the kernel.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::net::sockopt;
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::accepted_options::{AcceptedOptions, Values};
use super::code;
use crate::access::SocketPermit;

/// The times that Linux accepts between keep-alive probes: tcp(7).
const PROBES: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(i16::MAX as u64);
/// The largest number of keep-alive probes that Linux accepts.
const MOST_PROBES: u32 = i8::MAX as u32;

/// The options of a socket, TCP or Unix. The kernel refuses those of TCP on a Unix socket.
#[derive(Clone, Copy)]
pub(crate) struct Options<'a> {
    fd: BorrowedFd<'a>,
    /// The socket is an end of a pair: the kernel's memory for what it sends was charged to
    /// the guest, and stays as it is.
    fixed: bool,
    /// The socket is a listener of the operator: what the guest sets is kept here.
    accepted: Option<&'a AcceptedOptions>,
}

impl<'a> Options<'a> {
    pub(super) fn new(
        fd: BorrowedFd<'a>,
        permit: &SocketPermit,
        accepted: Option<&'a AcceptedOptions>,
    ) -> Self {
        Self {
            fd,
            fixed: permit.is_of_pair(),
            accepted,
        }
    }

    /// Gets the value that the guest has set for connections, else the kernel's.
    fn get<T>(
        self,
        kept: impl FnOnce(&Values) -> Option<T>,
        get: impl FnOnce(BorrowedFd<'a>) -> rustix::io::Result<T>,
    ) -> Result<T, ErrorCode> {
        match self.accepted.and_then(|accepted| kept(&accepted.values())) {
            Some(value) => Ok(value),
            None => get(self.fd).map_err(|errno| code(errno.into())),
        }
    }

    fn set(
        self,
        keep: impl FnOnce(&mut Values),
        set: impl FnOnce(BorrowedFd<'a>) -> rustix::io::Result<()>,
    ) -> Result<(), ErrorCode> {
        match self.accepted {
            Some(accepted) => {
                keep(&mut accepted.values());
                Ok(())
            }
            None => set(self.fd).map_err(|errno| code(errno.into())),
        }
    }

    pub(crate) fn no_delay(self) -> Result<bool, ErrorCode> {
        self.get(|values| values.no_delay, sockopt::tcp_nodelay)
    }

    pub(crate) fn set_no_delay(self, no_delay: bool) -> Result<(), ErrorCode> {
        self.set(
            |values| values.no_delay = Some(no_delay),
            |fd| sockopt::set_tcp_nodelay(fd, no_delay),
        )
    }

    pub(crate) fn keep_alive(self) -> Result<bool, ErrorCode> {
        self.get(|values| values.keep_alive, sockopt::socket_keepalive)
    }

    pub(crate) fn set_keep_alive(self, on: bool) -> Result<(), ErrorCode> {
        self.set(
            |values| values.keep_alive = Some(on),
            |fd| sockopt::set_socket_keepalive(fd, on),
        )
    }

    /// Returns the time in nanoseconds, as WASI counts it.
    pub(crate) fn keep_alive_idle_time(self) -> Result<u64, ErrorCode> {
        self.get(|values| values.keep_alive_idle_time, sockopt::tcp_keepidle)
            .map(nanoseconds)
    }

    pub(crate) fn set_keep_alive_idle_time(self, time: u64) -> Result<(), ErrorCode> {
        let time = probe(time)?;
        self.set(
            |values| values.keep_alive_idle_time = Some(time),
            |fd| sockopt::set_tcp_keepidle(fd, time),
        )
    }

    /// Returns the time in nanoseconds, as WASI counts it.
    pub(crate) fn keep_alive_interval(self) -> Result<u64, ErrorCode> {
        self.get(|values| values.keep_alive_interval, sockopt::tcp_keepintvl)
            .map(nanoseconds)
    }

    pub(crate) fn set_keep_alive_interval(self, time: u64) -> Result<(), ErrorCode> {
        let time = probe(time)?;
        self.set(
            |values| values.keep_alive_interval = Some(time),
            |fd| sockopt::set_tcp_keepintvl(fd, time),
        )
    }

    pub(crate) fn keep_alive_count(self) -> Result<u32, ErrorCode> {
        self.get(|values| values.keep_alive_count, sockopt::tcp_keepcnt)
    }

    pub(crate) fn set_keep_alive_count(self, count: u32) -> Result<(), ErrorCode> {
        if count == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        let count = count.min(MOST_PROBES);
        self.set(
            |values| values.keep_alive_count = Some(count),
            |fd| sockopt::set_tcp_keepcnt(fd, count),
        )
    }

    pub(crate) fn receive_buffer_size(self) -> Result<u64, ErrorCode> {
        let kept = |values: &Values| values.receive_buffer.map(doubled);
        self.get(kept, sockopt::socket_recv_buffer_size).map(halved)
    }

    pub(crate) fn set_receive_buffer_size(self, size: u64) -> Result<(), ErrorCode> {
        let size = buffer_size(size)?;
        self.set(
            |values| values.receive_buffer = Some(size),
            |fd| sockopt::set_socket_recv_buffer_size(fd, size),
        )
    }

    pub(crate) fn send_buffer_size(self) -> Result<u64, ErrorCode> {
        let kept = |values: &Values| values.send_buffer.map(doubled);
        self.get(kept, sockopt::socket_send_buffer_size).map(halved)
    }

    pub(crate) fn set_send_buffer_size(self, size: u64) -> Result<(), ErrorCode> {
        let size = buffer_size(size)?;
        if self.fixed {
            return Ok(());
        }
        self.set(
            |values| values.send_buffer = Some(size),
            |fd| sockopt::set_socket_send_buffer_size(fd, size),
        )
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn probe(nanoseconds: u64) -> Result<Duration, ErrorCode> {
    match nanoseconds {
        0 => Err(ErrorCode::InvalidArgument),
        _ => Ok(Duration::from_nanos(nanoseconds).clamp(*PROBES.start(), *PROBES.end())),
    }
}

/// Linux doubles the size that was asked for, to count its own bookkeeping: socket(7).
const BOOKKEEPING: usize = if cfg!(target_os = "linux") { 2 } else { 1 };

fn halved(size: usize) -> u64 {
    (size / BOOKKEEPING) as u64
}

fn doubled(size: usize) -> usize {
    size.saturating_mul(BOOKKEEPING)
}

fn buffer_size(size: u64) -> Result<usize, ErrorCode> {
    match size {
        0 => Err(ErrorCode::InvalidArgument),
        _ => Ok(usize::try_from(size)
            .unwrap_or(usize::MAX)
            .min(i32::MAX as usize / 2)),
    }
}
