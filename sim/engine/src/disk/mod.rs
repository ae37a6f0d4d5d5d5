//! A node's disk: what the process sees (`current`), what would survive a power cut
//! (`durable`), and the un-synced operations between the two.
//!
//! A persist is a job whose steps complete at drawn times; they are applied when the world looks.
//! A power cut keeps, loses or tears each un-synced operation on its own, in sectors of 512
//! bytes; a kill keeps them all. A failed sync drops what it should have kept, while the process
//! still sees it: that is what page caches do (Rebello et al., "Can Applications Recover from
//! fsync Failures?", ATC 2020).

mod astray;
pub mod crash_point;
mod directory;
mod file;
mod harm;
pub mod inspector;
mod job;
mod lost;
mod rot;

pub use astray::Written;
pub use crash_point::{CrashPoint, CrashSeen, StepName};
pub use directory::DiskHandle;
pub use harm::Harm;
pub use inspector::Inspector;
pub use job::Hastened;

use crate::seed::Stream;
use astray::Astray;
use billing_core::{DiskFault, DiskStep, FileName, PersistToken};
use billing_wire::{LogIndex, RegionId};
use billsim_record::Moment;
use crash_point::Fate;
use file::{File, Survives};
use job::Job;
use lost::Lost;
use std::collections::BTreeMap;
use std::io;
use xxhash_rust::xxh3::Xxh3;

/// How long the disk takes.
#[derive(Debug, Clone, Copy)]
pub struct DiskTiming {
    /// A write, in nanoseconds.
    pub write_ns: (u64, u64),
    /// A sync, in nanoseconds.
    pub sync_ns: (u64, u64),
}

impl DiskTiming {
    /// What a step takes at least and at most, in nanoseconds.
    fn of(&self, step: &DiskStep) -> (u64, u64) {
        match step {
            DiskStep::Sync { .. } => self.sync_ns,
            _ => self.write_ns,
        }
    }
}

/// Faults that are armed on a disk, and what came of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskFaults {
    /// So many more writes fail.
    pub write_fails: u32,
    /// So many more syncs fail.
    pub sync_fails: u32,
    /// Files may grow by so many more bytes in all.
    pub bytes_left: Option<u64>,
    /// Everything takes so many times as long; 0 and 1 for normal.
    pub slow: u32,
    /// As `slow`, because the region is slow: both count.
    pub region_slow: u32,
    /// What begins before this time is done at this time at the earliest, in nanoseconds.
    pub stalled_until: u64,
    /// The power goes in the middle of this step from now, counted from 1; 0 for never.
    pub power_cut_at: u32,
}

impl DiskFaults {
    /// Whether what begins now takes longer than it should.
    fn are_slow(&self, now: u64) -> bool {
        self.slow > 1 || self.region_slow > 1 || self.stalled_until > now
    }
}

/// What a submitted persist will come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// When.
    pub done_at: u64,
    /// How.
    pub result: Result<(), DiskFault>,
    /// The power goes at this time, in the middle of a step.
    pub power_cut_at: Option<u64>,
    /// The power goes at this time, at a planned crash point.
    pub crash_at: Option<u64>,
}

/// One disk.
#[derive(Debug)]
pub struct Disk {
    timing: DiskTiming,
    stream: Stream,
    files: BTreeMap<FileName, File>,
    /// Removed since the last sync: a power cut may bring them back.
    removed: Vec<(FileName, File)>,
    job: Option<Job>,
    /// The persist whose end the node was not told.
    untold: Option<PersistToken>,
    inspector: Inspector,
    /// The superblock is later than any that was synced: a power cut let it through, and no node
    /// was opened since.
    is_unpromised: bool,
    /// What faults took from it.
    lost: Lost,
    astray: Astray,
    /// Files that were damaged since a node was last opened, by which kind of fault.
    pub harmed: BTreeMap<FileName, &'static str>,
    /// A planned crash point.
    pub crash: Option<Box<CrashPoint>>,
    /// Armed faults.
    pub faults: DiskFaults,
    /// Counts crashes: handles of an earlier life fail.
    pub life: u32,
    /// Bytes lost at the last power cut.
    pub lost_bytes: u64,
    /// A superblock that was synced promised this record, which was not there.
    pub unkept: Option<(RegionId, LogIndex)>,
    /// When the last persist is done that began while the disk was slow or stood still.
    pub held_up_until: u64,
}

