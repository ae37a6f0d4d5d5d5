//! Disks that do something else than they were asked: writes that land elsewhere or nowhere, reads
//! that fail or give something else, syncs that lie, and disks that are what they once were.

use super::file::File;
use super::inspector::Inspector;
use super::{Disk, Harm};
use billing_core::{DiskStep, FileName};
use billing_wire::{Hash, LogIndex, RegionId};
use std::collections::BTreeMap;
use std::ops::Range;

/// What a disk writes whole or not at all, and does not give back, in bytes.
pub(super) const SECTOR: usize = 512;

/// A write of the persist that is under way, while one of them is to go astray.
#[derive(Debug, Clone)]
pub struct Written {
    /// To this file.
    pub file: FileName,
    /// There.
    pub range: Range<u64>,
    /// What.
    pub bytes: Vec<u8>,
    /// What stood there before; zeros where nothing did.
    pub before: Vec<u8>,
}

/// What a disk held at a time.
#[derive(Debug)]
pub(super) struct DiskImage {
    files: BTreeMap<FileName, Vec<u8>>,
    /// Of its superblock.
    sequence: u64,
}

/// What of a disk goes astray.
#[derive(Debug, Default)]
pub(super) struct Astray {
    /// How far the next write goes; 0 for nowhere. With its kind.
    pub(super) armed: Option<(u8, &'static str)>,
    /// The writes of the persist that is under way, if one of them is to go astray.
    writes: Vec<Written>,
    /// Syncs lie.
    pub(super) lies: bool,
    /// What would be durable if they did not.
    pub(super) claimed: Option<Box<Inspector>>,
    /// It lied when it lost its power: what it promised may be missing.
    pub(super) has_lied: bool,
    /// And its node was not opened since.
    is_found_lying: bool,
    /// For a disk that will become what it was.
    image: Option<DiskImage>,
    /// Highest sequence of a superblock that a node may believe durable here.
    pub(super) reached: u64,
}

impl Disk {
    /// One write of the next persist is to go astray so far; 0 for nowhere.
    pub fn send_astray(&mut self, reach: u8, kind: &'static str) {
        self.astray.armed = Some((reach, kind));
    }

    /// How far a write is to go astray, and the writes that are done. They are told once.
    pub fn take_written(&mut self) -> Option<(u8, &'static str, Vec<Written>)> {
        let (reach, kind) = self.astray.armed?;
        let writes = std::mem::take(&mut self.astray.writes);
        (!writes.is_empty()).then_some((reach, kind, writes))
    }

    /// A write went astray, as was asked for.
    pub fn went_astray(&mut self) {
        self.astray.armed = None;
    }

    /// A step is about to be applied.
    pub(super) fn note_written(&mut self, step: &DiskStep) {
        let DiskStep::Write { file, offset, bytes } = step else { return };
        if self.astray.armed.is_none() {
            self.astray.writes.clear();
            return;
        }
        let current = self.files.get(file).map_or(&[][..], File::current);
        let range = *offset..*offset + bytes.len() as u64;
        let mut before = vec![0; bytes.len()];
        let from = (*offset as usize).min(current.len());
        let stood = &current[from..(range.end as usize).min(current.len())];
        before[..stood.len()].copy_from_slice(stood);
        self.astray.writes.push(Written { file: *file, range, bytes: bytes.to_vec(), before });
    }

    /// Another persist begins.
    pub(super) fn forget_written(&mut self) {
        self.astray.writes.clear();
    }

    /// A stretch cannot be read until it is written again. Whether there is anything.
    pub fn refuse(&mut self, name: FileName, range: Range<u64>, kind: &'static str) -> bool {
        let Some(file) = self.files.get_mut(&name) else { return false };
        if !file.refuse(range.start as usize..range.end as usize) {
            return false;
        }
        self.harmed.insert(name, kind);
        self.inspector.note_rot(name, &range);
        self.promise_struck(name);
        true
    }

    /// Reads of a page give another one. Whether they differ.
    pub fn misread(
        &mut self,
        name: FileName,
        (page, from): (u64, u64),
        length: u64,
        kind: &'static str,
    ) -> bool {
        let Some(file) = self.files.get_mut(&name) else { return false };
        let range = page..page + length;
        if !file.misread(range.start as usize..range.end as usize, from as usize) {
            return false;
        }
        self.harmed.insert(name, kind);
        self.inspector.note_rot(name, &range);
        true
    }

    /// Reads give what is there again.
    pub fn read_straight(&mut self) {
        self.files.values_mut().for_each(File::read_straight);
        for placed in self.inspector.rotten_records() {
            if self.is_whole(&placed) {
                self.inspector.cure(&placed);
            }
        }
    }

