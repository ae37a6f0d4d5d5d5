//! What the fuzzers share: checksums are put right, so that what lies behind them is reached. That
//! a wrong checksum is refused is tested elsewhere, bit by bit.

/// The bytes under a CRC32C that fits: it stands at `at` and covers everything from `from` on.
pub fn with_checksum(bytes: &[u8], at: usize, from: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if bytes.len() >= from.max(at + 4) {
        let crc = crc32c::crc32c(&bytes[from..]);
        bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    }
    bytes
}

/// The same under a length in the first 4 bytes that fits, as records and frames have it.
pub fn with_length(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if bytes.len() >= 4 {
        let length = bytes.len() as u32;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
    }
    with_checksum(&bytes, 4, 8)
}
