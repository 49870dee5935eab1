//! A file of the cache: a header with a checksum, then native code.

/// The first bytes of each file. They change with the form of the files.
const MAGIC: &[u8; 8] = b"asyncio\x01";

const HEADER: usize = MAGIC.len() + 4;

/// Makes the header for this native code.
pub(super) fn header(native: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let (magic, checksum) = header.split_at_mut(MAGIC.len());
    magic.copy_from_slice(MAGIC);
    checksum.copy_from_slice(&crc32fast::hash(native).to_le_bytes());
    header
}

/// Returns the native code of a file, if the file is undamaged.
pub(super) fn open(file: &[u8]) -> Option<&[u8]> {
    let (start, native) = file.split_at_checked(HEADER)?;
    (start == header(native)).then_some(native)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_undamaged_file_is_opened() {
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
