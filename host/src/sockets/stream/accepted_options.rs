//! The options that a guest has set on a listener of the operator.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rustix::net::sockopt;
use wasmtime_wasi::p3::bindings::sockets::types::IpAddressFamily;

use crate::lock::lock;

/// Options that a guest has set on an inherited listener. They go to the connections that
/// the guest accepts: the listener's own belong to its opener, and to all others that
/// accept on it.
#[derive(Debug, Default)]
pub(in crate::sockets) struct AcceptedOptions(Mutex<Values>);

/// The options that were set.
#[derive(Debug, Default)]
pub(in crate::sockets) struct Values {
    pub(super) no_delay: Option<bool>,
    pub(super) keep_alive: Option<bool>,
    pub(super) keep_alive_idle_time: Option<Duration>,
    pub(super) keep_alive_interval: Option<Duration>,
    pub(super) keep_alive_count: Option<u32>,
    pub(super) receive_buffer: Option<usize>,
    pub(super) send_buffer: Option<usize>,
    pub(in crate::sockets) hop_limit: Option<u8>,
}

impl AcceptedOptions {
    pub(in crate::sockets) fn values(&self) -> MutexGuard<'_, Values> {
        lock(&self.0)
    }

    /// Sets the options on a connection that was accepted. Of those that the kernel refuses,
    /// the connection keeps what it has; the guest can read them there.
    pub(in crate::sockets) fn apply(&self, connection: impl AsFd, family: Option<IpAddressFamily>) {
        let values = self.values();
        let fd = connection.as_fd();
        set(fd, values.no_delay, sockopt::set_tcp_nodelay);
        set(fd, values.keep_alive, sockopt::set_socket_keepalive);
        set(fd, values.keep_alive_idle_time, sockopt::set_tcp_keepidle);
        set(fd, values.keep_alive_interval, sockopt::set_tcp_keepintvl);
        set(fd, values.keep_alive_count, sockopt::set_tcp_keepcnt);
        set(
            fd,
            values.receive_buffer,
            sockopt::set_socket_recv_buffer_size,
        );
        set(fd, values.send_buffer, sockopt::set_socket_send_buffer_size);
        match family {
            Some(IpAddressFamily::Ipv4) => {
                set(fd, values.hop_limit.map(u32::from), sockopt::set_ip_ttl);
            }
            Some(IpAddressFamily::Ipv6) => {
                let limit = values.hop_limit.map(Some);
                set(fd, limit, sockopt::set_ipv6_unicast_hops);
            }
            None => {}
        }
    }
}

fn set<'a, T>(
    fd: BorrowedFd<'a>,
    value: Option<T>,
    set: impl FnOnce(BorrowedFd<'a>, T) -> rustix::io::Result<()>,
) {
    if let Some(value) = value {
        let _ = set(fd, value);
    }
}
