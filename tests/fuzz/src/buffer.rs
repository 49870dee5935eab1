//! Sequences of arrivals and reads, made from a fuzzer's bytes.

use asyncio_streams::fuzzing::{Step, compare};
use libfuzzer_sys::arbitrary::{Arbitrary, Result, Unstructured};

/// The most steps: with more, the slow model would take all the time.
const MOST_STEPS: usize = 100;
const MOST_BYTES: usize = 8 * 1024;

/// The letters of the data. There are few, so that separators occur, also across arrivals.
const LETTERS: [u8; 4] = *b"ab\r\n";

/// Sizes near the memory that an empty buffer keeps, and the largest sizes.
const LARGE: [usize; 8] = [
    4095,
    4096,
    4097,
    5000,
    8192,
    65536,
    usize::MAX - 1,
    usize::MAX,
];

/// The steps of one test, in order.
#[derive(Debug)]
pub struct Steps(Vec<Step>);

impl Steps {
    /// Applies the steps to a buffer and to its model.
    ///
    /// # Panics
    ///
    /// If the two differ.
    pub fn compare(self) {
        compare(self.0);
    }
}

impl<'a> Arbitrary<'a> for Steps {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let mut steps = Vec::new();
        let mut bytes = 0;
        while !input.is_empty() && steps.len() < MOST_STEPS {
            let step = step(input)?;
            if let Step::Arrive(arrived) = &step {
                bytes += arrived.len();
                if bytes > MOST_BYTES {
                    continue;
                }
            }
            steps.push(step);
        }
        Ok(Self(steps))
    }
}

fn step(input: &mut Unstructured<'_>) -> Result<Step> {
    Ok(match u8::arbitrary(input)? % 14 {
        0..=2 => Step::Arrive(arrival(input)?),
        3 => Step::End,
        4 => Step::Some(number(input)?),
        5 => Step::All,
        6 => Step::AllSoFar,
        7 => Step::Exactly(number(input)?),
        8 | 9 => Step::Until(separators(input)?, number(input)?),
        10 => Step::Line(number(input)?),
        11 => Step::DiscardLine,
        12 => Step::TakeAndPutBack(number(input)?, number(input)?),
        _ => Step::Limit(number(input)?),
    })
}

/// Up to 31 letters, or the same letters repeated up to about a large size.
fn arrival(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let length = u8::arbitrary(input)?;
    let letters = letters(input, usize::from(length % 32))?;
    let copies = match length {
        0xe0.. => LARGE[0] / letters.len().max(1) + 1,
        _ => 1,
    };
    Ok(letters.repeat(copies))
}

fn separators(input: &mut Unstructured<'_>) -> Result<Vec<Vec<u8>>> {
    let count = u8::arbitrary(input)? % 5;
    (0..count)
        .map(|_| {
            let length = u8::arbitrary(input)? % 6;
            letters(input, length.into())
        })
        .collect()
}

fn letters(input: &mut Unstructured<'_>, count: usize) -> Result<Vec<u8>> {
    (0..count)
        .map(|_| input.choose(&LETTERS).copied())
        .collect()
}

fn number(input: &mut Unstructured<'_>) -> Result<usize> {
    let byte = u8::arbitrary(input)?;
    let large = byte.checked_sub(0xe0).map(usize::from);
    Ok(match large {
        Some(large) => LARGE.get(large % LARGE.len()).copied().unwrap_or_default(),
        None => byte.into(),
    })
}
