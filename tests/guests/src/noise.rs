//! Reproducible bytes: some that look random, and a pattern.

/// Returns so many bytes, each of which differs from those around it.
pub fn pattern(count: usize) -> Vec<u8> {
    (0..=250).cycle().take(count).collect()
}

/// An endless sequence of bytes; the same seed gives the same bytes, however
/// they are cut.
#[derive(Debug, Clone)]
pub struct Noise {
    seed: u64,
    position: u64,
}

impl Noise {
    /// Starts the sequence of this seed.
    pub fn new(seed: u64) -> Noise {
        Noise { seed, position: 0 }
    }

    /// Returns the next bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let skipped = (self.position % 8) as usize;
        let mut bytes = Vec::with_capacity(count + 16);
        let mut word = self.position / 8;
        while bytes.len() < skipped + count {
            bytes.extend_from_slice(&self.word(word).to_le_bytes());
            word += 1;
        }
        bytes.drain(..skipped);
        bytes.truncate(count);
        self.position += count as u64;
        bytes
    }

    /// Compares the bytes with the next ones of the sequence.
    ///
    /// # Errors
    /// Says where the first difference is.
    pub fn check(&mut self, bytes: &[u8]) -> Result<(), String> {
        let start = self.position;
        let expected = self.bytes(bytes.len());
        match bytes.iter().zip(&expected).position(|(a, b)| a != b) {
            None => Ok(()),
            Some(index) => Err(format!("byte {} is wrong", start + index as u64)),
        }
    }

    /// SplitMix64.
    fn word(&self, index: u64) -> u64 {
        let mut z = self
            .seed
            .wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
