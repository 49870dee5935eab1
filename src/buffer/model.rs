//! The buffer beside a naive model of it: any sequence of arrivals and reads has
//! the same results in both.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Buffer, Found};
use crate::error::ReadError;
use crate::separators::Separators;

/// Something that happens to a buffer.
#[derive(Debug, Clone)]
enum Step {
    Arrive(Vec<u8>),
    End,
    Some(usize),
    All,
    Exactly(usize),
    Until(Vec<Vec<u8>>, usize),
    Line(usize),
    DiscardLine,
    TakeAndPutBack(usize, usize),
}

/// Few letters, so that separators occur, also across arrivals.
fn bytes(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'\n')], length)
}

fn step() -> impl Strategy<Value = Step> {
    let small = 0..12_usize;
    prop_oneof![
        4 => bytes(0..8).prop_map(Step::Arrive),
        1 => Just(Step::End),
        2 => small.clone().prop_map(Step::Some),
        1 => Just(Step::All),
        2 => small.clone().prop_map(Step::Exactly),
        4 => (vec(bytes(1..4), 1..4), small.clone()).prop_map(|(set, limit)| Step::Until(set, limit)),
        2 => small.clone().prop_map(Step::Line),
        1 => Just(Step::DiscardLine),
        1 => (small.clone(), small).prop_map(|(taken, used)| Step::TakeAndPutBack(taken, used)),
    ]
}

/// What the buffer should do, written for reading and not for speed.
#[derive(Default)]
struct Model {
    data: Vec<u8>,
    ended: bool,
}

/// A read's result; `None` if it has to wait.
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
                .filter(|separator| self.data[..end].ends_with(separator))
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

fn answer(found: Found<Result<Bytes, ReadError>>) -> Answer {
    match found {
        Found::Ready(result) => Some(result.map(Vec::from)),
        Found::Wait(_) => None,
    }
}

fn plain(found: Found<Bytes>) -> Answer {
    match found {
        Found::Ready(bytes) => Some(Ok(bytes.into())),
        Found::Wait(_) => None,
    }
}

proptest! {
    #[test]
    fn the_buffer_does_what_its_model_does(steps in vec(step(), 1..60)) {
        let mut buffer = Buffer::new(4);
        let mut model = Model::default();
        for step in steps {
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
                Step::Some(n) => prop_assert_eq!(plain(buffer.some(n)), model.some(n)),
                Step::All => prop_assert_eq!(plain(buffer.all()), model.all()),
                Step::Exactly(n) => prop_assert_eq!(answer(buffer.exactly(n)), model.exactly(n)),
                Step::Until(list, limit) => {
                    let set = Separators::new(list.iter().map(Vec::as_slice)).unwrap();
                    prop_assert_eq!(answer(buffer.until(&set, limit)), model.until(&list, limit));
                }
                Step::Line(limit) => {
                    prop_assert_eq!(answer(buffer.line(limit)), model.line(limit));
                }
                Step::DiscardLine => {
                    prop_assert_eq!(buffer.discard_line(), model.discard_line());
                }
                Step::TakeAndPutBack(taken, used) => {
                    let mut bytes = buffer.take(taken);
                    let used = bytes.split_to(used.min(bytes.len()));
                    prop_assert_eq!(used.as_ref(), &*model.take(used.len()));
                    buffer.untake(bytes);
                }
            }
            prop_assert_eq!(buffer.len(), model.data.len());
            prop_assert_eq!(buffer.ended(), model.ended);
        }
    }

    /// What a read says it waits for is enough: with less it still waits.
    #[test]
    fn a_read_that_waits_says_how_much_for(have in bytes(0..8), n in 0..20_usize) {
        let mut buffer = Buffer::new(4);
        buffer.feed(&have);
        if let Found::Wait(wanted) = buffer.exactly(n) {
            prop_assert_eq!(wanted, n);
            buffer.feed(&vec![b'x'; wanted - have.len()]);
            prop_assert!(matches!(buffer.exactly(n), Found::Ready(Ok(_))));
        }
    }
}
