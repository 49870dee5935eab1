//! An observer that passes on the addresses of TCP listeners.

use std::net::SocketAddr;

use asyncio_streams_host::{Denial, ListenAddress, Observer};

/// Passes the address of each TCP listener to the function that it holds.
pub(crate) struct Listening<F> {
    tell: F,
    denials: Denials,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Denials {
    Panic,
    Ignore,
}

impl<F: Fn(SocketAddr) + Send + Sync + 'static> Listening<F> {
    /// Panics at a denial, because the test expects none.
    pub(crate) fn new(tell: F) -> Listening<F> {
        let denials = Denials::Panic;
        Listening { tell, denials }
    }

    /// Ignores denials.
    pub(crate) fn ignoring_denials(self) -> Listening<F> {
        let denials = Denials::Ignore;
        Listening { denials, ..self }
    }
}

impl<F: Fn(SocketAddr) + Send + Sync + 'static> Observer for Listening<F> {
    fn denied(&self, denial: &Denial) {
        assert!(self.denials == Denials::Ignore, "{denial}");
    }

    fn suppressed(&self, _: u64) {}

    fn listening(&self, address: &ListenAddress) {
        (self.tell)(address.to_string().parse().unwrap());
    }
}
