//! The options of a socket of the kernel.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::net::sockopt;
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::code;

/// The times that Linux accepts between keep-alive probes: tcp(7).
const PROBES: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(i16::MAX as u64);
/// The largest number of keep-alive probes that Linux accepts.
const MOST_PROBES: u32 = i8::MAX as u32;

/// The options of a socket, TCP or Unix. The kernel refuses those of TCP on a Unix socket.
#[derive(Clone, Copy)]
pub(crate) struct Options<'a>(pub(super) BorrowedFd<'a>);

impl<'a> Options<'a> {
    fn access<T>(
        self,
        access: impl FnOnce(BorrowedFd<'a>) -> rustix::io::Result<T>,
    ) -> Result<T, ErrorCode> {
        access(self.0).map_err(|errno| code(errno.into()))
    }

    pub(crate) fn no_delay(self) -> Result<bool, ErrorCode> {
        self.access(sockopt::tcp_nodelay)
    }

    pub(crate) fn set_no_delay(self, no_delay: bool) -> Result<(), ErrorCode> {
        self.access(|fd| sockopt::set_tcp_nodelay(fd, no_delay))
    }

    pub(crate) fn keep_alive(self) -> Result<bool, ErrorCode> {
        self.access(sockopt::socket_keepalive)
    }

    pub(crate) fn set_keep_alive(self, on: bool) -> Result<(), ErrorCode> {
        self.access(|fd| sockopt::set_socket_keepalive(fd, on))
    }

    /// Returns the time in nanoseconds, as WASI counts it.
    pub(crate) fn keep_alive_idle_time(self) -> Result<u64, ErrorCode> {
        self.access(sockopt::tcp_keepidle).map(nanoseconds)
    }

    pub(crate) fn set_keep_alive_idle_time(self, time: u64) -> Result<(), ErrorCode> {
        let time = probe(time)?;
        self.access(|fd| sockopt::set_tcp_keepidle(fd, time))
    }

    /// Returns the time in nanoseconds, as WASI counts it.
    pub(crate) fn keep_alive_interval(self) -> Result<u64, ErrorCode> {
        self.access(sockopt::tcp_keepintvl).map(nanoseconds)
    }

    pub(crate) fn set_keep_alive_interval(self, time: u64) -> Result<(), ErrorCode> {
        let time = probe(time)?;
        self.access(|fd| sockopt::set_tcp_keepintvl(fd, time))
    }

    pub(crate) fn keep_alive_count(self) -> Result<u32, ErrorCode> {
        self.access(sockopt::tcp_keepcnt)
    }

    pub(crate) fn set_keep_alive_count(self, count: u32) -> Result<(), ErrorCode> {
        match count {
            0 => Err(ErrorCode::InvalidArgument),
            _ => self.access(|fd| sockopt::set_tcp_keepcnt(fd, count.min(MOST_PROBES))),
        }
    }

    pub(crate) fn receive_buffer_size(self) -> Result<u64, ErrorCode> {
        self.access(sockopt::socket_recv_buffer_size).map(halved)
    }

    pub(crate) fn set_receive_buffer_size(self, size: u64) -> Result<(), ErrorCode> {
        let size = buffer_size(size)?;
        self.access(|fd| sockopt::set_socket_recv_buffer_size(fd, size))
    }

    pub(crate) fn send_buffer_size(self) -> Result<u64, ErrorCode> {
        self.access(sockopt::socket_send_buffer_size).map(halved)
    }

    pub(crate) fn set_send_buffer_size(self, size: u64) -> Result<(), ErrorCode> {
        let size = buffer_size(size)?;
        self.access(|fd| sockopt::set_socket_send_buffer_size(fd, size))
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
fn halved(size: usize) -> u64 {
    let divisor = if cfg!(target_os = "linux") { 2 } else { 1 };
    (size / divisor) as u64
}

fn buffer_size(size: u64) -> Result<usize, ErrorCode> {
    match size {
        0 => Err(ErrorCode::InvalidArgument),
        _ => Ok(usize::try_from(size)
            .unwrap_or(usize::MAX)
            .min(i32::MAX as usize / 2)),
    }
}