impl Disk {
    /// An empty disk.
    pub fn new(timing: DiskTiming, stream: Stream) -> Self {
        Self {
            timing,
            stream,
            files: BTreeMap::new(),
            removed: Vec::new(),
            job: None,
            untold: None,
            inspector: Inspector::default(),
            is_unpromised: false,
            lost: Lost::default(),
            astray: Astray::default(),
            harmed: BTreeMap::new(),
            crash: None,
            faults: DiskFaults::default(),
            life: 0,
            lost_bytes: 0,
            unkept: None,
            held_up_until: 0,
        }
    }

    /// What would survive a power cut.
    pub fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    /// Starts a persist. Faults that are armed strike here; their effect shows when the step's
    /// time has come.
    ///
    /// # Panics
    /// When a persist is open: a node has one at a time.
    pub fn submit(&mut self, now: u64, token: PersistToken, steps: Vec<DiskStep>) -> Submitted {
        assert!(self.job.is_none(), "one persist at a time, {token:?} came too early");
        self.forget_written();
        let mut at = now.max(self.faults.stalled_until);
        let (mut power_cut_at, mut crash_at) = (None, None);
        let mut result = Ok(());
        let mut timed = Vec::with_capacity(steps.len());
        for step in steps {
            let (low, high) = self.timing.of(&step);
            let faults = &self.faults;
            let factor = u64::from(faults.slow.max(1)) * u64::from(faults.region_slow.max(1));
            let takes = self.stream.range(low, high) * factor;
            if self.faults.power_cut_at > 0 {
                self.faults.power_cut_at -= 1;
                if self.faults.power_cut_at == 0 {
                    power_cut_at = Some(at + takes / 2);
                }
            }
            if let Some(crash) = &mut self.crash
                && let Fate::Dies(moment) = crash.step(StepName::of(&step), false)
            {
                crash_at = Some(match moment {
                    Moment::Before => at,
                    Moment::Amid => at + takes / 2,
                    Moment::After => at + takes,
                });
            }
            at += takes;
            result = self.strike(&step);
            match result {
                Err(DiskFault::Full) => timed.extend(self.what_fits(&step).map(|step| (at, step))),
                _ => timed.push((at, step)),
            }
            if result.is_err() {
                break;
            }
        }
        if self.faults.are_slow(now) {
            self.held_up_until = at;
        }
        self.job = Some(Job::new(token, timed, result.err()));
        self.untold = Some(token);
        Submitted { done_at: at, result, power_cut_at, crash_at }
    }

    /// From here on nothing waits any more that a fault made slow or held up.
    pub fn is_free_from(&self) -> u64 {
        self.faults.stalled_until.max(self.held_up_until)
    }

    fn strike(&mut self, step: &DiskStep) -> Result<(), DiskFault> {
        match step {
            DiskStep::Write { .. } if self.faults.write_fails > 0 => {
                self.faults.write_fails -= 1;
                Err(DiskFault::Io)
            }
            DiskStep::Sync { .. } if self.faults.sync_fails > 0 => {
                self.faults.sync_fails -= 1;
                Err(DiskFault::Sync)
            }
            DiskStep::Write { file, offset, bytes } => {
                self.take_space(*file, *offset + bytes.len() as u64)
            }
            DiskStep::SetLength { file, length } => self.take_space(*file, *length),
            _ => Ok(()),
        }
    }

    /// A file is to reach so far.
    fn take_space(&mut self, file: FileName, end: u64) -> Result<(), DiskFault> {
        let Some(left) = self.faults.bytes_left else { return Ok(()) };
        let length = self.files.get(&file).map_or(0, |file| file.current().len() as u64);
        match left.checked_sub(end.saturating_sub(length)) {
            Some(left) => {
                self.faults.bytes_left = Some(left);
                Ok(())
            }
            None => Err(DiskFault::Full),
        }
    }

