//! Ports that a test may give back and take again.
//!
//! The kernel gives ports of the ephemeral range to everything that asks for any free
//! port, also to the clients of other tests. A test that closes such a port and wants it
//! back may find it taken. A test that connects there may find another listener, or even
//! itself. [`ReservedPort`] therefore takes ports outside that range. Where the kernel
//! has to pick the port, [`LoopbackAddress`] has the ports of an address to itself.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use socket2::{Domain, Socket, Type};

/// The number of ports to try: more than all tests ever hold at the same time.
const COUNT: u16 = 8000;

/// A port of the loopback addresses that no other test has until this is dropped, and
/// that the kernel gives to no socket by itself.
pub(crate) struct ReservedPort {
    port: u16,
    /// The kernel closes this socket when the process ends, and so frees the name.
    _lock: UnixListener,
}

impl ReservedPort {
    pub(crate) fn new() -> ReservedPort {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let range = range();
        // Processes start at different places, so that they seldom meet.
        let start = process::id().wrapping_mul(97);
        for _ in 0..COUNT {
            let step = u32::from(NEXT.fetch_add(1, Relaxed));
            let offset = start.wrapping_add(step) % u32::from(COUNT);
            let port = range.start() + u16::try_from(offset).unwrap();
            if let Some(reserved) = ReservedPort::lock(port)
                && is_free(port)
            {
                return reserved;
            }
        }
        panic!("no port of {range:?} is free");
    }

    pub(crate) fn number(&self) -> u16 {
        self.port
    }

    fn lock(port: u16) -> Option<ReservedPort> {
        let lock = lock(&format!("port/{port}"))?;
        Some(ReservedPort { port, _lock: lock })
    }
}

/// An address of this machine that no other test uses until this is dropped. Only sockets
/// on all addresses can be in the way there.
pub(crate) struct LoopbackAddress {
    ip: Ipv4Addr,
    _lock: UnixListener,
}

impl LoopbackAddress {
    pub(crate) fn new() -> LoopbackAddress {
        let own = (1..=254).find_map(|last| {
            let ip = Ipv4Addr::new(127, 0, 91, last);
            let lock = lock(&format!("address/{ip}"))?;
            Some(LoopbackAddress { ip, _lock: lock })
        });
        own.expect("a loopback address is free")
    }

    pub(crate) fn ip(&self) -> Ipv4Addr {
        self.ip
    }
}

/// Locks a name until the socket is closed. Abstract names belong to the network
/// namespace, as ports do, so this excludes tests of other processes, users and checkouts
/// as well.
fn lock(name: &str) -> Option<UnixListener> {
    let name = format!("asyncio-streams/tests/{name}");
    let address = UnixAddress::from_abstract_name(name).unwrap();
    UnixListener::bind_addr(&address).ok()
}

/// Returns ports beside those that the kernel picks from.
fn range() -> RangeInclusive<u16> {
    let ephemeral = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let mut ends = ephemeral.split_whitespace().map(|end| end.parse().unwrap());
    let (first, last): (u16, u16) = (ends.next().unwrap(), ends.next().unwrap());
    let start = match first.checked_sub(COUNT) {
        Some(start) if start > 1024 => start,
        _ => last
            .checked_add(1)
            .expect("there are ports beside the ephemeral ones"),
    };
    let end = start.checked_add(COUNT - 1);
    start..=end.expect("there are enough ports beside the ephemeral ones")
}

/// Binds without `SO_REUSEADDR`, so that ports with connections in TIME_WAIT count as
/// taken.
fn is_free(port: u16) -> bool {
    let all: [SocketAddr; 2] = [
        (Ipv4Addr::UNSPECIFIED, port).into(),
        (Ipv6Addr::UNSPECIFIED, port).into(),
    ];
    all.into_iter().all(|address| {
        // Without IPv6 there is nothing to be taken.
        let Ok(socket) = Socket::new(Domain::for_address(address), Type::STREAM, None) else {
            return address.is_ipv6();
        };
        if address.is_ipv6() {
            socket.set_only_v6(true).unwrap();
        }
        socket.bind(&address.into()).is_ok()
    })
}
