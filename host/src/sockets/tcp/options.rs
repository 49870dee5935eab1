//! The options that only TCP sockets of WASI have.

use std::os::fd::BorrowedFd;

use rustix::net::sockopt;
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, IpAddressFamily};

use super::{TcpSocket, coded};

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

    pub(crate) fn hop_limit(&self) -> Result<u8, ErrorCode> {
        if let Some(limit) = (self.accepted.as_ref()).and_then(|kept| kept.values().hop_limit) {
            return Ok(limit);
        }
        let limit = match self.kind.family {
            IpAddressFamily::Ipv4 => self.option(sockopt::ip_ttl)?,
            IpAddressFamily::Ipv6 => return self.option(sockopt::ipv6_unicast_hops),
        };
        u8::try_from(limit).map_err(|_| ErrorCode::NotSupported)
    }

    pub(crate) fn set_hop_limit(&self, limit: u8) -> Result<(), ErrorCode> {
        if let Some(kept) = self.accepted.as_ref().filter(|_| limit > 0) {
            kept.values().hop_limit = Some(limit);
            return Ok(());
        }
        match (limit, self.kind.family) {
            (0, _) => Err(ErrorCode::InvalidArgument),
            (_, IpAddressFamily::Ipv4) => self.option(|fd| sockopt::set_ip_ttl(fd, limit.into())),
            (_, IpAddressFamily::Ipv6) => {
                self.option(|fd| sockopt::set_ipv6_unicast_hops(fd, Some(limit)))
            }
        }
    }
}
