//! Power cuts at every step of every persist: what comes back is exactly what the last superblock
//! that became whole had promised, however often recovery itself is cut short.

mod journal_support;
mod memory_directory;

use billing_core::journal::Writer;
use billing_core::{DiskStep, FileName};
use billing_wire::RegionId;
use journal_support::{Directory, Log, REGIONS, Reopened, initialised};
use proptest::collection::vec;
use proptest::prelude::*;

/// One thing that consensus may ask of the journal.
#[derive(Debug, Clone)]
enum Ask {
    /// Append a record whose text has so many bytes.
    Append {
        region: u8,
        length: usize,
    },
    /// Replace the last records, in a new term.
    Replace {
        region: u8,
        last: usize,
        length: usize,
    },
    Vote {
        region: u8,
        vote: u64,
    },
    Commit {
        region: u8,
    },
    /// Persist what was gathered.
    Persist,
}

fn ask() -> impl Strategy<Value = Ask> {
    let region = || 0..REGIONS;
    prop_oneof![
        5 => (region(), 0..=128_usize).prop_map(|(region, length)| Ask::Append { region, length }),
        2 => (region(), 1..6_usize, 0..=128_usize)
            .prop_map(|(region, last, length)| Ask::Replace { region, last, length }),
        1 => (region(), 1..4_u64).prop_map(|(region, vote)| Ask::Vote { region, vote }),
        1 => region().prop_map(|region| Ask::Commit { region }),
        4 => Just(Ask::Persist),
    ]
}

/// A journal and what it was told.
struct Run {
    directory: Directory,
    writer: Writer,
    segment_bytes: u64,
    /// What was handed to the writer.
    told: Vec<Log>,
    /// What the last complete persist holds.
    promised: Vec<Log>,
    random: u64,
}

impl Run {
    fn start(segment_bytes: u64, random: u64) -> Self {
        let directory = initialised();
        let found = Reopened::read(&directory);
        assert_eq!(found.logs, vec![Log::default(); usize::from(REGIONS)]);
        let writer = found.writer(segment_bytes);
        let (told, promised) = (found.logs.clone(), found.logs);
        Self { directory, writer, segment_bytes, told, promised, random }
    }

    /// A number below a bound (Steele et al., "Fast Splittable Pseudorandom Number Generators").
    fn draw(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % below
    }

    fn take(&mut self, ask: &Ask) {
        match *ask {
            Ask::Append { region, length } => self.append(region, 0, length),
            Ask::Replace { region, last, length } => {
                self.vote(region, 0);
                self.append(region, last, length);
            }
            Ask::Vote { region, vote } => self.vote(region, vote),
            Ask::Commit { region } => {
                let log = &mut self.told[usize::from(region)];
                log.commit = log.records.len() as u64;
                self.writer.commit(RegionId(region), log.commit);
            }
            Ask::Persist => self.persist(),
        }
    }

    fn append(&mut self, region: u8, replaced: usize, length: usize) {
        let log = &mut self.told[usize::from(region)];
        // Consensus replaces nothing that is committed.
        let kept = log.records.len().saturating_sub(replaced).max(log.commit as usize);
        let (header, bytes) = log.append(region, kept, length);
        self.writer.append(&header, &bytes);
    }

    fn vote(&mut self, region: u8, vote: u64) {
        let log = &mut self.told[usize::from(region)];
        (log.term, log.vote) = (log.term + 1, vote);
        self.writer.hard_state(RegionId(region), log.term, log.vote);
    }

    /// Runs the steps one by one; before and after each the power is cut in a copy of the world.
    fn persist(&mut self) {
        let steps = self.writer.take_steps();
        for done in 0..=steps.len() {
            let mut directory = self.directory.clone();
            directory.run(&steps[..done]);
            self.cut(directory, &steps);
            // The step that runs while power fails may be done in part.
            if let Some(next) = steps.get(done) {
                let mut directory = self.directory.clone();
                directory.run(&steps[..done]);
                let syncs = matches!(next, DiskStep::Sync { .. });
                directory.run(if syncs { &[] } else { std::slice::from_ref(next) });
                self.cut(directory, &steps);
            }
        }
        self.directory.run(&steps);
        self.promised.clone_from(&self.told);
        let found = Reopened::read(&self.directory);
        assert_eq!(found.logs, self.promised, "a complete persist is read back");
    }

    fn cut(&mut self, mut directory: Directory, steps: &[DiskStep]) {
        directory.power_cut(&mut |below| self.draw(below));
        let expected =
            if superblock_is_whole(&directory, steps) { &self.told } else { &self.promised };
        let expected = expected.clone();
        let found = Reopened::read(&directory);
        assert_eq!(found.logs, expected, "what the newest whole superblock promised");
        // Recovery is cut, too, and starts over.
        let done = self.draw(found.steps.len() as u64 + 1) as usize;
        directory.run(&found.steps[..done]);
        directory.power_cut(&mut |below| self.draw(below));
        let found = Reopened::read(&directory);
        assert_eq!(found.logs, expected, "recovered again after {done} steps of recovery");
        directory.run(&found.steps);
        nothing_is_left_behind(&directory, &found);
        let again = Reopened::read(&directory);
        assert_eq!(again.superblock, found.superblock);
        assert_eq!((again.logs, again.tails), (expected.clone(), found.tails.clone()));
        self.goes_on(directory, &found, expected);
    }

    /// What was cut accepts appends, and forgets none of them at the next cut.
    fn goes_on(&mut self, mut directory: Directory, found: &Reopened, mut logs: Vec<Log>) {
        let mut writer = found.writer(self.segment_bytes);
        for _ in 0..2 {
            for (log, region) in logs.iter_mut().zip(0..) {
                let kept = log.records.len() - self.draw(2).min(log.records.len() as u64) as usize;
                let (header, bytes) = log.append(region, kept.max(log.commit as usize), 20);
                writer.append(&header, &bytes);
            }
            directory.run(&writer.take_steps());
            directory.power_cut(&mut |_| 0);
            assert_eq!(Reopened::read(&directory).logs, logs, "appended behind a cut");
        }
    }
}

/// Whether a copy of the superblock that the steps write is in the file, whole.
fn superblock_is_whole(directory: &Directory, steps: &[DiskStep]) -> bool {
    let image = directory.image();
    let file = image.iter().find(|(name, _)| *name == FileName::Superblock).unwrap();
    steps.iter().any(|step| match step {
        DiskStep::Write { file: FileName::Superblock, offset, bytes } => {
            let at = *offset as usize;
            file.1.get(at..at + bytes.len()).is_some_and(|found| found == bytes)
        }
        _ => false,
    })
}

/// What recovery cut is gone: no bytes behind a log's tail, no segment behind its last.
fn nothing_is_left_behind(directory: &Directory, found: &Reopened) {
    for (name, bytes) in directory.image() {
        let FileName::Segment { region, sequence } = name else { continue };
        let tail = found.tails[usize::from(region.0)];
        assert!(sequence <= tail.segment, "segment {sequence} behind {}", tail.segment);
        if sequence == tail.segment {
            assert_eq!(bytes.len() as u64, tail.offset, "bytes behind the tail");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(96)
    })]

    #[test]
    fn a_power_cut_costs_nothing_that_was_promised(
        asks in vec(ask(), 1..60),
        segment_bytes in prop_oneof![Just(100_u64), 200..3_000_u64],
        random in any::<u64>(),
    ) {
        let mut run = Run::start(segment_bytes, random);
        for ask in &asks {
            run.take(ask);
        }
        run.take(&Ask::Persist);
    }
}
