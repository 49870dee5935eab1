//! The options of a socket.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::net::sockopt;
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, IpAddressFamily};

use super::{TcpSocket, coded};

/// The times that Linux accepts between keep-alive probes: tcp(7).
const PROBES: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(i16::MAX as u64);
/// The largest number of keep-alive probes that Linux accepts.
const MOST_PROBES: u32 = i8::MAX as u32;

impl TcpSocket {
    fn option<'a, T>(
        &'a self,
        access: impl FnOnce(BorrowedFd<'a>) -> rustix::io::Result<T>,
    ) -> Result<T, ErrorCode> {
        coded(access(self.fd()?))
    }

    pub(crate) fn set_reuse_address(&mut self, reuse: bool) -> Result<(), ErrorCode> {
        self.unbound()?;
        self.kind.reuse_address = reuse;
        Ok(())
    }

    pub(crate) fn reuses_port(&self) -> bool {
        self.kind.reuse_port
    }

    pub(crate) fn set_reuse_port(&mut self, reuse: bool) -> Result<(), ErrorCode> {
        let set = sockopt::set_socket_reuseport(self.unbound()?, reuse);
        set.map_err(|_| ErrorCode::NotSupported)?;
        self.kind.reuse_port = reuse;
        Ok(())
    }

    pub(crate) fn set_no_delay(&self, no_delay: bool) -> Result<(), ErrorCode> {
        self.option(|fd| sockopt::set_tcp_nodelay(fd, no_delay))
    }

    pub(crate) fn keep_alive(&self) -> Result<bool, ErrorCode> {
        self.option(sockopt::socket_keepalive)
    }

    pub(crate) fn set_keep_alive(&self, on: bool) -> Result<(), ErrorCode> {
        self.option(|fd| sockopt::set_socket_keepalive(fd, on))
    }

    pub(crate) fn keep_alive_idle_time(&self) -> Result<Duration, ErrorCode> {
        self.option(sockopt::tcp_keepidle)
    }

    pub(crate) fn set_keep_alive_idle_time(&self, time: Duration) -> Result<(), ErrorCode> {
        let time = probe(time)?;
        self.option(|fd| sockopt::set_tcp_keepidle(fd, time))
    }

    pub(crate) fn keep_alive_interval(&self) -> Result<Duration, ErrorCode> {
        self.option(sockopt::tcp_keepintvl)
    }

    pub(crate) fn set_keep_alive_interval(&self, time: Duration) -> Result<(), ErrorCode> {
        let time = probe(time)?;
        self.option(|fd| sockopt::set_tcp_keepintvl(fd, time))
    }

    pub(crate) fn keep_alive_count(&self) -> Result<u32, ErrorCode> {
        self.option(sockopt::tcp_keepcnt)
    }

    pub(crate) fn set_keep_alive_count(&self, count: u32) -> Result<(), ErrorCode> {
        match count {
            0 => Err(ErrorCode::InvalidArgument),
            _ => self.option(|fd| sockopt::set_tcp_keepcnt(fd, count.min(MOST_PROBES))),
        }
    }

    pub(crate) fn hop_limit(&self) -> Result<u8, ErrorCode> {
        let limit = match self.kind.family {
            IpAddressFamily::Ipv4 => self.option(sockopt::ip_ttl)?,
            IpAddressFamily::Ipv6 => return self.option(sockopt::ipv6_unicast_hops),
        };
        u8::try_from(limit).map_err(|_| ErrorCode::NotSupported)
    }

    pub(crate) fn set_hop_limit(&self, limit: u8) -> Result<(), ErrorCode> {
        match (limit, self.kind.family) {
            (0, _) => Err(ErrorCode::InvalidArgument),
            (_, IpAddressFamily::Ipv4) => self.option(|fd| sockopt::set_ip_ttl(fd, limit.into())),
            (_, IpAddressFamily::Ipv6) => {
                self.option(|fd| sockopt::set_ipv6_unicast_hops(fd, Some(limit)))
            }
        }
    }

    pub(crate) fn receive_buffer_size(&self) -> Result<u64, ErrorCode> {
        Ok(halved(self.option(sockopt::socket_recv_buffer_size)?))
    }

    pub(crate) fn set_receive_buffer_size(&self, size: u64) -> Result<(), ErrorCode> {
        let size = buffer_size(size)?;
        self.option(|fd| sockopt::set_socket_recv_buffer_size(fd, size))
    }

    pub(crate) fn send_buffer_size(&self) -> Result<u64, ErrorCode> {
        Ok(halved(self.option(sockopt::socket_send_buffer_size)?))
    }

    pub(crate) fn set_send_buffer_size(&self, size: u64) -> Result<(), ErrorCode> {
        let size = buffer_size(size)?;
        self.option(|fd| sockopt::set_socket_send_buffer_size(fd, size))
    }
}

fn probe(time: Duration) -> Result<Duration, ErrorCode> {
    if time.is_zero() {
        return Err(ErrorCode::InvalidArgument);
    }
    Ok(time.clamp(*PROBES.start(), *PROBES.end()))
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
