//! The receive buffer: what has arrived and was not read yet.
//!
//! Pure code. It knows no I/O, no tasks and no wakers, so every rule about
//! limits, separators and the end of the data is here and can be tested alone.

#[cfg(any(test, fuzzing))]
pub(crate) mod model;
#[cfg(test)]
mod properties;
mod search;
pub(crate) mod separators;
#[cfg(test)]
mod tests;

#[cfg(feature = "component")]
use bytes::Buf;
use bytes::{Bytes, BytesMut};

use self::search::find_byte;
use self::separators::{Separators, find_one};
use crate::error::ReadError;

/// How much a buffer may have held and still keep its memory when it is empty.
/// What `BytesMut` would keep otherwise does not show in its capacity.
const KEPT: usize = match cfg!(any(test, fuzzing)) {
    false => 4 * 1024,
    // So little that the tests meet both.
    true => 6,
};

/// What a read finds in the buffer.
#[derive(Debug, PartialEq)]
pub(crate) enum Found<T> {
    /// It can be served.
    Ready(T),
    /// It cannot be served before at least this many bytes are buffered or the
    /// data have ended.
    Wait(usize),
}

/// How a read hands bytes over: as they are, or as a copy, which is cheaper than
/// a copy of what was handed over.
pub(crate) trait Piece: From<Bytes> {
    /// Removes and returns the first `n` bytes, which are there.
    fn split_from(front: &mut Bytes, n: usize) -> Self;
}

impl Piece for Bytes {
    #[inline]
    fn split_from(front: &mut Bytes, n: usize) -> Bytes {
        front.split_to(n)
    }
}

#[cfg(feature = "component")]
impl Piece for Vec<u8> {
    fn split_from(front: &mut Bytes, n: usize) -> Vec<u8> {
        if n >= front.len() {
            return std::mem::take(front).into();
        }
        let copy = front.get(..n).unwrap_or_default().to_vec();
        front.advance(n);
        copy
    }
}

/// Received bytes in order, the end of the data, and the limit.
///
/// What arrives is appended to `back`. Where much is there and little is read,
/// `back` becomes `front`, of which pieces are taken at less cost.
#[derive(Debug)]
pub(crate) struct Buffer {
    front: Bytes,
    back: BytesMut,
    /// The most that `back` has held since it was empty.
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
    separators: Option<Separators<'static>>,
    /// With 0 it holds for any separators.
    offset: usize,
}

