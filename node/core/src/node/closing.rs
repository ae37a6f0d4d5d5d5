//! What a leader logs of its own accord (billing.md §2, §3): `CloseTs`, so that its silence does
//! not hold up the others and its geo index becomes known, and `ModeChanged`, when the other
//! regions are out of reach or back.

use super::Node;
use crate::canary;
use crate::consensus::Consensus;
use crate::sometimes;
use crate::time::{Monotonic, Now};
use billing_wire::{Hlc, LogIndex, RecordHeader, RecordKind, RegionMode};

/// A learner that lacks so many entries at most is caught up.
const CAUGHT_UP_ENTRIES: LogIndex = 64;

/// What a leader has seen of the other regions since it leads.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outlook {
    /// The geo index when it last moved, and since when it has not although it should.
    geo: LogIndex,
    stalled_since: Option<Monotonic>,
    /// Since when two of three learners of another region are caught up.
    well_since: Option<Monotonic>,
    /// When it was so last.
    well_at: Option<Monotonic>,
    /// The entry that tells other regions how far the log is geo-durable because one of them
    /// asked; 0 when none is under way.
    answer_to_duplicate: LogIndex,
    /// When this leader last appended.
    pub(super) appended_at: Monotonic,
}

impl Outlook {
    /// A leader that was just elected has seen nothing yet.
    pub(super) fn of_new_leader(now: Monotonic) -> Self {
        Self { appended_at: now, ..Self::default() }
    }
}

impl Node {
    /// What the leader of the own region log should append without being asked.
    pub(super) fn own_accord(&mut self, now: Now) -> Option<(RecordKind, RegionMode)> {
        if self.has_to_show_itself() {
            return Some((RecordKind::CloseTs, self.logged_mode()));
        }
        if self.logs.len() == 1 {
            return None;
        }
        let mode = self.look_out(now);
        if mode != self.logged_mode() {
            sometimes!("mode-changed");
            return Some((RecordKind::ModeChanged, mode));
        }
        let silent = now.monotonic.ms_since(self.outlook.appended_at) >= self.config.close_ts_ms;
        if self.is_asked_how_far() {
            sometimes!("told-how-far-for-a-duplicate");
            self.outlook.answer_to_duplicate = self.own_log().window().last_index() + 1;
            return Some((RecordKind::CloseTs, mode));
        }
        (silent && self.has_to_close()).then_some((RecordKind::CloseTs, mode))
    }

    /// Whether a client of another region waits to hear that an entry of this log is geo-durable:
    /// its write is a duplicate of that entry. This log would say so with its next entry, which may
    /// be `close_ts_ms` away.
    fn is_asked_how_far(&self) -> bool {
        let named = self.ledger.named_elsewhere().of(self.region);
        let told = self.own_log().window().last().map_or(0, |last| last.geo_index);
        named > told
            && named <= self.geo_live()
            && named > self.custodies[usize::from(self.region.0)].geo_index
            && self.logged_mode() == RegionMode::Geo
    }

    /// Whether something waits for this log, and an entry more would help it: one with a higher
    /// stamp, or one that says how far the log is geo-durable by now. While another region is gone
    /// neither does, and nothing is logged.
    fn has_to_close(&self) -> bool {
        let waits_up_to = self.custodies.iter().map(|custody| custody.last_submissions).max();
        let waits_up_to = waits_up_to.max(self.seals.waits_up_to()).unwrap_or(Hlc::ZERO);
        let own = &self.custodies[usize::from(self.region.0)];
        let last = self.own_log().window().last();
        let helps =
            |last: &RecordHeader| last.hlc < waits_up_to || last.geo_index < self.geo_live();
        own.geo_hlc < waits_up_to && last.is_none_or(helps)
    }

    /// Tells the other regions that the entry is committed which says how far the log is
    /// geo-durable, if one of them waits for it.
    pub(super) fn tell_answer_to_duplicate(&mut self) {
        let answer = self.outlook.answer_to_duplicate;
        if answer > 0 && self.own_log().committed() >= answer {
            self.outlook.answer_to_duplicate = 0;
            self.logs[usize::from(self.region.0)].tell_commit();
        }
    }

    /// The mode of the last entry of the own log, committed or not.
    pub(super) fn logged_mode(&self) -> RegionMode {
        self.own_log().window().last().map_or(RegionMode::Geo, |last| last.mode)
    }

    /// The mode that the region should be in.
    fn look_out(&mut self, now: Now) -> RegionMode {
        let geo = self.geo_live();
        let committed = self.own_log().committed();
        let mode = self.logged_mode();
        // What was caught up before the outage says nothing: only who answers now counts.
        let is_well = mode == RegionMode::Degraded
            && self.own_log().geo_matched_lately() + CAUGHT_UP_ENTRIES >= committed;
        let is_silent = self.nobody_answers();
        let outlook = &mut self.outlook;
        if geo >= committed {
            outlook.stalled_since = None;
        } else if geo > outlook.geo
            || outlook.stalled_since.is_none()
            || canary!("stall-counted-anew")
        {
            outlook.stalled_since = Some(now.monotonic);
        }
        outlook.geo = geo;
        // The library counts afresh who answers, once in an election timeout: until the next
        // answers arrive nobody does.
        let election_ms = self.config.election_ms();
        let was_well = |at: &Monotonic| now.monotonic.ms_since(*at) <= election_ms;
        if mode == RegionMode::Geo && !canary!("return-remembers-the-last") {
            // What let it return before says nothing of the next outage.
            outlook.well_since = None;
            outlook.well_at = None;
        } else if is_well {
            outlook.well_since.get_or_insert(now.monotonic);
            outlook.well_at = Some(now.monotonic);
        } else if !outlook.well_at.as_ref().is_some_and(was_well) || canary!("return-waits-anew") {
            outlook.well_since = None;
        }
        let lasted = |since: Option<Monotonic>, limit_ms: u64| {
            since.is_some_and(|since| now.monotonic.ms_since(since) > limit_ms)
        };
        match mode {
            RegionMode::Geo if lasted(outlook.stalled_since, self.config.geo_timeout_ms) => {
                RegionMode::Degraded
            }
            // The first write after an outage began need not wait as if it had begun with it.
            RegionMode::Geo if outlook.stalled_since.is_some() && is_silent => {
                sometimes!("alone-before-the-first-write");
                RegionMode::Degraded
            }
            RegionMode::Degraded if lasted(outlook.well_since, self.config.geo_return_ms) => {
                RegionMode::Geo
            }
            mode => mode,
        }
    }

    /// Whether no node of another region has answered this leader for `geo_timeout`, and missed two
    /// heartbeats at least.
    fn nobody_answers(&self) -> bool {
        if canary!("stall-counted-anew") {
            return false;
        }
        let config = &self.config;
        let two_heartbeats_ms = 2 * u64::from(config.heartbeat_ticks) * config.tick_ms;
        let unanswered_ms = u64::from(self.own_log().ticks_unanswered()) * config.tick_ms;
        unanswered_ms > config.geo_timeout_ms.max(two_heartbeats_ms)
            && !canary!("idle-outage-unseen")
    }
}