    /// The part of a write that there is space for.
    fn what_fits(&mut self, step: &DiskStep) -> Option<DiskStep> {
        let DiskStep::Write { file, offset, bytes } = step else { return None };
        let length = self.files.get(file).map_or(0, |file| file.current().len() as u64);
        let left = self.faults.bytes_left.replace(0).unwrap_or_default();
        let fits = (length + left).saturating_sub(*offset) as usize;
        let bytes = bytes.slice(..fits.min(bytes.len()));
        (!bytes.is_empty()).then_some(DiskStep::Write { file: *file, offset: *offset, bytes })
    }

    /// Applies every step whose time has come.
    pub fn advance(&mut self, now: u64) {
        let Some(mut job) = self.job.take() else { return };
        while let Some((step, fault)) = job.next_done(now) {
            match fault {
                None => self.apply(&step),
                Some(DiskFault::Sync) => self.drop_unsynced(&step),
                // What fits of a write is a step of its own.
                Some(DiskFault::Full) => self.apply(&step),
                Some(DiskFault::Io) => {}
            }
        }
        if !job.is_done() {
            self.job = Some(job);
        }
    }

    fn apply(&mut self, step: &DiskStep) {
        self.note_written(step);
        match step {
            DiskStep::Write { file, offset, bytes } => {
                self.files.entry(*file).or_default().write(*offset, bytes.clone());
            }
            DiskStep::SetLength { file, length } => {
                self.files.entry(*file).or_default().set_length(*length);
            }
            DiskStep::Sync { file } => self.sync(*file),
            DiskStep::Remove { file } => {
                if let Some(removed) = self.files.remove(file) {
                    self.inspector.forget(*file);
                    self.removed.push((*file, removed));
                }
            }
        }
    }

    fn sync(&mut self, name: FileName) {
        if self.lied(name) {
            return;
        }
        self.removed.clear();
        let Some(file) = self.files.get_mut(&name) else { return };
        let cut = file.sync();
        self.inspector.synced(name, &file.durable(), cut, &|range| file.is_lost(range));
        self.astray.reached = self.astray.reached.max(self.inspector.sequence());
        if self.astray.has_lied && name == FileName::Superblock {
            self.astray.has_lied = self.lacks();
        } else if name == FileName::Superblock && self.unkept.is_none() {
            self.unkept = self.inspector.unkept();
        }
    }

    fn drop_unsynced(&mut self, step: &DiskStep) {
        if let DiskStep::Sync { file } = step
            && let Some(file) = self.files.get_mut(file)
        {
            file.forget_unsynced();
        }
    }

    /// The power goes: un-synced operations are kept, lost or torn, each on its own. Returns the
    /// number of un-synced operations that were on the way.
    pub fn power_cut(&mut self, now: u64) -> usize {
        self.advance(now);
        let moment = self.crash.as_mut().and_then(|crash| crash.power_goes());
        let in_progress = self.job.take().and_then(Job::in_progress);
        self.held_up_until = 0;
        if let Some(step) = in_progress.filter(|_| moment.is_none_or(|at| at == Moment::Amid)) {
            // A write in progress is an un-synced operation like the others; a sync in progress
            // has kept any part of what it covers.
            if matches!(step, DiskStep::Write { .. } | DiskStep::SetLength { .. }) {
                self.apply(&step);
            }
        }
        let survives = match moment {
            None | Some(Moment::Amid) => Survives::AnyPart,
            Some(Moment::Before) => Survives::Nothing,
            Some(Moment::After) => Survives::Everything,
        };
        let mut unsynced = 0;
        let promised = self.promised().sequence();
        self.lost_bytes = 0;
        for (name, file) in std::mem::take(&mut self.removed) {
            unsynced += 1;
            let is_back = match survives {
                Survives::AnyPart => self.stream.below(2) == 0,
                Survives::Nothing => true,
                Survives::Everything => false,
            };
            if is_back {
                self.files.entry(name).or_insert(file);
            }
        }
        let mut gone = Vec::new();
        for (name, file) in &mut self.files {
            unsynced += file.unsynced();
            self.lost_bytes += file.power_cut(survives, &mut self.stream);
            if file.never_existed() {
                gone.push(*name);
            }
        }
        for name in gone {
            self.files.remove(&name);
        }
        self.life += 1;
        self.find_out();
        self.rescan();
        self.is_unpromised |= self.inspector.sequence() > promised;
        if moment.is_some() {
            let image = self.image_hash();
            self.crash.as_mut().expect("it struck just now").note_image(image);
        }
        unsynced
    }

