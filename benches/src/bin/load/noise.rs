//! Test data: bytes that differ from those at any other position.

use anyhow::{Result, ensure};

/// The length of the block. It is a prime, so that no chunk size divides it.
const PERIOD: usize = 1_000_003;

/// The length of the longest piece.
pub(crate) const LONGEST: usize = 256 << 10;

/// A block of noise that repeats endlessly.
#[derive(Debug)]
pub(crate) struct Noise(Vec<u8>);

impl Noise {
    pub(crate) fn new() -> Noise {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut bytes: Vec<u8> = (0..PERIOD)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_be_bytes()[0]
            })
            .collect();
        bytes.extend_from_within(..LONGEST);
        Noise(bytes)
    }

    /// Returns the bytes from a position on, at most [`LONGEST`].
    pub(crate) fn piece(&self, place: usize, length: usize) -> &[u8] {
        let start = place % PERIOD;
        self.0.get(start..start + length).unwrap_or_default()
    }

    /// Fails unless these are the bytes from a position on.
    pub(crate) fn check(&self, place: usize, bytes: &[u8]) -> Result<()> {
        ensure!(
            self.piece(place, bytes.len()) == bytes,
            "other bytes came back than were sent"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_the_same_one_period_later_and_no_other() -> Result<()> {
        let noise = Noise::new();
        let piece = noise.piece(PERIOD - 10, 100);
        assert_eq!(piece.len(), 100);
        noise.check(2 * PERIOD - 10, piece)?;
        assert!(noise.check(PERIOD - 11, piece).is_err());
        assert_eq!(noise.piece(PERIOD - 1, LONGEST).len(), LONGEST);
        Ok(())
    }
}