impl Buffer {
    pub(crate) fn new(limit: usize) -> Buffer {
        Buffer {
            front: Bytes::new(),
            back: BytesMut::new(),
            peak: 0,
            ended: false,
            limit,
            scan: Scan::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.front.len() + self.back.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.front.is_empty() && self.back.is_empty()
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
        if !self.front.is_empty() && self.front.len() <= self.back.len() + bytes.len() {
            // Soon enough that each byte is moved twice at most.
            self.join(bytes.len());
        }
        self.back.extend_from_slice(bytes);
        self.peak = self.peak.max(self.back.len());
    }

    pub(crate) fn set_ended(&mut self, ended: bool) {
        self.ended = ended;
    }

    /// Up to `n` bytes; empty if `n` is 0 or at the end.
    pub(crate) fn some(&mut self, n: usize) -> Found<Bytes> {
        if n == 0 {
            return Found::Ready(Bytes::new());
        }
        if self.is_empty() && !self.ended {
            return Found::Wait(1);
        }
        Found::Ready(self.take(n.min(self.len())))
    }

    /// Everything, once the data have ended.
    pub(crate) fn all(&mut self) -> Found<Bytes> {
        if self.ended {
            Found::Ready(self.take(self.len()))
        } else {
            Found::Wait(usize::MAX)
        }
    }

    /// Exactly `n` bytes.
    pub(crate) fn exactly(&mut self, n: usize) -> Found<Result<Bytes, ReadError>> {
        if self.len() >= n {
            Found::Ready(Ok(self.take(n)))
        } else if self.ended {
            Found::Ready(Err(ReadError::Incomplete {
                partial: self.take(self.len()),
                expected: Some(n),
            }))
        } else {
            // Everything there is would be another read.
            Found::Wait(n.min(usize::MAX - 1))
        }
    }

    /// What `until` with this separator has at once, and nothing else.
    pub(crate) fn until_at_once(&mut self, separator: &[u8], limit: usize) -> Option<Bytes> {
        let separators = Separators::one(separator).ok()?;
        self.take_at_once(&separators, limit, |bytes| find_one(separator, bytes))
    }

    /// What `line` has at once, and nothing else.
    #[inline(always)]
    pub(crate) fn line_at_once<T: Piece>(&mut self, limit: usize) -> Option<T> {
        let newline = Separators::newline();
        self.take_at_once(&newline, limit, |bytes| find_byte(b'\n', bytes))
    }

    /// `find` is the search for the one separator.
    #[inline(always)]
    fn take_at_once<T: Piece>(
        &mut self,
        separator: &Separators<'_>,
        limit: usize,
        find: impl FnOnce(&[u8]) -> Option<usize>,
    ) -> Option<T> {
        let known = self.scan.known(separator);
        let unknown = self.front.get(known..).unwrap_or_default();
        let Some(start) = find(unknown) else {
            let (start, end) = self.there(separator)?;
            return (start <= limit).then(|| self.take(end).into());
        };
        let start = known + start;
        if start > limit {
            return None;
        }
        self.scan.offset = 0;
        Some(T::split_from(&mut self.front, start + separator.shortest()))
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
        separators: &Separators<'_>,
        limit: usize,
    ) -> Found<Result<Bytes, ReadError>> {
        match self.find(separators, limit) {
            Search::Found { end } => Found::Ready(Ok(self.take(end))),
            Search::Overrun { consumed, found } => {
                Found::Ready(Err(ReadError::LimitOverrun { consumed, found }))
            }
            Search::Ended => Found::Ready(Err(ReadError::Incomplete {
                partial: self.take(self.len()),
                expected: None,
            })),
            Search::Unknown => Found::Wait(self.len() + 1),
        }
    }

    /// Whether `until` could be served now. Takes nothing.
    #[cfg(feature = "component")]
    pub(crate) fn until_ready(&mut self, separators: &Separators<'_>, limit: usize) -> Found<()> {
        match self.find(separators, limit) {
            Search::Unknown => Found::Wait(self.len() + 1),
            _ => Found::Ready(()),
        }
    }

    /// Looks for a separator.
    ///
    /// One that starts after more than `limit` bytes is an overrun, as are more
    /// than `limit` bytes that certainly hold none. The limit is looked at
    /// before the end of the data.
    fn find(&mut self, separators: &Separators<'_>, limit: usize) -> Search {
        match self.there(separators) {
            Some((start, end)) if start <= limit => return Search::Found { end },
            Some((start, _)) => {
                return Search::Overrun {
                    consumed: start,
                    found: true,
                };
            }
            None => {}
        }
        let mut known = self.scan.known(separators);
        if self.len() - known >= separators.shortest() {
            known = (self.len() + 1).saturating_sub(separators.longest());
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

    /// Where the first separator starts and ends.
    fn there(&mut self, separators: &Separators<'_>) -> Option<(usize, usize)> {
        let mut known = self.scan.known(separators);
        if !self.front.is_empty() {
            let unknown = self.front.get(known..).unwrap_or_default();
            if let Some((start, end)) = separators.find(unknown) {
                return Some((known + start, known + end));
            }
            if self.back.is_empty() {
                return None;
            }
            known = known.max((self.front.len() + 1).saturating_sub(separators.longest()));
            self.join(0);
        }
        let (start, end) = separators.find(self.back.get(known..)?)?;
        Some((known + start, known + end))
    }

    /// Drops everything up to and including a `\n`, or all there is. Returns
    /// how much that was, and whether the line is over.
    pub(crate) fn discard_line(&mut self) -> (usize, bool) {
        let (count, over) = match self.there(&Separators::newline()) {
            Some((_, end)) => (end, true),
            None => (self.len(), self.ended),
        };
        drop(self.take(count));
        (count, over)
    }

    /// Removes and returns the first `n` bytes (all, if there are fewer).
    #[inline]
    pub(crate) fn take(&mut self, n: usize) -> Bytes {
        self.scan.offset = 0;
        if n <= self.front.len() {
            self.front.split_to(n)
        } else {
            self.take_of_both(n)
        }
    }

    /// As `take`, for more than `front` has.
    fn take_of_both(&mut self, n: usize) -> Bytes {
        if self.back.is_empty() {
            return std::mem::take(&mut self.front);
        }
        self.join(0);
        if n >= self.back.len() {
            if std::mem::take(&mut self.peak) > KEPT {
                // An idle connection keeps no large buffer.
                std::mem::take(&mut self.back).freeze()
            } else {
                self.back.split().freeze()
            }
        } else if self.back.len() > KEPT {
            self.peak = 0;
            let taken = self.back.split_to(n).freeze();
            self.front = std::mem::take(&mut self.back).freeze();
            taken
        } else {
            self.back.split_to(n).freeze()
        }
    }

    /// Puts back bytes that were taken and not used.
    pub(crate) fn untake(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.scan.offset = 0;
        let next = std::mem::replace(&mut self.front, bytes);
        if !next.is_empty() {
            let rest = std::mem::take(&mut self.back);
            self.join(next.len() + rest.len());
            self.back.extend_from_slice(&next);
            self.back.extend_from_slice(&rest);
            self.peak = self.back.len();
        }
    }

    /// Has everything in `back`, and room for `more` behind it.
    fn join(&mut self, more: usize) {
        let front = std::mem::take(&mut self.front);
        if front.is_empty() {
            return;
        }
        let back = match self.back.is_empty() {
            // Its memory will do.
            true => BytesMut::new(),
            false => std::mem::take(&mut self.back),
        };
        self.back.reserve(front.len() + back.len() + more);
        self.back.extend_from_slice(&front);
        self.back.extend_from_slice(&back);
        self.peak = self.peak.max(self.back.len());
    }
}

impl Scan {
    #[inline]
    fn known(&self, separators: &Separators<'_>) -> usize {
        match self.offset {
            0 => 0,
            offset if self.is_for(separators) => offset,
            _ => 0,
        }
    }

    fn is_for(&self, separators: &Separators<'_>) -> bool {
        self.separators.as_ref() == Some(separators)
    }

    fn remember(&mut self, separators: &Separators<'_>, offset: usize) {
        if !self.is_for(separators) {
            self.separators = Some(separators.to_owned());
        }
        self.offset = offset;
    }
}
