//! The receive buffer: bytes that have arrived and were not read yet.
//!
//! Pure code, without I/O, tasks and wakers: the rules about limits, separators and the end
//! of the data are all here and can be tested alone. `model.rs` is a naive model that the
//! buffer is compared with, by properties and by fuzzing.

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

/// The most bytes that a buffer may have held and still keep its memory when it is empty.
///
/// The buffer counts for itself: `BytesMut::capacity` does not show the memory in front of
/// its bytes, which it keeps.
const KEPT: usize = match cfg!(any(test, fuzzing)) {
    false => 4 * 1024,
    // Small, so that short tests exercise both cases.
    true => 6,
};

/// The result of a read from the buffer.
#[derive(Debug, PartialEq)]
pub(crate) enum Found<T> {
    /// The read is served.
    Ready(T),
    /// The read has to wait until at least this many bytes are buffered or the data end.
    Wait(usize),
}

/// The type in which a read returns bytes: `Bytes` shares the buffer's memory, `Vec` copies.
/// A component's export returns `Vec`; copying once here is cheaper than converting later.
pub(crate) trait Piece: From<Bytes> {
    /// Removes and returns the first `n` bytes of `front`, which has at least as many.
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
/// Arriving bytes are appended to `back`. When much is buffered and little is read, `back`
/// becomes `front`: taking pieces of frozen `Bytes` costs less.
#[derive(Debug)]
pub(crate) struct Buffer {
    front: Bytes,
    back: BytesMut,
    /// The most bytes that `back` has held since it was empty.
    peak: usize,
    ended: bool,
    limit: usize,
    scan: Scan,
}

/// The result of the search for a separator.
enum Search {
    /// A separator was found; it ends at `end`.
    Found { end: usize },
    /// More bytes than the limit precede the separator, or certainly hold none.
    Overrun { consumed: usize, found: bool },
    /// There is no separator, and the data have ended.
    Ended,
    /// There is no separator yet.
    Unknown,
}

/// The number of leading bytes that are known to hold none of these separators, so that a
/// repeated read does not search them again.
#[derive(Debug, Default)]
struct Scan {
    separators: Option<Separators<'static>>,
    /// 0 means that nothing is known, for any separators.
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

    /// Returns true once the data have ended, also while bytes are left to read.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Appends arriving bytes. None may arrive after the end.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        debug_assert!(!self.ended, "bytes after the end of the data");
        if !self.front.is_empty() && self.front.len() <= self.back.len() + bytes.len() {
            // Joining when `front` is the smaller half moves each byte twice at most.
            self.join(bytes.len());
        }
        self.back.extend_from_slice(bytes);
        self.peak = self.peak.max(self.back.len());
    }

    pub(crate) fn set_ended(&mut self, ended: bool) {
        self.ended = ended;
    }

    /// Takes up to `n` bytes; none if `n` is 0 or at the end.
    pub(crate) fn some(&mut self, n: usize) -> Found<Bytes> {
        if n == 0 {
            return Found::Ready(Bytes::new());
        }
        if self.is_empty() && !self.ended {
            return Found::Wait(1);
        }
        Found::Ready(self.take(n.min(self.len())))
    }

    /// Takes everything, once the data have ended.
    pub(crate) fn all(&mut self) -> Found<Bytes> {
        if self.ended {
            Found::Ready(self.take(self.len()))
        } else {
            Found::Wait(usize::MAX)
        }
    }

    /// Takes exactly `n` bytes.
    pub(crate) fn exactly(&mut self, n: usize) -> Found<Result<Bytes, ReadError>> {
        if self.len() >= n {
            Found::Ready(Ok(self.take(n)))
        } else if self.ended {
            Found::Ready(Err(ReadError::Incomplete {
                partial: self.take(self.len()),
                expected: Some(n),
            }))
        } else {
            // usize::MAX stands for a read to the end.
            Found::Wait(n.min(usize::MAX - 1))
        }
    }

    /// Does as `until` with this separator, on the fast path; `None` if that has to decide.
    pub(crate) fn until_at_once(&mut self, separator: &[u8], limit: usize) -> Option<Bytes> {
        let separators = Separators::one(separator).ok()?;
        self.take_at_once(&separators, limit, |bytes| find_one(separator, bytes))
    }

    /// Does as `line`, on the fast path; `None` if that has to decide.
    #[inline(always)]
    pub(crate) fn line_at_once<T: Piece>(&mut self, limit: usize) -> Option<T> {
        let newline = Separators::newline();
        self.take_at_once(&newline, limit, |bytes| find_byte(b'\n', bytes))
    }

    /// Takes up to and including the separator, if it starts within the limit. `find` searches
    /// for this separator.
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

    /// Takes a line with its `\n`, or the rest at the end of the data.
    pub(crate) fn line(&mut self, limit: usize) -> Found<Result<Bytes, ReadError>> {
        match self.until(&Separators::newline(), limit) {
            Found::Ready(Err(ReadError::Incomplete { partial, .. })) => Found::Ready(Ok(partial)),
            found => found,
        }
    }

    /// Takes everything up to and including the separator that ends first.
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

    /// Checks whether `until` would be served now. Takes nothing.
    #[cfg(feature = "component")]
    pub(crate) fn until_ready(&mut self, separators: &Separators<'_>, limit: usize) -> Found<()> {
        match self.find(separators, limit) {
            Search::Unknown => Found::Wait(self.len() + 1),
            _ => Found::Ready(()),
        }
    }

    /// Searches for a separator.
    ///
    /// A separator that starts after more than `limit` bytes is an overrun; so are more than
    /// `limit` bytes that certainly hold none. The limit is checked before the end of the data,
    /// as asyncio does (`StreamReader.readuntil`).
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

    /// Finds the start and the end of the first separator.
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

    /// Drops everything up to and including a `\n`, or all bytes. Returns the number of bytes
    /// dropped, and true if the line is complete.
    pub(crate) fn discard_line(&mut self) -> (usize, bool) {
        let (count, over) = match self.there(&Separators::newline()) {
            Some((_, end)) => (end, true),
            None => (self.len(), self.ended),
        };
        drop(self.take(count));
        (count, over)
    }

    /// Takes the first `n` bytes, or all if there are fewer.
    #[inline]
    pub(crate) fn take(&mut self, n: usize) -> Bytes {
        self.scan.offset = 0;
        if n <= self.front.len() {
            self.front.split_to(n)
        } else {
            self.take_of_both(n)
        }
    }

    /// Does as `take`, for more bytes than `front` has.
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

    /// Moves everything into `back`, with room for `more` bytes behind it.
    fn join(&mut self, more: usize) {
        let front = std::mem::take(&mut self.front);
        if front.is_empty() {
            return;
        }
        let back = match self.back.is_empty() {
            // Stays in place, so that its memory is used again.
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
