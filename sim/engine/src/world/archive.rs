//! The archive job of one node, as the real host runs it, with what goes wrong there; and the
//! drill: the archive is restored by the node's own code, and D11 says whether that is what it
//! claimed.

use super::event::Event;
use super::machine::Power;
use super::{Todo, World, own_stream};
use crate::archive_store::{ArchiveStore, Trouble};
use crate::disk::{Disk, DiskHandle, DiskTiming};
use crate::scenario::{Archive, Scenario};
use crate::seed::{Purpose, Stream};
use crate::trace::Traced;
use billing_core::{Config, sometimes};
use billing_shell::Replica;
use billing_shell::archive::{
    Catalog, Manifest, Reading, Restored, Source, Until, archive, restore,
};
use billing_wire::{ClusterId, Frontier, Genesis, Hlc};
use billsim_oracle::evidence::{LedgerView, Restoration};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

const MS: u64 = 1_000_000;
/// The archive's stream among the world's.
const STREAM: u64 = 6_000;
/// Page cache of a restored database, in bytes.
const CACHE_BYTES: usize = 1 << 20;
/// Beyond the bound an archive may be late without a word for so long: the clock that its job
/// reads, and the one that the drill reads, need not agree.
const SLACK_MS: u64 = 100;

/// What a node knew to be committed, at a time and in a life.
#[derive(Debug, Clone, Copy)]
struct Known {
    at: u64,
    life: u32,
    frontier: Frontier,
}

/// Who archives.
#[derive(Debug)]
pub(super) struct Archivist {
    stream: Stream,
    /// Whose node.
    slot: usize,
    period_ms: u64,
    plan: Archive,
    /// Nothing is archived from here on, in nanoseconds.
    stops_at: u64,
    runs: u64,
    store: Arc<ArchiveStore>,
    known: VecDeque<Known>,
}

impl Archivist {
    /// The archivist of a scenario, if it has one.
    pub(super) fn of(scenario: &Scenario, seed: u64) -> Option<Self> {
        let mut plan = scenario.archive.clone()?;
        let mut stream = own_stream(seed, Purpose::Config, STREAM);
        let nodes = u64::from(scenario.cluster.regions * scenario.cluster.nodes_per_region);
        let safety_ns = u64::from(scenario.phases.safety_s) * 1_000 * MS;
        for percent in [&mut plan.dies_percent, &mut plan.refused_percent, &mut plan.harmed_percent]
        {
            *percent *= stream.below(2) as u8;
        }
        let stops_at = stream.below(safety_ns);
        let stops = stream.below(100) < u64::from(plan.stops_percent);
        Some(Self {
            slot: stream.below(nodes) as usize,
            period_ms: plan.period_ms.log_uniform(&mut stream),
            plan,
            stops_at: if stops { stops_at } else { u64::MAX },
            runs: 0,
            store: Arc::default(),
            known: VecDeque::new(),
            stream,
        })
    }

    fn happens(&mut self, percent: u8) -> bool {
        self.stream.below(100) < u64::from(percent)
    }

    /// As many draws for each job, whatever becomes of it.
    fn trouble(&mut self) -> Option<Trouble> {
        let (dies, refused) =
            (self.happens(self.plan.dies_percent), self.happens(self.plan.refused_percent));
        let place = self.stream.below(4);
        match (dies, refused) {
            (true, _) => Some(Trouble::DiesAt(place)),
            (_, true) => Some(Trouble::Refuses(place)),
            _ => None,
        }
    }
}

impl World {
    /// The first archive is taken after one period.
    pub(super) fn plan_archives(&mut self) {
        if let Some(archivist) = &self.archivist {
            self.queue.push(archivist.period_ms * MS, Event::Archive);
        }
    }

    /// An archive is due.
    pub(super) fn archive_due(&mut self) -> Option<Todo> {
        let mut archivist = self.archivist.take()?;
        self.queue.push(self.now + archivist.period_ms * MS, Event::Archive);
        self.note_known(&mut archivist);
        if self.now < archivist.stops_at {
            self.take_archive(&mut archivist);
        } else {
            sometimes!("archive-stopped-silently");
        }
        archivist.runs += 1;
        let harms = archivist.happens(archivist.plan.harmed_percent);
        if archivist.runs.is_multiple_of(archivist.plan.drill_every.into()) {
            self.drill(&archivist);
        }
        if harms && archivist.store.harm(&mut archivist.stream) {
            sometimes!("archive-harmed");
        }
        self.archivist = Some(archivist);
        None
    }

    fn note_known(&self, archivist: &mut Archivist) {
        let machine = &self.machines[archivist.slot];
        let Power::Up = machine.power else { return };
        let (life, frontier) = (machine.life, machine.told);
        archivist.known.push_back(Known { at: self.now, life, frontier });
        let bound_ns = (u64::from(archivist.plan.late_after_ms) + SLACK_MS) * MS;
        // The newest that is old enough is the one that counts.
        while archivist.known.get(1).is_some_and(|second| second.at + bound_ns < self.now) {
            archivist.known.pop_front();
        }
    }

