//! The receive buffer: what has arrived and was not read yet.
//!
//! Pure code. It knows no I/O, no tasks and no wakers, so every rule about
//! limits, separators and the end of the data is here and can be tested alone.

#[cfg(any(test, fuzzing))]
pub(crate) mod model;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};

use crate::error::ReadError;
use crate::separators::Separators;

/// How much a buffer may have held and still keep its memory when it is empty.
/// What `BytesMut` would keep otherwise does not show in its capacity.
const KEPT: usize = 4 * 1024;

/// What a read finds in the buffer.
#[derive(Debug, PartialEq)]
pub(crate) enum Found<T> {
    /// It can be served.
    Ready(T),
    /// It cannot be served before at least this many bytes are buffered or the
    /// data have ended.
    Wait(usize),
}

/// Received bytes in order, the end of the data, and the limit.
#[derive(Debug)]
pub(crate) struct Buffer {
    data: BytesMut,
    /// The most that `data` has held since it was empty.
    peak: usize,
    ended: bool,
    limit: usize,
    scan: Scan,
}

/// What the search for a separator comes to.
enum Search {
    /// There is one, and it ends there.
    Found { end: usize },
    /// More than the limit is in front of it, or certainly holds none.
    Overrun { consumed: usize, found: bool },
    /// None, and no more bytes will come.
    Ended,
    /// None yet.
    Unknown,
}

/// How far the front of the buffer is known to hold none of these separators,
/// so that a read that is begun again does not search the same bytes again.
#[derive(Debug, Default)]
struct Scan {
    separators: Option<Separators>,
    offset: usize,
}

impl Buffer {
    pub(crate) fn new(limit: usize) -> Buffer {
        Buffer {
            data: BytesMut::new(),
            peak: 0,
            ended: false,
            limit,
            scan: Scan::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether the data have ended, read or not.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Appends what has arrived. Nothing arrives after the end.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        debug_assert!(!self.ended, "bytes after the end of the data");
        self.data.extend_from_slice(bytes);
        self.peak = self.peak.max(self.data.len());
    }

    pub(crate) fn set_ended(&mut self, ended: bool) {
        self.ended = ended;
    }

    /// Up to `n` bytes; empty if `n` is 0 or at the end.
    pub(crate) fn some(&mut self, n: usize) -> Found<Bytes> {
        if n == 0 {
            return Found::Ready(Bytes::new());
        }
        if self.data.is_empty() && !self.ended {
            return Found::Wait(1);
        }
        Found::Ready(self.take(n.min(self.data.len())))
    }

    /// Everything, once the data have ended.
    pub(crate) fn all(&mut self) -> Found<Bytes> {
        if self.ended {
            Found::Ready(self.take(self.data.len()))
        } else {
            Found::Wait(usize::MAX)
        }
    }

    /// Exactly `n` bytes.
    pub(crate) fn exactly(&mut self, n: usize) -> Found<Result<Bytes, ReadError>> {
        if self.data.len() >= n {
            Found::Ready(Ok(self.take(n)))
        } else if self.ended {
            Found::Ready(Err(ReadError::Incomplete {
                partial: self.take(self.data.len()),
                expected: Some(n),
            }))
        } else {
            // Everything there is would be another read.
            Found::Wait(n.min(usize::MAX - 1))
        }
    }

    /// A line with its `\n`; what is left at the end.
    pub(crate) fn line(&mut self, limit: usize) -> Found<Result<Bytes, ReadError>> {
        match self.until(&Separators::newline(), limit) {
            Found::Ready(Err(ReadError::Incomplete { partial, .. })) => Found::Ready(Ok(partial)),
            found => found,
        }
    }

    /// Up to and including the separator that ends first.
    pub(crate) fn until(
        &mut self,
        separators: &Separators,
        limit: usize,
    ) -> Found<Result<Bytes, ReadError>> {
        match self.find(separators, limit) {
            Search::Found { end } => Found::Ready(Ok(self.take(end))),
            Search::Overrun { consumed, found } => {
                Found::Ready(Err(ReadError::LimitOverrun { consumed, found }))
            }
            Search::Ended => Found::Ready(Err(ReadError::Incomplete {
                partial: self.take(self.data.len()),
                expected: None,
            })),
            Search::Unknown => Found::Wait(self.data.len() + 1),
        }
    }

    /// Whether `until` could be served now. Takes nothing.
    #[cfg(feature = "component")]
    pub(crate) fn until_ready(&mut self, separators: &Separators, limit: usize) -> Found<()> {
        match self.find(separators, limit) {
            Search::Unknown => Found::Wait(self.data.len() + 1),
            _ => Found::Ready(()),
        }
    }

    /// Looks for a separator.
    ///
    /// One that starts after more than `limit` bytes is an overrun, as are more
    /// than `limit` bytes that certainly hold none. The limit is looked at
    /// before the end of the data.
    fn find(&mut self, separators: &Separators, limit: usize) -> Search {
        let mut known = self.scan.known(separators);
        if self.data.len() - known >= separators.shortest() {
            let unknown = self.data.get(known..).unwrap_or_default();
            if let Some((start, end)) = separators.find(unknown) {
                let (start, end) = (known + start, known + end);
                return if start > limit {
                    Search::Overrun {
                        consumed: start,
                        found: true,
                    }
                } else {
                    Search::Found { end }
                };
            }
            known = (self.data.len() + 1).saturating_sub(separators.longest());
            self.scan.remember(separators, known);
        }
        if known > limit {
            Search::Overrun {
                consumed: known,
                found: false,
            }
        } else if self.ended {
            Search::Ended
        } else {
            Search::Unknown
        }
    }

    /// Drops everything up to and including a `\n`, or all there is. Returns
    /// how much that was, and whether the line is over.
    pub(crate) fn discard_line(&mut self) -> (usize, bool) {
        let (count, over) = match memchr::memchr(b'\n', &self.data) {
            Some(at) => (at + 1, true),
            None => (self.data.len(), self.ended),
        };
        drop(self.take(count));
        (count, over)
    }

    /// Removes and returns the first `n` bytes (all, if there are fewer).
    pub(crate) fn take(&mut self, n: usize) -> Bytes {
        self.scan = Scan::default();
        if n >= self.data.len() {
            if std::mem::take(&mut self.peak) > KEPT {
                // An idle connection keeps no large buffer.
                std::mem::take(&mut self.data).freeze()
            } else {
                self.data.split().freeze()
            }
        } else {
            self.data.split_to(n).freeze()
        }
    }

    /// Puts back bytes that were taken and not used.
    pub(crate) fn untake(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.scan = Scan::default();
        let rest = std::mem::take(&mut self.data);
        self.data = BytesMut::from(bytes);
        self.data.unsplit(rest);
    }
}

impl Scan {
    fn known(&self, separators: &Separators) -> usize {
        match &self.separators {
            Some(known) if known == separators => self.offset,
            _ => 0,
        }
    }

    fn remember(&mut self, separators: &Separators, offset: usize) {
        if self.separators.as_ref() != Some(separators) {
            self.separators = Some(separators.clone());
        }
        self.offset = offset;
    }
}
