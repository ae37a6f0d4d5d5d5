//! What a leader proposes: submissions in batches, and what it logs beside them.

use super::Node;
use crate::canary;
use crate::consensus::Consensus;
use crate::io::Role;
use crate::sometimes;
use crate::time::Now;
use billing_wire::record::encode_readmitted;
use billing_wire::{Control, Record, RecordHeader, RecordKind, RecordView, RegionMode, Submission};
use bytes::Bytes;

impl Node {
    /// Proposes what waits, as one entry. Only while no persist runs: what arrives meanwhile
    /// shares the next one.
    pub(super) fn propose(&mut self, now: Now) -> bool {
        let own = self.own_log();
        let may = self.persist.is_none()
            && own.role() == Role::Leader
            && own.uncommitted() < self.config.uncommitted_entries_max as u64
            && !self.skew.is_off(now);
        if !may {
            return false;
        }
        if let Some((kind, mode)) = self.own_accord(now) {
            return self.append(now, kind, mode, Vec::new());
        }
        if let Some(control) = self.to_log.pop_front() {
            let accepted = self.append_control(now, &control);
            if !accepted {
                self.to_log.push_front(control);
            }
            return accepted;
        }
        if let Some((_, orphan)) = self.orphans_to_log.pop_front() {
            return self.append_orphan(now, &orphan);
        }
        if !self.sessions.has_queued() {
            return false;
        }
        let age_ms = now.monotonic.ms_since(self.outlook.appended_at);
        if canary!("batch-waits-for-a-timer") && age_ms < 60 {
            return false;
        }
        if canary!("log-waits-for-mail") && self.mail.open_calls() > 0 {
            return false;
        }
        let term = self.own_log().term();
        let batch = self.sessions.take_queued(self.config.batch_submissions_max, term);
        if batch.len() > 1 {
            sometimes!("batch-of-many");
        }
        self.append(now, RecordKind::Submissions, self.logged_mode(), batch)
    }

    /// Proposes an entry for the end of the own region log.
    fn append(
        &mut self,
        now: Now,
        kind: RecordKind,
        mode: RegionMode,
        batch: Vec<Submission>,
    ) -> bool {
        let header = self.next_header(now, kind, mode);
        let mut record = Record { header, submissions: batch };
        let bytes = record.encode();
        let accepted = self.propose_record(now, bytes);
        if !accepted {
            self.sessions.put_back(record.submissions);
        }
        accepted
    }

    /// Proposes an entry of the system itself.
    fn append_control(&mut self, now: Now, control: &Control) -> bool {
        let kind = match control {
            Control::Sealed(_) => RecordKind::RegionSealed,
            Control::Restored { .. } => RecordKind::RegionRestored,
            Control::ChainPart(_) => RecordKind::ChainPart,
            Control::None | Control::Readmitted(_) => return false,
        };
        let header = self.next_header(now, kind, self.logged_mode());
        let bytes = Record { header, submissions: Vec::new() }.encode_with(control);
        self.propose_record(now, bytes)
    }

    /// Proposes the submissions of a record that a seal left out.
    fn append_orphan(&mut self, now: Now, orphan: &Bytes) -> bool {
        let Ok(view) = RecordView::decode(orphan) else { return false };
        sometimes!("orphan-readmitted");
        let mut header = self.next_header(now, RecordKind::Readmitted, self.logged_mode());
        let bytes = encode_readmitted(&mut header, &view);
        self.propose_record(now, bytes)
    }

    /// The header of the entry that comes next in the own region log.
    fn next_header(&mut self, now: Now, kind: RecordKind, mode: RegionMode) -> RecordHeader {
        let hlc = self.clock.stamp(self.last_stamp(), now.wall);
        let is_silent = canary!("degraded-logs-no-geo-index") && mode == RegionMode::Degraded;
        let geo_index = if is_silent { 0 } else { self.geo_live() };
        let own = self.own_log();
        let last = own.window().last();
        RecordHeader {
            kind,
            region: self.region,
            incarnation: own.incarnation(),
            index: last.map_or(0, |last| last.index) + 1,
            term: own.term(),
            hlc,
            geo_index,
            mode,
            prev_hash: last.map_or([0; 32], |last| last.hash),
            hash: [0; 32],
        }
    }

    fn propose_record(&mut self, now: Now, bytes: Vec<u8>) -> bool {
        let accepted = self.logs[usize::from(self.region.0)].propose(Bytes::from(bytes));
        if accepted {
            self.outlook.appended_at = now.monotonic;
        }
        accepted
    }
}
