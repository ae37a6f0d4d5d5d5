//! Under which conditions a run is judged as a whole: a spike with nothing wrong (L6), mail with
//! nothing else wrong (S4), a long run with one thing wrong at a time (L7). All of it can be read
//! from what was drawn.

use super::World;
use billsim_record::{Fault, PlannedFault};
use std::collections::BTreeSet;
use std::ops::Range;

/// From the end of one fault until the next one the cluster finds back, in milliseconds.
const APART_MS: u64 = 20_000;
/// In nanoseconds.
const MS: u64 = 1_000_000;

impl World {
    /// Tells the oracles what kind of run this is.
    pub(super) fn announce_conditions(&mut self) {
        if self.provider.is_some() {
            self.jury.bank_opens();
        }
        if self.mail.is_some() {
            self.jury.mail_opens();
        }
        let faults = &self.plan.faults;
        if faults.is_empty()
            && let Some((from, until)) = self.clients.spike()
        {
            self.jury.spike(from, until);
        }
        if faults.is_empty() && self.mail.is_some() && self.clients.spike().is_none() {
            self.jury.only_mail_fails();
        }
        let regions: Vec<_> = self.regions().map(|region| self.region_slots(region)).collect();
        if !faults.is_empty() && are_single(faults) {
            self.jury.one_fault_at_a_time(unserved(faults, &regions));
        }
    }
}

/// Whether no fault begins before the one before it is long over. What is drawn as one fault may
/// be several links with the same times.
fn are_single(faults: &[PlannedFault]) -> bool {
    faults.windows(2).all(|pair| {
        let (before, next) = (times(&pair[0]), times(&pair[1]));
        before == next || before.0 + before.1 + APART_MS <= next.0
    })
}

fn times(planned: &PlannedFault) -> (u64, u64) {
    (planned.at_ms, planned.for_ms)
}

/// From when to when, in nanoseconds, no node of any region and a majority of that region hear each
/// other. What is drawn as one cut may be all links of all nodes: then nobody can lead, anywhere.
fn unserved(faults: &[PlannedFault], regions: &[Range<usize>]) -> Vec<Range<u64>> {
    let groups = faults.chunk_by(|one, next| times(one) == times(next));
    let unserved = groups.filter(|struck| {
        let cut_of = |planned: &PlannedFault| match planned.fault {
            Fault::Cut { from, to } => Some((from.slot(), to.slot())),
            _ => None,
        };
        let cuts: BTreeSet<(usize, usize)> = struck.iter().filter_map(cut_of).collect();
        let hear = |a, b| a == b || !(cuts.contains(&(a, b)) || cuts.contains(&(b, a)));
        let can_lead = |region: &Range<usize>| {
            let heard_by = |a| region.clone().filter(|b| hear(a, *b)).count();
            region.clone().any(|node| 2 * heard_by(node) > region.len())
        };
        !regions.iter().any(can_lead)
    });
    let lasts = |(at_ms, for_ms): (u64, u64)| at_ms * MS..(at_ms + for_ms) * MS;
    unserved.map(|struck| lasts(times(&struck[0]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use billsim_record::NodeNumber;

    /// When nobody is served while all links of two regions of three are cut but those.
    fn all_cut_but(whole: &[(u8, u8)]) -> Vec<Range<u64>> {
        let pairs = (0..6).flat_map(|from| (0..6).map(move |to| (from, to)));
        let faults: Vec<PlannedFault> = pairs
            .filter(|(from, to)| from != to && !whole.contains(&(*from, *to)))
            .map(|(from, to)| (NodeNumber::at(from), NodeNumber::at(to)))
            .map(|(from, to)| PlannedFault { at_ms: 5, for_ms: 9, fault: Fault::Cut { from, to } })
            .collect();
        assert!(are_single(&faults));
        unserved(&faults, &[0..3, 3..6])
    }

    #[test]
    fn nobody_is_served_where_no_node_and_a_majority_hear_each_other() {
        let meanwhile = 5 * MS..14 * MS;
        let (whole_time, never) = (vec![meanwhile], Vec::new());
        assert_eq!(all_cut_but(&[]), whole_time);
        assert_eq!(all_cut_but(&[(3, 4)]), whole_time, "one direction is not enough");
        assert_eq!(all_cut_but(&[(2, 3), (3, 2)]), whole_time, "they are of two regions");
        assert_eq!(all_cut_but(&[(3, 4), (4, 3)]), never, "two of three");
        let dark = PlannedFault { at_ms: 5, for_ms: 9, fault: Fault::RegionDark { region: 0 } };
        assert_eq!(unserved(&[dark], &[0..3, 3..6]), never);
    }

    #[test]
    fn what_overlaps_or_follows_closely_is_not_single() {
        let fault = |at_ms, for_ms| PlannedFault { at_ms, for_ms, fault: Fault::PowerCutAll };
        assert!(are_single(&[fault(1_000, 500), fault(1_000, 500), fault(21_500, 0)]));
        assert!(!are_single(&[fault(1_000, 500), fault(21_499, 0)]));
        assert!(!are_single(&[fault(1_000, 500), fault(1_000, 600)]));
    }
}