    /// Hash of everything that it holds.
    fn image_hash(&self) -> u64 {
        let mut hash = Xxh3::new();
        for (name, file) in &self.files {
            hash.update(format!("{name:?}:{};", file.durable_length()).as_bytes());
            hash.update(&file.durable());
        }
        hash.digest()
    }

    /// Whether it takes no step any more, because of a crash point that nobody was told of yet.
    pub fn is_power_gone(&self) -> bool {
        self.crash.as_ref().is_some_and(|crash| crash.is_power_gone())
    }

    /// A node was opened from it.
    pub fn opened(&mut self) {
        self.is_unpromised = false;
        if let Some(crash) = &mut self.crash {
            crash.opened();
        }
    }

    /// A step that is done while the process waits.
    fn at_once(
        &mut self,
        name: StepName,
        take: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let fate = match &mut self.crash {
            None => Fate::Goes,
            Some(crash) => crash.step(name, true),
        };
        let goes_at_all = match fate {
            Fate::Goes => return take(self),
            // A sync that is cut has kept any part, and so has a power cut of what it covers.
            Fate::Dies(Moment::Amid) => name.deed != "sync" && name.deed != "rename",
            Fate::Dies(moment) => moment == Moment::After,
            Fate::Never => false,
        };
        if goes_at_all {
            take(self)?;
        }
        Err(io::Error::other("the power is gone"))
    }

    /// The process dies, the machine lives: what was written stays, un-synced or not.
    pub fn kill(&mut self, now: u64) {
        self.advance(now);
        self.job = None;
        self.held_up_until = 0;
        self.life += 1;
        if let Some(crash) = &mut self.crash {
            crash.killed();
        }
    }

    /// The disk is gone, and all that it held.
    pub fn destroy(&mut self) {
        self.files.clear();
        self.removed.clear();
        self.job = None;
        self.held_up_until = 0;
        self.life += 1;
        self.is_unpromised = false;
        self.rescan();
    }

    /// The process gave up its handles and opens again.
    pub fn reopen(&mut self, now: u64) {
        self.kill(now);
    }

    fn rescan(&mut self) {
        self.inspector.begin_again();
        for (name, file) in &mut self.files {
            let cut = file.take_rewritten();
            self.inspector.synced(*name, &file.durable(), cut, &|range| file.is_lost(range));
        }
    }

    /// Runs steps at once, as a process does while it opens.
    ///
    /// # Errors
    /// An armed fault struck.
    pub fn run_now(&mut self, steps: &[DiskStep]) -> io::Result<()> {
        for step in steps {
            if let DiskStep::Remove { file } = step {
                self.file(*file)?;
            }
            match self.strike(step) {
                Ok(()) => self.at_once(StepName::of(step), |disk| {
                    disk.apply(step);
                    Ok(())
                })?,
                Err(DiskFault::Full) => return Err(io::ErrorKind::StorageFull.into()),
                Err(fault) => {
                    self.drop_unsynced(step);
                    return Err(io::Error::other(format!("{fault:?} while opening")));
                }
            }
        }
        Ok(())
    }

    fn list(&self) -> Vec<FileName> {
        self.files.keys().copied().collect()
    }

    fn file(&self, name: FileName) -> io::Result<&File> {
        self.files.get(&name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn file_mut(&mut self, name: FileName) -> &mut File {
        self.files.entry(name).or_default()
    }

    fn rename(&mut self, from: FileName, to: FileName) -> io::Result<()> {
        self.at_once(StepName::new("rename", from), |disk| {
            let file = disk.files.remove(&from).ok_or(io::ErrorKind::NotFound)?;
            disk.files.insert(to, file);
            disk.sync(to);
            Ok(())
        })
    }
}