    /// Whether the superblock or the region logs lack something that was promised.
    pub fn lacks(&self) -> bool {
        !self.lacking().is_empty()
    }

    /// Records that were promised and are damaged, or are not there because a sync lied.
    pub fn lacking(&self) -> Vec<(RegionId, LogIndex)> {
        let mut lacking = self.inspector.rotten();
        if self.astray.has_lied {
            for (region, last) in self.inspector.ends() {
                let is_missing = |index| self.inspector.record_hash(region, index).is_none();
                let missing = (1..=last).filter(|index| is_missing(*index));
                lacking.extend(missing.map(|index| (region, index)));
            }
        }
        lacking
    }

    /// The nearest record from a lacking one on, itself or behind it, whose hash the disk still
    /// knows: whoever has that one, has what stands before it (hash chain). The end of the log,
    /// which the superblock names, if there is no nearer one.
    pub fn pin_of(&self, region: RegionId, index: LogIndex) -> Option<(LogIndex, Hash)> {
        let promise = self.inspector.promise(region)?;
        let known = |at| Some((at, self.inspector.record_hash(region, at)?));
        let nearest = (index..promise.durable_index).find_map(known);
        Some(nearest.unwrap_or((promise.durable_index, promise.last_hash)))
    }

    /// What a node may believe durable: what is, or would be if no sync had lied.
    pub fn promised(&self) -> &Inspector {
        self.astray.claimed.as_deref().unwrap_or(&self.inspector)
    }

    /// Syncs lie from now on, or no longer: then everything becomes durable at once.
    pub fn lie(&mut self, on: bool) {
        self.astray.lies = on;
        if !on && self.astray.claimed.take().is_some() {
            // What a superblock promises comes first.
            let files = self.list().into_iter();
            let (last, first): (Vec<_>, Vec<_>) =
                files.partition(|name| *name == FileName::Superblock);
            first.into_iter().chain(last).for_each(|name| self.sync(name));
        }
    }

    /// Whether it lied at the last power cut. Told once.
    pub fn take_found_lie(&mut self) -> bool {
        std::mem::take(&mut self.astray.is_found_lying)
    }

    /// Whether syncs lie.
    pub fn lies(&self) -> bool {
        self.astray.lies
    }

    /// A sync that lies: nothing becomes durable, and everything seems to. `false`: it does not.
    pub(super) fn lied(&mut self, name: FileName) -> bool {
        if !self.astray.lies {
            return false;
        }
        let Some(file) = self.files.get(&name) else { return true };
        let claimed = self.astray.claimed.get_or_insert_with(|| Box::new(self.inspector.clone()));
        claimed.synced(name, file.current(), Some(0), &|range| file.is_lost(range));
        self.astray.reached = self.astray.reached.max(claimed.sequence());
        true
    }

    /// The power goes: what was claimed and is not there is lost.
    pub(super) fn find_out(&mut self) {
        if let Some(claimed) = self.astray.claimed.take() {
            self.lost.take(*claimed);
            self.astray.has_lied = true;
            self.astray.is_found_lying = true;
        }
    }

    /// Keeps what the disk holds now for [`Self::roll_back`].
    pub fn keep_image(&mut self) {
        let files = self.files.iter().map(|(name, file)| (*name, file.durable().into_owned()));
        let (files, sequence) = (files.collect(), self.inspector.sequence());
        self.astray.image = Some(DiskImage { files, sequence });
    }

    /// Sequence of the superblock that was kept.
    pub fn image_sequence(&self) -> Option<u64> {
        self.astray.image.as_ref().map(|image| image.sequence)
    }

    /// The disk is what it was when that was kept.
    pub fn roll_back(&mut self) {
        let Some(image) = self.astray.image.take() else { return };
        self.lost.take(std::mem::take(&mut self.inspector));
        self.destroy();
        let files = image.files.into_iter().map(|(name, bytes)| (name, File::durable_of(bytes)));
        self.files = files.collect();
        self.harmed.clear();
        self.rescan();
    }

    /// By how much the superblock is older than one that a node may have believed durable. As long
    /// as the power is on, a disk that lies shows what it claims. Told once.
    pub fn take_setback(&mut self) -> Option<u64> {
        let sequence = self.promised().sequence();
        let reached = std::mem::replace(&mut self.astray.reached, sequence);
        (reached > sequence).then(|| reached - sequence)
    }

    /// Puts bytes where they do not belong, or brings back what stood there.
    pub fn misplace(
        &mut self,
        file: FileName,
        range: Range<u64>,
        bytes: &[u8],
        kind: &'static str,
    ) -> bool {
        self.harm(file, range, &Harm::Bytes(bytes.to_vec()), kind)
    }
}
