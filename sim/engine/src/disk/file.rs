//! One file: two images and the operations between them.

use super::harm::Harm;
use crate::seed::Stream;
use bytes::Bytes;
use std::ops::Range;

/// What a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;

/// What survives a power cut of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Survives {
    Nothing,
    AnyPart,
    Everything,
}

#[derive(Debug, Clone)]
enum Operation {
    Write { offset: u64, bytes: Bytes },
    SetLength(u64),
}

/// A file of a simulated disk.
#[derive(Debug, Default)]
pub(super) struct File {
    current: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Operation>,
    /// Its directory entry was synced.
    entered: bool,
}

fn apply(image: &mut Vec<u8>, operation: &Operation) {
    match operation {
        Operation::Write { offset, bytes } => put(image, *offset as usize, bytes),
        Operation::SetLength(length) => image.resize(*length as usize, 0),
    }
}

fn put(image: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if offset == image.len() {
        image.extend_from_slice(bytes);
        return;
    }
    if image.len() < end {
        image.resize(end, 0);
    }
    image[offset..end].copy_from_slice(bytes);
}

impl File {
    pub(super) fn current(&self) -> &[u8] {
        &self.current
    }

    pub(super) fn durable(&self) -> &[u8] {
        &self.durable
    }

    pub(super) fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// Its directory entry was lost at a power cut.
    pub(super) fn never_existed(&self) -> bool {
        !self.entered && self.durable.is_empty()
    }

    pub(super) fn write(&mut self, offset: u64, bytes: Bytes) {
        self.note(Operation::Write { offset, bytes });
    }

    pub(super) fn set_length(&mut self, length: u64) {
        self.note(Operation::SetLength(length));
    }

    fn note(&mut self, operation: Operation) {
        apply(&mut self.current, &operation);
        self.unsynced.push(operation);
    }

    /// Makes everything durable. Whether what was read of a file of this name before no longer
    /// holds: something was cut or overwritten, or this is another file than the one that had the
    /// name and was removed.
    pub(super) fn sync(&mut self) -> bool {
        let mut cut = !self.entered;
        self.entered = true;
        for operation in self.unsynced.drain(..) {
            cut |= match &operation {
                Operation::Write { offset, .. } => (*offset as usize) < self.durable.len(),
                Operation::SetLength(length) => (*length as usize) < self.durable.len(),
            };
            apply(&mut self.durable, &operation);
        }
        cut
    }

    /// What is durable is damaged there. The process sees it, too, unless it sees something that
    /// the disk does not have. Whether anything changed.
    pub(super) fn harm(&mut self, range: Range<usize>, harm: &Harm) -> bool {
        let range = range.start..range.end.min(self.durable.len());
        if range.is_empty() {
            return false;
        }
        let is_as_written = self.current == self.as_written();
        let is_changed = harm.strike(&mut self.durable[range]);
        if is_as_written {
            self.current = self.as_written();
        }
        is_changed
    }

    fn as_written(&self) -> Vec<u8> {
        let mut image = self.durable.clone();
        self.unsynced.iter().for_each(|operation| apply(&mut image, operation));
        image
    }

    /// A sync failed: what it covered will never reach the disk, though the process sees it.
    pub(super) fn forget_unsynced(&mut self) {
        self.unsynced.clear();
    }

    /// Decides for each un-synced operation whether it reached the disk; returns the bytes that
    /// did not.
    pub(super) fn power_cut(&mut self, survives: Survives, stream: &mut Stream) -> u64 {
        let mut lost = 0;
        for operation in std::mem::take(&mut self.unsynced) {
            let lot = match survives {
                Survives::AnyPart => stream.below(4),
                Survives::Everything => 0,
                Survives::Nothing => 3,
            };
            lost += match lot {
                0 => {
                    apply(&mut self.durable, &operation);
                    0
                }
                1 => self.tear(&operation, stream),
                _ => size(&operation),
            };
        }
        self.current.clone_from(&self.durable);
        lost
    }

    /// Some sectors of a write reach the disk, others do not.
    fn tear(&mut self, operation: &Operation, stream: &mut Stream) -> u64 {
        let Operation::Write { offset, bytes } = operation else { return 0 };
        let (mut lost, mut from) = (0, 0);
        while from < bytes.len() {
            let to = (from + SECTOR - (*offset as usize + from) % SECTOR).min(bytes.len());
            match stream.below(2) {
                0 => put(&mut self.durable, *offset as usize + from, &bytes[from..to]),
                _ => lost += (to - from) as u64,
            }
            from = to;
        }
        lost
    }
}

fn size(operation: &Operation) -> u64 {
    match operation {
        Operation::Write { bytes, .. } => bytes.len() as u64,
        Operation::SetLength(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{File, Survives};
    use crate::seed::{Purpose, Stream};
    use bytes::Bytes;

    #[test]
    fn a_power_cut_never_touches_what_was_synced() {
        for seed in 0..200 {
            let mut stream = Stream::new(seed, Purpose::Disk);
            let mut file = File::default();
            file.write(0, Bytes::from(vec![1; 2_000]));
            assert!(file.sync(), "a file with this name may have been there before");
            file.write(2_000, Bytes::from(vec![3; 8]));
            assert!(!file.sync(), "an append cuts nothing");
            file.write(2_000, Bytes::from(vec![2; 2_000]));
            let lost = file.power_cut(Survives::AnyPart, &mut stream);
            assert!(file.durable()[..2_000].iter().all(|byte| *byte == 1));
            let kept = file.durable()[2_000..].iter().filter(|byte| **byte == 2).count();
            assert_eq!(kept as u64 + lost, 2_000);
            assert_eq!(file.current(), file.durable());
        }
    }

    #[test]
    fn a_power_cut_keeps_all_or_nothing_where_that_is_asked_for() {
        let mut stream = Stream::new(1, Purpose::Disk);
        for (survives, kept) in [(Survives::Nothing, &b""[..]), (Survives::Everything, b"seen")] {
            let mut file = File::default();
            file.write(0, Bytes::from_static(b"seen"));
            file.power_cut(survives, &mut stream);
            assert_eq!(file.current(), kept);
        }
    }

    #[test]
    fn after_a_failed_sync_the_process_sees_what_the_disk_never_got() {
        let mut file = File::default();
        file.write(0, Bytes::from_static(b"seen"));
        file.forget_unsynced();
        assert_eq!((file.current(), file.durable()), (&b"seen"[..], &b""[..]));
        file.sync();
        assert_eq!(file.durable(), b"", "a later sync does not bring it back");
    }
}
