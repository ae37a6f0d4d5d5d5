//! The trace: one hash over every delivery, disk byte, timer, fault and answer with its
//! simulated time. Two runs with equal hashes were the same run.

use xxhash_rust::xxh3::Xxh3;

/// What happened; the tag is part of the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traced {
    /// A frame reached a node.
    Delivery = 1,
    /// Steps of a persist, or rows of a ledger commit.
    Disk = 2,
    /// A timer of a node fired.
    Timer = 3,
    /// A fault began or ended.
    Fault = 4,
    /// A client sent something.
    Request = 5,
    /// A node answered a client.
    Answer = 6,
    /// A node started or stopped.
    Life = 7,
    /// A node called the payment provider, or that paid.
    Outside = 8,
}

/// The hash so far.
pub struct Trace {
    hash: Xxh3,
    events: u64,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("events", &self.events).finish_non_exhaustive()
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self { hash: Xxh3::new(), events: 0 }
    }
}

impl Trace {
    /// Adds an event with its bytes.
    pub fn add(&mut self, at: u64, what: Traced, slot: u8, bytes: &[u8]) {
        let mut head = [0; 16];
        head[..8].copy_from_slice(&at.to_le_bytes());
        head[8] = what as u8;
        head[9] = slot;
        head[10..14].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.hash.update(&head);
        self.hash.update(bytes);
        self.events += 1;
    }

    /// Events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The hash, as 16 hexadecimal digits.
    pub fn digest(&self) -> String {
        format!("{:016x}", self.hash.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::{Trace, Traced};

    fn digest(at: u64, slot: u8, bytes: &[u8]) -> String {
        let mut trace = Trace::default();
        trace.add(at, Traced::Delivery, slot, bytes);
        trace.digest()
    }

    #[test]
    fn time_place_and_every_byte_count() {
        let one = digest(1, 0, b"frame");
        assert_eq!(one, digest(1, 0, b"frame"));
        assert_ne!(one, digest(2, 0, b"frame"));
        assert_ne!(one, digest(1, 1, b"frame"));
        assert_ne!(one, digest(1, 0, b"frams"));
    }
}
