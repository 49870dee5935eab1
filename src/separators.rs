//! What a read may end at.

use std::rc::Rc;

use memchr::{memchr, memmem};

use crate::error::ReadError;

/// One or several separators, none of them empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Separators(Kind);

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Byte(u8),
    /// Shortest first.
    Several(Rc<[Box<[u8]>]>),
}

impl Separators {
    /// Checks the separators: there has to be one, and none may be empty.
    pub(crate) fn new<'a>(
        list: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Separators, ReadError> {
        let mut list: Vec<Box<[u8]>> = list.into_iter().map(Box::from).collect();
        if list.is_empty() {
            return Err(ReadError::InvalidArgument(
                "no separator was given; give at least one".into(),
            ));
        }
        if list.iter().any(|separator| separator.is_empty()) {
            return Err(ReadError::InvalidArgument(
                "a separator is empty; it needs at least one byte".into(),
            ));
        }
        list.sort_by_key(|separator| separator.len());
        Ok(Separators(match list.as_slice() {
            [only] => match **only {
                [byte] => Kind::Byte(byte),
                _ => Kind::Several(list.into()),
            },
            _ => Kind::Several(list.into()),
        }))
    }

    pub(crate) const fn newline() -> Separators {
        Separators(Kind::Byte(b'\n'))
    }

    pub(crate) fn shortest(&self) -> usize {
        match &self.0 {
            Kind::Byte(_) => 1,
            Kind::Several(list) => list.first().map_or(1, |separator| separator.len()),
        }
    }

    pub(crate) fn longest(&self) -> usize {
        match &self.0 {
            Kind::Byte(_) => 1,
            Kind::Several(list) => list.last().map_or(1, |separator| separator.len()),
        }
    }

    /// Where the separator that ends first starts and ends. Of two that end at
    /// the same place the shortest counts.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<(usize, usize)> {
        match &self.0 {
            Kind::Byte(byte) => memchr(*byte, bytes).map(|at| (at, at + 1)),
            Kind::Several(list) => {
                let mut best: Option<(usize, usize)> = None;
                for separator in list.iter() {
                    // One that ends later does not win: no need to look there.
                    let window = match best {
                        Some((_, end)) => bytes.get(..end).unwrap_or(bytes),
                        None => bytes,
                    };
                    if let Some(start) = memmem::find(window, separator) {
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
