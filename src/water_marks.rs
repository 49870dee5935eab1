//! The water marks of a write buffer.

/// The water marks of a write buffer, in bytes: [`drain`](crate::StreamWriter::drain)
/// waits while more than `high` bytes are buffered, until at most `low` are left.
///
/// The constructors derive what is not given as asyncio does.
///
/// ```
/// use asyncio_streams::WaterMarks;
///
/// assert_eq!(WaterMarks::default(), WaterMarks { high: 65536, low: 16384 });
/// assert_eq!(WaterMarks::from_high(100), WaterMarks { high: 100, low: 25 });
/// assert_eq!(WaterMarks::from_low(10), WaterMarks { high: 40, low: 10 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WaterMarks {
    /// The mark above which `drain` waits.
    pub high: usize,
    /// The mark down to which `drain` waits; at most `high`.
    pub low: usize,
}

/// The high-water mark unless another one is set: asyncio's.
const DEFAULT_HIGH: usize = 64 * 1024;

impl WaterMarks {
    /// Returns marks whose low one is a quarter of `high`.
    #[must_use]
    pub const fn from_high(high: usize) -> WaterMarks {
        WaterMarks {
            high,
            low: high / 4,
        }
    }

    /// Returns marks whose high one is four times `low`.
    #[must_use]
    pub const fn from_low(low: usize) -> WaterMarks {
        WaterMarks {
            high: low.saturating_mul(4),
            low,
        }
    }

    /// Returns the marks of asyncio's `set_write_buffer_limits(high, low)`, where
    /// either may be left out.
    #[must_use]
    pub const fn new(high: Option<usize>, low: Option<usize>) -> WaterMarks {
        match (high, low) {
            (Some(high), Some(low)) => WaterMarks { high, low },
            (Some(high), None) => WaterMarks::from_high(high),
            (None, Some(low)) => WaterMarks::from_low(low),
            (None, None) => WaterMarks::from_high(DEFAULT_HIGH),
        }
    }
}

/// 64 KiB and 16 KiB.
impl Default for WaterMarks {
    fn default() -> WaterMarks {
        WaterMarks::new(None, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_are_left_out_follow_from_the_other_one() {
        assert_eq!(WaterMarks::new(None, None), WaterMarks::default());
        assert_eq!(WaterMarks::new(Some(100), None), WaterMarks::from_high(100));
        assert_eq!(WaterMarks::new(None, Some(10)), WaterMarks::from_low(10));
        assert_eq!(
            WaterMarks::new(Some(7), Some(7)),
            WaterMarks { high: 7, low: 7 }
        );
        assert_eq!(WaterMarks::from_low(usize::MAX).high, usize::MAX);
    }
}
