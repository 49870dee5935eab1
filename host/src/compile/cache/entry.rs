//! A file of the cache: a header that tells damage, then native code.

/// What the files begin with; another one when their form changes.
const MAGIC: &[u8; 8] = b"asyncio\x01";

const HEADER: usize = MAGIC.len() + 4;

/// The header for this native code.
pub(super) fn header(native: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let (magic, checksum) = header.split_at_mut(MAGIC.len());
    magic.copy_from_slice(MAGIC);
    checksum.copy_from_slice(&crc32fast::hash(native).to_le_bytes());
    header
}

/// The native code of a file, if it is whole.
pub(super) fn open(file: &[u8]) -> Option<&[u8]> {
    let (start, native) = file.split_at_checked(HEADER)?;
    (start == header(native)).then_some(native)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_whole_is_opened() {
        let native = b"native code";
        let file = [&header(native)[..], native].concat();
        assert_eq!(open(&file), Some(&native[..]));
        for length in 0..file.len() {
            assert_eq!(open(&file[..length]), None, "{length}");
        }
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert_eq!(open(&damaged), None, "{at}");
        }
    }
}
