//! A node's directory in memory, with a disk behind it that forgets what was never synced: at a
//! power cut each unsynced step is lost, done, or done in part, whatever came after it.

use billing_core::journal::Image;
use billing_core::{DiskStep, FileName};
use std::collections::BTreeMap;

type Files = BTreeMap<FileName, Vec<u8>>;

/// What the process sees, and what would be left of it.
#[derive(Clone, Default)]
pub(crate) struct Directory {
    shown: Files,
    durable: Files,
    unsynced: Vec<DiskStep>,
}

impl Directory {
    pub(crate) fn run(&mut self, steps: &[DiskStep]) {
        for step in steps {
            apply(&mut self.shown, step);
            let DiskStep::Sync { file } = *step else {
                self.unsynced.push(step.clone());
                continue;
            };
            for step in std::mem::take(&mut self.unsynced) {
                // A sync of any file makes earlier removals durable, too.
                if name(&step) == file || matches!(step, DiskStep::Remove { .. }) {
                    apply(&mut self.durable, &step);
                } else {
                    self.unsynced.push(step);
                }
            }
        }
    }

    /// Loses power; `draw` decides what becomes of each unsynced step.
    pub(crate) fn power_cut(&mut self, draw: &mut dyn FnMut(u64) -> u64) {
        let mut tears_superblock = true;
        for step in std::mem::take(&mut self.unsynced) {
            let is_superblock = name(&step) == FileName::Superblock;
            match draw(4) {
                0 => {}
                1 | 2 => apply(&mut self.durable, &step),
                // It is at one of the two copies when the power goes.
                _ if is_superblock && !std::mem::take(&mut tears_superblock) => {}
                _ => apply(&mut self.durable, &in_part(&step, draw)),
            }
        }
        self.shown = self.durable.clone();
    }

    /// Every file, as a process that starts now reads it.
    pub(crate) fn image(&self) -> Image {
        self.shown.iter().map(|(name, bytes)| (*name, bytes.clone())).collect()
    }
}

fn name(step: &DiskStep) -> FileName {
    match *step {
        DiskStep::Write { file, .. }
        | DiskStep::SetLength { file, .. }
        | DiskStep::Sync { file }
        | DiskStep::Remove { file } => file,
    }
}

/// Some stretch of a write; any other step is not divisible.
fn in_part(step: &DiskStep, draw: &mut dyn FnMut(u64) -> u64) -> DiskStep {
    let DiskStep::Write { file, offset, bytes } = step else { return step.clone() };
    let end = draw(bytes.len() as u64 + 1) as usize;
    // Mostly the first part of a write is there; now and then an earlier sector is missing.
    let start = if draw(3) == 0 { draw(end as u64 + 1) as usize } else { 0 };
    let offset = offset + start as u64;
    DiskStep::Write { file: *file, offset, bytes: bytes.slice(start..end) }
}

fn apply(files: &mut Files, step: &DiskStep) {
    match step {
        DiskStep::Write { file, offset, bytes } => {
            let content = files.entry(*file).or_default();
            let end = *offset as usize + bytes.len();
            content.resize(content.len().max(end), 0);
            content[*offset as usize..end].copy_from_slice(bytes);
        }
        DiskStep::SetLength { file, length } => {
            files.entry(*file).or_default().resize(*length as usize, 0);
        }
        DiskStep::Sync { .. } => {}
        DiskStep::Remove { file } => {
            files.remove(file);
        }
    }
}
