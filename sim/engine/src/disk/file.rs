//! One file: what the process sees, and how to get from there back to what is durable. The two
//! share one image as long as every sync succeeds: files are most of a seed's memory.

use super::astray::SECTOR;
use super::harm::Harm;
use super::rot::{BLOCK, Rot};
use crate::seed::Stream;
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;

/// What the operating system says of a sector that the disk does not give back.
const EIO: i32 = 5;

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

/// Takes one operation back.
#[derive(Debug)]
struct Undo {
    /// What stood there.
    offset: usize,
    bytes: Box<[u8]>,
    /// How long the file was.
    length: usize,
}

/// A file of a simulated disk.
#[derive(Debug, Default)]
pub(super) struct File {
    current: Vec<u8>,
    /// What is durable, where a failed sync made it another file than the process sees.
    apart: Option<Vec<u8>>,
    unsynced: Vec<Operation>,
    /// From `current` to what is durable, newest last; empty where that is apart.
    undo: Vec<Undo>,
    /// Its directory entry was synced.
    entered: bool,
    rot: Rot,
    /// From here on durable bytes were cut or overwritten, since that was last told.
    rewritten: Option<usize>,
    /// Sectors that the disk does not give back until they are written.
    refused: BTreeSet<usize>,
    /// Reads of this stretch give what stands from there on.
    misread: Option<(Range<usize>, usize)>,
}

fn apply(image: &mut Vec<u8>, operation: &Operation) {
    match operation {
        Operation::Write { offset, bytes } => put(image, *offset as usize, bytes),
        Operation::SetLength(length) => set_length(image, *length as usize),
    }
}