    fn take_archive(&mut self, archivist: &mut Archivist) {
        let trouble = archivist.trouble();
        let machine = &self.machines[archivist.slot];
        if machine.is_destroyed || matches!(machine.power, Power::Paused(_)) {
            return;
        }
        let is_up = machine.power == Power::Up;
        let source = Source {
            directory: &DiskHandle::new(&machine.disk),
            genesis: &self.genesis,
            node: machine.node,
            committed: if is_up { machine.told } else { Frontier::default() },
            refresh_ms: u64::from(archivist.plan.late_after_ms) / 2,
        };
        archivist.store.begin(trouble);
        let taken = archive(&source, &*archivist.store, machine.now(self.now).wall.ms());
        let is_struck = archivist.store.end();
        if is_struck {
            sometimes!("archive-job-failed");
        }
        let mut traced = Vec::with_capacity(16);
        match taken {
            Ok(taken) => {
                if taken.mended > 0 {
                    sometimes!("archive-mended");
                }
                if !taken.problems.is_empty() {
                    sometimes!("archive-source-unfit");
                }
                traced.extend_from_slice(&taken.sequence.to_le_bytes());
                traced.extend_from_slice(&taken.bytes.to_le_bytes());
            }
            Err(_) => traced.push(b'!'),
        }
        self.trace.add(self.now, Traced::Outside, archivist.slot as u8, &traced);
    }

    /// The archive is read back and restored.
    fn drill(&mut self, archivist: &Archivist) {
        let store = &*archivist.store;
        let catalog = Catalog::read(store, None);
        let newest = catalog.as_ref().ok().and_then(|catalog| catalog.newest.as_ref());
        let Some((manifest, _)) = newest else { return self.say_late(archivist, None) };
        self.say_late(archivist, Some(manifest));
        let is_harmed = store.is_harmed();
        let (now, mut refused) = (self.now, None);
        match Reading::of(store) {
            Err(error) => refused = Some(error.to_string()),
            Ok(reading) => {
                refused = reading.damage.first().cloned().or(refused);
                let until = match refused {
                    None => manifest.watermark,
                    Some(_) => reading.replay.watermark(),
                };
                let node = self.machines[archivist.slot].config().clone();
                match restored(&reading, until, &node) {
                    Ok((restored, opened)) => {
                        sometimes!("archive-restored");
                        let restoration = Restoration {
                            claimed: until,
                            frontier: restored.frontier,
                            outcome_chain: restored.outcome_chain,
                            state_hash: restored.state_hash,
                            balance: restored.balance,
                            opened,
                        };
                        self.jury.restored(now, &restoration);
                    }
                    Err(error) => self.jury.restore_failed(now, &error),
                }
            }
        }
        if refused.is_some() && is_harmed {
            sometimes!("archive-harm-found");
        }
        self.jury.archive_read(now, is_harmed, refused.as_deref());
    }

    /// An archive that lacks what its node knew before the bound must be called late.
    fn say_late(&mut self, archivist: &Archivist, newest: Option<&Manifest>) {
        let machine = &self.machines[archivist.slot];
        let bound_ms = u64::from(archivist.plan.late_after_ms);
        let says_late = Manifest::is_late(newest, machine.now(self.now).wall.ms(), bound_ms);
        if says_late {
            sometimes!("archive-said-late");
        }
        let Some(known) = archivist.known.front().copied() else { return };
        let is_old = known.at + (bound_ms + SLACK_MS) * MS < self.now;
        if !is_old || known.life != machine.life {
            return;
        }
        let archived = newest.map(Manifest::frontier).unwrap_or_default();
        let is_behind = !archived.covers(&known.frontier);
        self.jury.archive_age(self.now, is_behind, says_late);
    }

    /// The last drill, after one more archive, if anybody still takes them.
    pub(super) fn last_drill(&mut self, replicas: &[Option<Replica>]) {
        let Some(mut archivist) = self.archivist.take() else { return };
        if self.now < archivist.stops_at {
            self.take_archive(&mut archivist);
        }
        self.drill(&archivist);
        if let Ok(reading) = Reading::of(&*archivist.store)
            && reading.damage.is_empty()
            && let config = self.machines[archivist.slot].config().clone()
            && let Ok((restored, _)) = restored(&reading, reading.replay.watermark(), &config)
        {
            let at = |replica: &&Replica| replica.status().folded == restored.frontier;
            if let Some(replica) = replicas.iter().flatten().find(at) {
                let live = replica.status().state_hash;
                self.jury.restored_beside(self.now, restored.state_hash, live);
            }
        }
    }
}

/// Restores into an empty disk under another cluster's name, and opens a node on it.
fn restored(
    reading: &Reading,
    until: Hlc,
    config: &Config,
) -> Result<(Restored, LedgerView), String> {
    let timing = DiskTiming { write_ns: (1, 1), sync_ns: (1, 1) };
    let disk = Disk::new(timing, Stream::indexed(0, Purpose::Disk, STREAM));
    let directory = DiskHandle::new(&Arc::new(Mutex::new(disk)));
    let cluster = ClusterId(!reading.genesis.cluster.0);
    let genesis = Genesis { cluster, ..reading.genesis.clone() };
    let until = Until::Stamp(until);
    let restored = restore(reading, until, &directory, &genesis, config.node);
    let restored = restored.map_err(|error| error.to_string())?;
    let config = Config { genesis: Arc::new(genesis), ..config.clone() };
    let now =
        billing_core::Now { monotonic: billing_core::Monotonic(0), wall: billing_core::Wall(0) };
    let opened = Replica::open(&directory, config, CACHE_BYTES, now);
    let status = opened.map_err(|error| error.to_string())?.status();
    let (state_hash, outcome_chain) = (status.state_hash, status.outcome_chain);
    Ok((restored, LedgerView { state_hash, outcome_chain, watermark: status.watermark }))
}
