//! A machine: its disk, its clock, and the life of the node that runs on it.

use super::clock::WallClock;
use super::event::NodeEvent;
use super::restart::Stopping;
use super::scrub::Scrub;
use super::{nanoseconds, own_stream};
use crate::disk::{Disk, DiskHandle, DiskTiming};
use crate::scenario::Scenario;
use crate::seed::Purpose;
use billing_core::{Config, DiskFault, HaltReason, Now};
use billing_shell::{LedgerDatabase, OpenError, Replica, ScrubPace};
use billing_wire::{Frontier, Genesis, NodeId, RegionId};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Clean ledger pages that the database keeps in memory, in bytes.
const DATABASE_CACHE_BYTES: usize = 1 << 20;

/// A node that found its disk full tries again after so many nanoseconds; and an election.
const FULL_NS: u64 = 4_000_000_000;

/// What a machine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// The node runs.
    Up,
    /// The node is dead.
    Down,
    /// The process stands still until this time.
    Paused(u64),
}

/// One machine.
#[derive(Debug)]
pub struct Machine {
    /// The node that runs here.
    pub node: NodeId,
    /// Its disk; shared with the files that the node holds open.
    pub disk: Arc<Mutex<Disk>>,
    /// Its wall clock.
    pub clock: WallClock,
    /// What it is doing.
    pub power: Power,
    /// Counts starts; events of an earlier life are void.
    pub life: u32,
    /// What arrived while the process stood still.
    pub backlog: Vec<NodeEvent>,
    /// Records up to here were told to the oracles in this life.
    pub told: Frontier,
    /// Isolations in force.
    pub isolated: u32,
    /// Cuts from clients in force.
    pub client_cuts: u32,
    /// Faults in force by which it serves rotten records.
    pub serves_rot: u32,
    /// So many answers it has served that were.
    pub served_rot: u64,
    /// Its last life ended with a power cut: what it sees is what the disk holds.
    pub lost_power: bool,
    /// There is no power until this time, because of a fault of this kind.
    pub dark: Option<(u64, &'static str)>,
    /// Its node was asked to stop.
    pub stopping: Option<Stopping>,
    /// It is gone for good, with its disk.
    pub is_destroyed: bool,
    /// How often its disk was lost.
    pub wipes: u8,
    /// Records are missing in the node's logs.
    pub is_repairing: bool,
    /// In these of them.
    pub repairing: BTreeSet<RegionId>,
    /// The node has set a damaged database aside, and fills another one.
    pub has_refilled: bool,
    /// The node found its disk full and waits until then.
    pub full_until: u64,
    /// The node asked to be opened again.
    pub halted: Option<HaltReason>,
    /// Its disk became what it was, through a fault of this kind, and it does not know yet.
    pub set_back: Option<&'static str>,
    /// Its scrubber, in this life.
    pub scrub: Option<Scrub>,
    /// How fast that reads.
    pub scrub_pace: ScrubPace,
    config: Config,
}

/// Machines that are switched off, one for each node.
pub(super) fn machines(scenario: &Scenario, seed: u64, genesis: &Arc<Genesis>) -> Vec<Machine> {
    let timing = DiskTiming {
        write_ns: nanoseconds(scenario.disk.write_us),
        sync_ns: nanoseconds(scenario.disk.sync_us),
    };
    let machine = |node| {
        let mut config = Config::new(node, Arc::clone(genesis));
        scenario.node.apply(seed, &mut config);
        config.pays_refunds = scenario.provider.is_some();
        config.sends_notices = scenario.mail.is_some();
        let stream = own_stream(seed, Purpose::Disk, node.0.into());
        let mut machine = Machine::new(config, Disk::new(timing, stream));
        machine.scrub_pace = scenario.node.scrub_pace(seed);
        machine
    };
    genesis.nodes().map(machine).collect()
}

impl Machine {
    /// A machine that is switched off.
    pub fn new(config: Config, disk: Disk) -> Self {
        Self {
            node: config.node,
            disk: Arc::new(Mutex::new(disk)),
            clock: WallClock::default(),
            power: Power::Down,
            life: 0,
            backlog: Vec::new(),
            told: Frontier::default(),
            isolated: 0,
            client_cuts: 0,
            serves_rot: 0,
            served_rot: 0,
            lost_power: false,
            dark: None,
            stopping: None,
            is_destroyed: false,
            wipes: 0,
            is_repairing: false,
            repairing: BTreeSet::new(),
            has_refilled: false,
            full_until: 0,
            halted: None,
            set_back: None,
            scrub: None,
            scrub_pace: ScrubPace::default(),
            config,
        }
    }

    /// The disk.
    pub fn disk(&self) -> MutexGuard<'_, Disk> {
        // A panic of the node under test must not hide the disk from the oracles.
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The superblock, or the region logs, have copies that are damaged.
    pub fn is_damaged(&self) -> bool {
        self.disk().lacks()
    }

    /// Both clocks as the node sees them.
    pub fn now(&self, at: u64) -> Now {
        Now { monotonic: billing_core::Monotonic(at), wall: self.clock.shows(at) }
    }

    /// Opens the node from its disk.
    ///
    /// # Errors
    /// As the shell says.
    pub fn open(&mut self, at: u64, seed: u64) -> Result<Replica, OpenError> {
        self.config.seed = seed;
        let was_full = self.halted == Some(HaltReason::Disk(DiskFault::Full));
        self.config.disk_was_full = was_full;
        if was_full {
            self.full_until = at + FULL_NS;
        }
        let directory = DiskHandle::new(&self.disk);
        if self.halted == Some(HaltReason::Ledger) {
            LedgerDatabase::set_aside(&directory)?;
        }
        Replica::open(&directory, self.config.clone(), DATABASE_CACHE_BYTES, self.now(at))
    }

    /// Interval of the node's ticks in nanoseconds.
    pub fn tick_ns(&self) -> u64 {
        self.config.tick_ms * 1_000_000
    }

    /// How long a call may wait for the node's answer, in nanoseconds: its own time-out, seen at
    /// a tick, and time to spare.
    pub fn patience_ns(&self) -> u64 {
        (self.config.write_timeout_ms + 2 * self.config.tick_ms + 1_000) * 1_000_000
    }

    /// Settings of its node.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the node runs and is not standing still.
    pub fn is_running(&self) -> bool {
        self.power == Power::Up
    }
}
