//! The peers: the servers that are measured.

use anyhow::{Result, bail};

/// A server that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// An epoll loop.
    RawEpoll,
    /// tokio on one thread.
    Tokio,
    /// The program of `Tokio` compiled for WASI 0.2, on the same wasmtime as this
    /// project's guests.
    TokioWasip2,
    /// CPython's asyncio streams on uvloop.
    Uvloop,
    /// CPython's asyncio streams.
    Asyncio,
    /// A guest that links the crate.
    Static,
    /// A guest written against the WIT, composed with the streams component.
    Composed,
    /// As `Composed`, but the bytes go from socket to socket as one `stream<u8>`.
    Stream,
}

impl Peer {
    /// All peers, in the order of the tables.
    pub(crate) const ALL: [Self; 8] = [
        Self::RawEpoll,
        Self::Tokio,
        Self::TokioWasip2,
        Self::Uvloop,
        Self::Asyncio,
        Self::Static,
        Self::Composed,
        Self::Stream,
    ];

    /// This project's two servers, which the tables compare with all others.
    pub(crate) const OURS: [Self; 2] = [Self::Static, Self::Composed];

    /// Returns the name, for `--peer`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RawEpoll => "raw-epoll",
            Self::Tokio => "tokio",
            Self::TokioWasip2 => "tokio-wasip2",
            Self::Uvloop => "uvloop",
            Self::Asyncio => "asyncio",
            Self::Static => "static",
            Self::Composed => "composed",
            Self::Stream => "stream",
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self> {
        match Self::ALL.into_iter().find(|peer| peer.name() == name) {
            Some(peer) => Ok(peer),
            None => bail!(
                "there is no peer `{name}`: there are {}",
                Self::ALL.map(Self::name).join(", ")
            ),
        }
    }
}