/// A file that grows beyond its room moves into zeros of the operating system's, which take no
/// memory until they are written: a database sets a length that it fills by and by.
fn set_length(image: &mut Vec<u8>, length: usize) {
    if length <= image.capacity() {
        image.resize(length, 0);
        return;
    }
    let mut grown = vec![0; length];
    grown[..image.len()].copy_from_slice(image);
    *image = grown;
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

impl Undo {
    fn of(image: &[u8], operation: &Operation) -> Self {
        let length = image.len();
        let (from, to) = match operation {
            Operation::Write { offset, bytes } => {
                (*offset as usize, *offset as usize + bytes.len())
            }
            Operation::SetLength(length) => (*length as usize, usize::MAX),
        };
        let offset = from.min(length);
        Self { offset, bytes: image[offset..to.min(length)].into(), length }
    }

    fn apply(&self, image: &mut Vec<u8>) {
        image.resize(self.length, 0);
        image[self.offset..self.offset + self.bytes.len()].copy_from_slice(&self.bytes);
    }
}

impl File {
    /// A file that a disk holds.
    pub(super) fn durable_of(bytes: Vec<u8>) -> Self {
        Self { current: bytes, entered: true, ..Self::default() }
    }

    pub(super) fn current(&self) -> &[u8] {
        &self.current
    }

    /// All of it, as the process reads it.
    pub(super) fn read_all(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.current.len()];
        self.read_into(0, &mut bytes)?;
        Ok(bytes)
    }

    /// A stretch as the process reads it.
    pub(super) fn read_into(&self, offset: usize, out: &mut [u8]) -> io::Result<()> {
        let range = offset..offset + out.len();
        if self.is_refused(&range) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        out.copy_from_slice(self.current.get(range.clone()).ok_or(io::ErrorKind::UnexpectedEof)?);
        if let Some((wrong, from)) = &self.misread {
            for at in wrong.start.max(range.start)..wrong.end.min(range.end) {
                let other = self.current.get(from + at - wrong.start).copied();
                out[at - range.start] = other.unwrap_or(0);
            }
        }
        Ok(())
    }

    /// The disk does not give a stretch back any more. Whether there is one.
    pub(super) fn refuse(&mut self, range: Range<usize>) -> bool {
        let end = range.end.min(self.durable_length());
        self.refused.extend(range.start / SECTOR..end.div_ceil(SECTOR));
        range.start < end
    }

    pub(super) fn is_refused(&self, range: &Range<usize>) -> bool {
        let sectors = range.start / SECTOR..range.end.div_ceil(SECTOR);
        !sectors.is_empty() && self.refused.range(sectors).next().is_some()
    }

    /// Whether reads of a stretch fail, or give another one.
    pub(super) fn is_lost(&self, range: &Range<usize>) -> bool {
        let is_hit = |wrong: &Range<usize>| wrong.start < range.end && range.start < wrong.end;
        self.is_refused(range) || self.misread.as_ref().is_some_and(|(wrong, _)| is_hit(wrong))
    }

    /// Reads of a stretch give another. Whether that is another.
    pub(super) fn misread(&mut self, range: Range<usize>, from: usize) -> bool {
        let end = range.end.min(self.current.len());
        let range = range.start.min(end)..end;
        let other = self.current.get(from..from + range.len());
        let is_other = other.is_some_and(|other| other != &self.current[range.clone()]);
        if is_other {
            self.misread = Some((range, from));
        }
        is_other
    }

    pub(super) fn read_straight(&mut self) {
        self.misread = None;
    }

    /// What would survive a power cut if nothing un-synced did.
    pub(super) fn durable(&self) -> Cow<'_, [u8]> {
        match &self.apart {
            Some(durable) => Cow::Borrowed(durable),
            None if self.undo.is_empty() => Cow::Borrowed(&self.current),
            None => {
                let mut image = self.current.clone();
                self.undo.iter().rev().for_each(|undo| undo.apply(&mut image));
                Cow::Owned(image)
            }
        }
    }

    /// Bytes of what is durable.
    pub(super) fn durable_length(&self) -> usize {
        match (&self.apart, self.undo.first()) {
            (Some(durable), _) => durable.len(),
            (None, Some(first)) => first.length,
            (None, None) => self.current.len(),
        }
    }

    pub(super) fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// Its directory entry was lost at a power cut.
    pub(super) fn never_existed(&self) -> bool {
        !self.entered && self.durable_length() == 0
    }

    pub(super) fn write(&mut self, offset: u64, bytes: Bytes) {
        self.note(Operation::Write { offset, bytes });
    }

    pub(super) fn set_length(&mut self, length: u64) {
        self.note(Operation::SetLength(length));
    }

    /// An operation has reached the disk.
    fn endured(&mut self, operation: &Operation) {
        match operation {
            Operation::Write { offset, bytes } => {
                let offset = *offset as usize;
                self.rot.written(&(offset..offset + bytes.len()));
                let whole = offset.div_ceil(SECTOR)..(offset + bytes.len()) / SECTOR;
                self.refused.retain(|sector| !whole.contains(sector));
            }
            Operation::SetLength(length) => {
                self.rot.cut(*length as usize);
                self.refused.retain(|sector| *sector < (*length as usize).div_ceil(SECTOR));
            }
        }
    }

    /// Blocks of 4096 bytes that are not as they were before damage struck, or have a sector that
    /// cannot be read. Behind the end that the process has set nobody can find any, though the disk
    /// still holds them until that is synced.
    pub(super) fn damaged_blocks(&self) -> Vec<usize> {
        let mut damaged = self.rot.blocks(&self.durable());
        damaged.extend(self.refused.iter().map(|sector| sector * SECTOR / BLOCK));
        damaged.retain(|block| block * BLOCK < self.current.len());
        damaged
    }

    fn note(&mut self, operation: Operation) {
        if self.apart.is_none() {
            self.undo.push(Undo::of(&self.current, &operation));
        }
        apply(&mut self.current, &operation);
        self.unsynced.push(operation);
    }

    /// Makes everything durable. What was read of a file of this name before no longer holds from
    /// there on: something was cut or overwritten, or this is another file than the one that had
    /// the name and was removed.
    pub(super) fn sync(&mut self) -> Option<usize> {
        if !std::mem::replace(&mut self.entered, true) {
            self.rewritten_from(0);
        }
        let mut length = self.durable_length();
        self.undo.clear();
        let mut unsynced = std::mem::take(&mut self.unsynced);
        for operation in unsynced.drain(..) {
            length = self.note_rewritten(&operation, length);
            if let Some(durable) = &mut self.apart {
                apply(durable, &operation);
            }
            self.endured(&operation);
        }
        // Its room is used again: every persist syncs.
        self.unsynced = unsynced;
        self.take_rewritten()
    }

    /// From where on what was durable was cut or overwritten. Told once.
    pub(super) fn take_rewritten(&mut self) -> Option<usize> {
        self.rewritten.take()
    }

    fn rewritten_from(&mut self, from: usize) {
        self.rewritten = Some(self.rewritten.map_or(from, |before| before.min(from)));
    }

    /// An operation reaches a file that was so long; how long it is then.
    fn note_rewritten(&mut self, operation: &Operation, length: usize) -> usize {
        let (from, then) = match operation {
            Operation::Write { offset, bytes } => {
                (*offset as usize, length.max(*offset as usize + bytes.len()))
            }
            Operation::SetLength(new) => (*new as usize, *new as usize),
        };
        if from < length {
            self.rewritten_from(from);
        }
        then
    }

    /// What is durable is damaged there. The process sees it, too, unless it sees something that
    /// the disk does not have. Whether anything changed.
    pub(super) fn harm(&mut self, range: Range<usize>, harm: &Harm) -> bool {
        let range = range.start..range.end.min(self.durable_length());
        if range.is_empty() {
            return false;
        }
        let mut durable = self.durable().into_owned();
        let is_as_written = self.current == self.written_over(&durable);
        self.rot.strikes(&durable, &range);
        let is_changed = harm.strike(&mut durable[range]);
        if is_as_written {
            self.current = durable;
            self.apart = None;
            self.undo.clear();
            std::mem::take(&mut self.unsynced)
                .into_iter()
                .for_each(|operation| self.note(operation));
        } else {
            self.apart = Some(durable);
        }
        is_changed
    }

    fn written_over(&self, durable: &[u8]) -> Vec<u8> {
        let mut image = durable.to_vec();
        self.unsynced.iter().for_each(|operation| apply(&mut image, operation));
        image
    }

    /// A sync failed: what it covered will never reach the disk, though the process sees it.
    pub(super) fn forget_unsynced(&mut self) {
        if !self.unsynced.is_empty() {
            self.apart = Some(self.durable().into_owned());
            self.undo.clear();
            self.unsynced.clear();
        }
    }

    /// Decides for each un-synced operation whether it reached the disk; returns the bytes that
    /// did not.
    pub(super) fn power_cut(&mut self, survives: Survives, stream: &mut Stream) -> u64 {
        let unsynced = std::mem::take(&mut self.unsynced);
        match self.apart.take() {
            Some(durable) => self.current = durable,
            None => {
                let undo = std::mem::take(&mut self.undo);
                undo.iter().rev().for_each(|undo| undo.apply(&mut self.current));
            }
        }
        let mut lost = 0;
        for operation in unsynced {
            let lot = match survives {
                Survives::AnyPart => stream.below(4),
                Survives::Everything => 0,
                Survives::Nothing => 3,
            };
            if lot < 2 {
                self.note_rewritten(&operation, self.current.len());
            }
            lost += match lot {
                0 => {
                    apply(&mut self.current, &operation);
                    self.endured(&operation);
                    0
                }
                1 => self.tear(&operation, stream),
                _ => size(&operation),
            };
        }
        lost
    }

    /// Some sectors of a write reach the disk, others do not.
    fn tear(&mut self, operation: &Operation, stream: &mut Stream) -> u64 {
        let Operation::Write { offset, bytes } = operation else { return 0 };
        let (mut lost, mut from) = (0, 0);
        while from < bytes.len() {
            let to = (from + SECTOR - (*offset as usize + from) % SECTOR).min(bytes.len());
            match stream.below(2) {
                0 => {
                    let at = *offset as usize + from;
                    put(&mut self.current, at, &bytes[from..to]);
                    self.rot.written(&(at..at + to - from));
                }
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
mod tests;
