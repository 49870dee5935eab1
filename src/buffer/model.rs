//! A naive model of the buffer, and the comparison of both for properties and fuzzing: any
//! sequence of arrivals and reads has the same results.

use bytes::Bytes;

use super::separators::Separators;
use super::{Buffer, Found};
use crate::error::ReadError;

/// An event of a buffer.
#[derive(Debug, Clone)]
pub enum Step {
    /// Bytes arrive, unless the data have ended.
    Arrive(Vec<u8>),
    /// The data end.
    End,
    /// Up to this many bytes are read.
    Some(usize),
    /// Everything is read.
    All,
    /// The buffered bytes are read, as before an error.
    AllSoFar,
    /// Exactly this many bytes are read.
    Exactly(usize),
    /// The bytes up to one of these separators are read, within this limit.
    Until(Vec<Vec<u8>>, usize),
    /// A line is read, within this limit.
    Line(usize),
    /// A line is dropped, or the part of it that is buffered.
    DiscardLine,
    /// The first number of bytes is taken, the second number of them used, the rest put back.
    TakeAndPutBack(usize, usize),
    /// The limit is changed.
    Limit(usize),
}

/// Applies the steps to a buffer and to its model.
///
/// # Panics
/// When the two differ.
pub fn compare(steps: impl IntoIterator<Item = Step>) {
    let mut buffer = Buffer::new(0);
    let mut model = Model::default();
    for step in steps {
        both_do(step, &mut buffer, &mut model);
        assert_eq!(buffer.len(), model.data.len());
        assert_eq!(buffer.is_empty(), model.data.is_empty());
        assert_eq!(buffer.ended(), model.ended);
        assert_eq!(buffer.limit(), model.limit);
    }
    buffer.set_ended(true);
    assert_eq!(buffer.all(), Found::Ready(model.data.into()));
}

fn both_do(step: Step, buffer: &mut Buffer, model: &mut Model) {
    match step {
        Step::Arrive(bytes) => {
            if !model.ended {
                buffer.feed(&bytes);
                model.data.extend(bytes);
            }
        }
        Step::End => {
            buffer.set_ended(true);
            model.ended = true;
        }
        Step::Some(n) => {
            let found = buffer.some(n);
            assert_eq!(plain(found, buffer), model.some(n));
        }
        Step::All => {
            let found = buffer.all();
            assert_eq!(plain(found, buffer), model.all());
        }
        Step::AllSoFar => {
            buffer.set_ended(true);
            let found = buffer.all();
            buffer.set_ended(model.ended);
            assert_eq!(plain(found, buffer), Some(Ok(model.take(usize::MAX))));
        }
        Step::Exactly(n) => {
            let found = buffer.exactly(n);
            assert_eq!(answer(found, buffer), model.exactly(n));
        }
        Step::Until(list, limit) => match Separators::new(list.iter().map(Vec::as_slice)) {
            Ok(set) => {
                // Readers try the fast path first.
                let at_once = match list.as_slice() {
                    [only] => buffer.until_at_once(only, limit),
                    _ => None,
                };
                let found = match at_once {
                    Some(found) => Found::Ready(Ok(found)),
                    None => buffer.until(&set, limit),
                };
                assert_eq!(answer(found, buffer), model.until(&list, limit));
            }
            Err(_) => assert!(list.is_empty() || list.iter().any(Vec::is_empty)),
        },
        Step::Line(limit) => {
            let found = match buffer.line_at_once(limit) {
                Some(line) => Found::Ready(Ok(line)),
                None => buffer.line(limit),
            };
            assert_eq!(answer(found, buffer), model.line(limit));
        }
        Step::DiscardLine => assert_eq!(buffer.discard_line(), model.discard_line()),
        Step::TakeAndPutBack(taken, used) => {
            let mut bytes = buffer.take(taken);
            let used = bytes.split_to(used.min(bytes.len()));
            assert_eq!(used, model.take(used.len()));
            buffer.untake(bytes);
        }
        Step::Limit(limit) => {
            buffer.set_limit(limit);
            model.limit = limit;
        }
    }
}

/// The behaviour that the buffer should have, written to be read, not to be fast.
#[derive(Default)]
struct Model {
    data: Vec<u8>,
    ended: bool,
    limit: usize,
}

/// The result of a read; `None` if it has to wait.
type Answer = Option<Result<Vec<u8>, ReadError>>;

impl Model {
    fn take(&mut self, n: usize) -> Vec<u8> {
        self.data.drain(..n.min(self.data.len())).collect()
    }

    fn some(&mut self, n: usize) -> Answer {
        (n == 0 || !self.data.is_empty() || self.ended).then(|| Ok(self.take(n)))
    }

    fn all(&mut self) -> Answer {
        self.ended.then(|| Ok(self.take(usize::MAX)))
    }

    fn exactly(&mut self, n: usize) -> Answer {
        if self.data.len() >= n {
            return Some(Ok(self.take(n)));
        }
        self.ended.then(|| {
            Err(ReadError::Incomplete {
                partial: self.take(usize::MAX).into(),
                expected: Some(n),
            })
        })
    }

    fn until(&mut self, separators: &[Vec<u8>], limit: usize) -> Answer {
        // The earliest end wins; of those that end there, the shortest.
        let found = (0..=self.data.len()).find_map(|end| {
            let mut ends_here: Vec<usize> = separators
                .iter()
                .filter(|separator| {
                    let front = self.data.get(..end).unwrap_or_default();
                    front.ends_with(separator)
                })
                .map(|separator| separator.len())
                .collect();
            ends_here.sort_unstable();
            ends_here.first().map(|length| (end - length, end))
        });
        let shortest = separators.iter().map(Vec::len).min().unwrap_or(0);
        let longest = separators.iter().map(Vec::len).max().unwrap_or(0);
        match found {
            Some((start, _)) if start > limit => Some(Err(ReadError::LimitOverrun {
                consumed: start,
                found: true,
            })),
            Some((_, end)) => Some(Ok(self.take(end))),
            None => {
                let certain = (self.data.len() + 1).saturating_sub(longest);
                if self.data.len() >= shortest && certain > limit {
                    return Some(Err(ReadError::LimitOverrun {
                        consumed: certain,
                        found: false,
                    }));
                }
                self.ended.then(|| {
                    Err(ReadError::Incomplete {
                        partial: self.take(usize::MAX).into(),
                        expected: None,
                    })
                })
            }
        }
    }

    fn line(&mut self, limit: usize) -> Answer {
        match self.until(&[b"\n".to_vec()], limit) {
            Some(Err(ReadError::Incomplete { partial, .. })) => Some(Ok(partial.into())),
            answer => answer,
        }
    }

    fn discard_line(&mut self) -> (usize, bool) {
        let newline = self.data.iter().position(|byte| *byte == b'\n');
        let count = newline.map_or(self.data.len(), |at| at + 1);
        self.take(count);
        (count, newline.is_some() || self.ended)
    }
}

fn answer(found: Found<Result<Bytes, ReadError>>, buffer: &Buffer) -> Answer {
    match found {
        Found::Ready(result) => Some(result.map(Vec::from)),
        Found::Wait(wanted) => {
            assert!(wanted > buffer.len(), "it waits for what is there");
            None
        }
    }
}

fn plain(found: Found<Bytes>, buffer: &Buffer) -> Answer {
    let found = match found {
        Found::Ready(bytes) => Found::Ready(Ok(bytes)),
        Found::Wait(wanted) => Found::Wait(wanted),
    };
    answer(found, buffer)
}
