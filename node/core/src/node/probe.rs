//! Whether this node can serve, proven by what its log does and not by the process being there: a
//! node that answers probes while its region commits nothing must not get anybody's request.

use super::{Node, STALL_ELECTIONS};
use crate::consensus::Consensus;
use crate::io::{Probe, Role, Unfit};
use crate::time::{Monotonic, Now};
use billing_wire::LogIndex;

/// The commit index of the own region log, and since when it has not moved although entries wait.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    committed: LogIndex,
    waits_since: Option<Monotonic>,
}

impl Progress {
    fn note(&mut self, now: Monotonic, committed: LogIndex, last: LogIndex) {
        if last == committed {
            self.waits_since = None;
        } else if committed > self.committed || self.waits_since.is_none() {
            self.waits_since = Some(now);
        }
        self.committed = committed;
    }
}

impl Node {
    /// Looks at the log after a step.
    pub(super) fn note_progress(&mut self, now: Now) {
        let own = self.own_log();
        let (committed, last) = (own.committed(), own.window().last_index());
        self.progress.note(now.monotonic, committed, last);
    }

    /// What a prober is told.
    pub(super) fn probe(&self, now: Now) -> Probe {
        let leader = self.own_log().leader();
        Probe { node: self.config.node, leader, unfit: self.unfit(now) }
    }

    fn unfit(&self, now: Now) -> Option<Unfit> {
        let own = self.own_log();
        let since = |then: Monotonic| now.monotonic.ms_since(then);
        let election_ms = self.config.election_ms();
        let folded = own.window().get(self.ledger.shown().of(self.region));
        if self.stopping {
            Some(Unfit::Stopping)
        } else if own.leader().is_none() {
            Some(Unfit::NoLeader)
        } else if own.role() != Role::Leader && since(self.heard_own_leader_at()) > election_ms {
            Some(Unfit::LeaderSilent)
        } else if folded.map_or(0, |last| last.header.term) != own.term() {
            Some(Unfit::NotCaughtUp)
        } else if self
            .progress
            .waits_since
            .is_some_and(|t| since(t) > STALL_ELECTIONS * election_ms)
        {
            Some(Unfit::LogStalled)
        } else if self.disk_stalls(now) {
            Some(Unfit::DiskStalled)
        } else if self.skew.is_off(now) {
            Some(Unfit::ClockOff)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;
    use crate::time::Monotonic;

    #[test]
    fn a_log_waits_from_its_last_progress_on() {
        let mut progress = Progress::default();
        let at = |ms: u64| Monotonic(ms * 1_000_000);
        progress.note(at(1), 0, 0);
        assert_eq!(progress.waits_since, None, "nothing to commit");
        progress.note(at(2), 0, 1);
        progress.note(at(3), 0, 2);
        assert_eq!(progress.waits_since, Some(at(2)), "more work is no progress");
        progress.note(at(4), 1, 2);
        assert_eq!(progress.waits_since, Some(at(4)));
        progress.note(at(5), 2, 2);
        assert_eq!(progress.waits_since, None);
    }
}
