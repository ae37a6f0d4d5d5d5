//! The primitives of every codec: little-endian integers, length-prefixed bytes, a reader that
//! checks each bound and says where it stopped.

use thiserror::Error;

/// Why some bytes are not what they should be. `offset` counts bytes from the start of the item.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The item ends before its content does.
    #[error("{what}: {needed} bytes expected at offset {offset}, {left} left")]
    Truncated {
        /// The item.
        what: &'static str,
        /// Where the missing bytes should start.
        offset: usize,
        /// How many were expected.
        needed: usize,
        /// How many there are.
        left: usize,
    },
    /// Content goes on after the item's end.
    #[error("{what}: {extra} bytes too many at offset {offset}")]
    Trailing {
        /// The item.
        what: &'static str,
        /// Where the item ended.
        offset: usize,
        /// How many bytes follow.
        extra: usize,
    },
    /// A checksum does not match the bytes that it covers.
    #[error("{what}: checksum {stored:08x} stored, {computed:08x} computed")]
    Checksum {
        /// The item.
        what: &'static str,
        /// What the item says.
        stored: u32,
        /// What its bytes give.
        computed: u32,
    },
    /// A format version that this release cannot read.
    #[error(
        "{what}: format version {found}, this release reads {expected}; use a matching release"
    )]
    Version {
        /// The item.
        what: &'static str,
        /// The version found.
        found: u8,
        /// The version that this release reads.
        expected: u8,
    },
    /// A value outside its legal range.
    #[error("{what}: {field} is {found}, at most {limit} expected")]
    OutOfRange {
        /// The item.
        what: &'static str,
        /// The field.
        field: &'static str,
        /// The value found.
        found: u64,
        /// The largest legal value.
        limit: u64,
    },
    /// Bytes that are no text.
    #[error("{what}: {field} is not UTF-8")]
    Text {
        /// The item.
        what: &'static str,
        /// The field.
        field: &'static str,
    },
}

/// Reads an item field by field; every access is checked.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader over one whole item, named `what` in errors.
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, at: 0 }
    }

    /// Offset of the next byte.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        if self.left() < n {
            return Err(DecodeError::Truncated {
                what: self.what,
                offset: self.at,
                needed: n,
                left: self.left(),
            });
        }
        let bytes = &self.bytes[self.at..self.at + n];
        self.at += n;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    /// The next 2 bytes as an integer.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// The next 4 bytes as an integer.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// The next 8 bytes as an integer.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// The next 8 bytes as a signed integer.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// The next 16 bytes as an integer.
    pub fn u128(&mut self) -> Result<u128, DecodeError> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    /// The next 16 bytes as a signed integer.
    pub fn i128(&mut self) -> Result<i128, DecodeError> {
        Ok(i128::from_le_bytes(self.array()?))
    }

    /// The next 32 bytes.
    pub fn hash(&mut self) -> Result<[u8; 32], DecodeError> {
        self.array()
    }

    /// Text with a 2-byte length of at most `limit` bytes.
    pub fn text(&mut self, field: &'static str, limit: usize) -> Result<&'a str, DecodeError> {
        let n = usize::from(self.u16()?);
        self.at_most(field, n as u64, limit as u64)?;
        let bytes = self.take(n)?;
        std::str::from_utf8(bytes).map_err(|_| DecodeError::Text { what: self.what, field })
    }

    /// Fails unless `found <= limit`.
    pub fn at_most(&self, field: &'static str, found: u64, limit: u64) -> Result<(), DecodeError> {
        if found <= limit {
            return Ok(());
        }
        Err(DecodeError::OutOfRange { what: self.what, field, found, limit })
    }

    /// Fails unless everything was read.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.left() {
            0 => Ok(()),
            extra => Err(DecodeError::Trailing { what: self.what, offset: self.at, extra }),
        }
    }
}

/// Appends text with a 2-byte length.
///
/// # Panics
/// When the text is longer than 65,535 bytes: admission bounds it long before.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    let n = u16::try_from(text.len()).expect("text fields are bounded at admission");
    out.extend_from_slice(&n.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
