//! Separators, and the search for them.

use std::borrow::Cow;
use std::rc::Rc;

use memchr::memmem;

use super::search::find_byte;
use crate::error::ReadError;

/// The number of false hits of a separator's last byte before `memmem` takes over: it costs
/// more to start, but does not slow down on such data.
const TRIES: usize = 8;

/// One or several separators, none of them empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Separators<'a>(Kind<'a>);

#[derive(Debug, Clone, PartialEq)]
enum Kind<'a> {
    Byte(u8),
    /// Longer than a byte.
    One(Cow<'a, [u8]>),
    /// Shortest first.
    Several(Rc<[Box<[u8]>]>),
}

impl<'a> Separators<'a> {
    /// Checks the separators: at least one, and none of them empty.
    pub(crate) fn new(
        list: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Separators<'a>, ReadError> {
        let mut list = list.into_iter();
        let Some(first) = list.next() else {
            return Err(ReadError::InvalidArgument(
                "no separator was given; give at least one".into(),
            ));
        };
        let Some(second) = list.next() else {
            return Separators::one(first);
        };
        let mut all: Vec<Box<[u8]>> = [first, second]
            .into_iter()
            .chain(list)
            .map(Box::from)
            .collect();
        if all.iter().any(|separator| separator.is_empty()) {
            return Err(empty());
        }
        all.sort_by_key(|separator| separator.len());
        Ok(Separators(Kind::Several(all.into())))
    }

    /// Checks a single separator, which must not be empty.
    pub(crate) fn one(separator: &'a [u8]) -> Result<Separators<'a>, ReadError> {
        match separator {
            [] => Err(empty()),
            [byte] => Ok(Separators(Kind::Byte(*byte))),
            longer => Ok(Separators(Kind::One(Cow::Borrowed(longer)))),
        }
    }

    pub(crate) const fn newline() -> Separators<'static> {
        Separators(Kind::Byte(b'\n'))
    }

    /// Returns a copy that borrows nothing.
    pub(crate) fn to_owned(&self) -> Separators<'static> {
        Separators(match &self.0 {
            Kind::Byte(byte) => Kind::Byte(*byte),
            Kind::One(separator) => Kind::One(Cow::Owned(separator.to_vec())),
            Kind::Several(list) => Kind::Several(list.clone()),
        })
    }

    pub(crate) fn shortest(&self) -> usize {
        match &self.0 {
            Kind::Byte(_) => 1,
            Kind::One(separator) => separator.len(),
            Kind::Several(list) => list.first().map_or(1, |separator| separator.len()),
        }
    }

    pub(crate) fn longest(&self) -> usize {
        match &self.0 {
            Kind::Byte(_) => 1,
            Kind::One(separator) => separator.len(),
            Kind::Several(list) => list.last().map_or(1, |separator| separator.len()),
        }
    }

    /// Finds the start and the end of the separator that ends first. Of two that end at the
    /// same place the shorter one counts.
    #[inline]
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<(usize, usize)> {
        match &self.0 {
            Kind::Byte(byte) => find_byte(*byte, bytes).map(|at| (at, at + 1)),
            Kind::One(separator) => {
                find_one(separator, bytes).map(|start| (start, start + separator.len()))
            }
            Kind::Several(list) => {
                let mut best: Option<(usize, usize)> = None;
                for separator in list.iter() {
                    // A separator that ends later cannot win.
                    let window = match best {
                        Some((_, end)) => bytes.get(..end).unwrap_or(bytes),
                        None => bytes,
                    };
                    if let Some(start) = find_one(separator, window) {
                        let end = start + separator.len();
                        if best.is_none_or(|(_, best_end)| end < best_end) {
                            best = Some((start, end));
                        }
                    }
                }
                best
            }
        }
    }
}

/// Finds the start of `separator`. Searches for its last byte first: in data made of lines
/// that is the line's end, and the search has no cost to start.
#[inline]
pub(crate) fn find_one(separator: &[u8], bytes: &[u8]) -> Option<usize> {
    let (last, front) = separator.split_last()?;
    let start = find_byte(*last, bytes.get(front.len()..)?)?;
    match bytes.get(start..)?.starts_with(front) {
        true => Some(start),
        false => find_behind(separator, bytes, start + 1),
    }
}

/// Does as `find_one`, from `begin` on.
#[cold]
fn find_behind(separator: &[u8], bytes: &[u8], mut begin: usize) -> Option<usize> {
    let (last, front) = separator.split_last()?;
    for _ in 0..TRIES {
        begin += find_byte(*last, bytes.get(begin + front.len()..)?)?;
        if bytes.get(begin..)?.starts_with(front) {
            return Some(begin);
        }
        begin += 1;
    }
    memmem::find(bytes.get(begin..)?, separator).map(|at| begin + at)
}

fn empty() -> ReadError {
    ReadError::InvalidArgument("a separator is empty; it needs at least one byte".into())
}
