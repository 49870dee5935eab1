//! The search for one byte.
//!
//! On WebAssembly, the crate `memchr` 2 uses vector instructions only if the whole program is
//! compiled with `-C target-feature=+simd128`. `by_blocks` enables them for itself:
//! wasmtime supports them by default. Elsewhere `memchr` is faster.

/// Finds the first `byte`.
#[inline]
pub(crate) fn find_byte(byte: u8, bytes: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "wasm32")]
    return by_blocks(byte, bytes);
    #[cfg(not(target_arch = "wasm32"))]
    memchr::memchr(byte, bytes)
}

#[cfg(any(target_arch = "wasm32", test))]
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn by_blocks(byte: u8, bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    while let Some((block, behind)) = rest.split_first_chunk() {
        let found = equal(byte, block);
        if found != 0 {
            return Some(bytes.len() - rest.len() + found.trailing_zeros() as usize);
        }
        rest = behind;
    }
    let at = rest.iter().position(|other| *other == byte)?;
    Some(bytes.len() - rest.len() + at)
}

/// Returns a bit for each byte of the block, the lowest for the first: set if it is `byte`.
#[cfg(target_arch = "wasm32")]
#[target_feature(enable = "simd128")]
#[inline]
fn equal(byte: u8, block: &[u8; 16]) -> u16 {
    use std::arch::wasm32::{u8x16_bitmask, u8x16_eq, u8x16_splat, u64x2};
    let block = u128::from_le_bytes(*block);
    let block = u64x2(block as u64, (block >> 64) as u64);
    u8x16_bitmask(u8x16_eq(block, u8x16_splat(byte)))
}

#[cfg(all(test, not(target_arch = "wasm32")))]
fn equal(byte: u8, block: &[u8; 16]) -> u16 {
    let bits = block.iter().rev();
    bits.fold(0, |bits, other| bits << 1 | u16::from(*other == byte))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_one_is_found(bytes in vec(0..4_u8, 0..70), byte in 0..8_u8) {
            let first = bytes.iter().position(|other| *other == byte);
            prop_assert_eq!(by_blocks(byte, &bytes), first);
            prop_assert_eq!(find_byte(byte, &bytes), first);
        }

        #[test]
        fn the_only_one_is_found(length in 1..200_usize, at in 0..200_usize) {
            let at = at % length;
            let mut bytes = vec![b'x'; length];
            bytes[at] = b'\n';
            prop_assert_eq!(by_blocks(b'\n', &bytes), Some(at));
        }
    }
}
