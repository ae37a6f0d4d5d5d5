//! Mail: which notices a leader has in hand, and when the mail service is asked. Nothing else waits
//! for it: a notice is of the lowest priority (billing.md §9), and what is in hand may be lost at
//! any moment. The ledger has every invoice; the next leader asks again under the same key.
//!
//! One breaker for all notices: while the service fails one call at a time finds out whether it
//! still does, and the pauses between them grow.

use super::{HOST_GRACE_MS, Pace};
use crate::io::Notice;
use crate::sometimes;
use crate::time::Monotonic;
use billing_wire::{DocumentNumber, Incarnation, OpId, RegionId};
use std::collections::BTreeMap;

/// Notices in hand, at most; the others wait in the ledger.
const IN_HAND_MAX: usize = 64;
/// Calls that are open at once, at most.
const OPEN_MAX: usize = 4;
/// A new leader looks so many invoices of each series back: the leader before it may not have got
/// them out. The service knows those that it has by their keys; older ones are given up.
pub const LOOKED_BACK: u64 = 1_000;

/// The notices that a leader has in hand.
#[derive(Debug)]
pub struct Mail {
    pace: Pace,
    /// With the time of their call, if one is open.
    in_hand: BTreeMap<OpId, (Notice, Option<Monotonic>)>,
    /// Failures in a row.
    failures: u32,
    /// The service is left alone until then.
    rests_until: Monotonic,
    /// Draws so far.
    draws: u64,
    /// Of each series, up to which number notices were taken in hand.
    searched: BTreeMap<(RegionId, Incarnation), u64>,
}

impl Mail {
    /// Nothing in hand.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            in_hand: BTreeMap::new(),
            failures: 0,
            rests_until: Monotonic::default(),
            draws: 0,
            searched: BTreeMap::new(),
        }
    }

    /// This node leads no longer: the next leader sends.
    pub fn clear(&mut self) {
        *self = Self { draws: self.draws, ..Self::new(self.pace) };
    }

    /// Whether there is room for another notice.
    pub fn has_room(&self) -> bool {
        self.in_hand.len() < IN_HAND_MAX
    }

    /// Calls that are open.
    pub fn open_calls(&self) -> usize {
        self.in_hand.values().filter(|(_, since)| since.is_some()).count()
    }

    /// The next number of a series that ends at `last` whose notice is not in hand yet.
    pub fn next_of(&self, region: RegionId, incarnation: Incarnation, last: u64) -> u64 {
        let searched = self.searched.get(&(region, incarnation)).copied();
        searched.unwrap_or(last.saturating_sub(LOOKED_BACK)) + 1
    }

    /// Nothing up to this number has to be looked at again.
    pub fn searched(&mut self, number: &DocumentNumber) {
        self.searched.insert((number.region, number.incarnation), number.ordinal);
    }

    /// Takes a notice in hand.
    pub fn take(&mut self, notice: Notice) {
        self.in_hand.insert(notice.key, (notice, None));
    }

    /// Calls that were not answered in time have failed: the host may have lost the answer.
    pub fn expire(&mut self, now: Monotonic) {
        let limit_ms = self.pace.timeout_ms + HOST_GRACE_MS;
        let is_late =
            |since: &Option<Monotonic>| since.is_some_and(|since| now.ms_since(since) > limit_ms);
        let late = self.in_hand.iter().filter(|(_, (_, since))| is_late(since));
        let late: Vec<OpId> = late.map(|(key, _)| *key).collect();
        for key in late {
            self.done(now, key, false);
        }
    }

    /// Opens calls, as many as may be open.
    pub fn start_calls(&mut self, now: Monotonic, mut call: impl FnMut(Notice)) {
        if now < self.rests_until {
            return;
        }
        let most = if self.failures > 0 { 1 } else { OPEN_MAX };
        let free = most.saturating_sub(self.open_calls());
        let waiting = self.in_hand.values_mut().filter(|(_, since)| since.is_none());
        for (notice, since) in waiting.take(free) {
            if self.failures > 0 {
                sometimes!("mail-tried-again");
            }
            *since = Some(now);
            call(*notice);
        }
    }

    /// A call ended. The answer to an earlier call of the same notice says as much.
    pub fn done(&mut self, now: Monotonic, key: OpId, is_taken: bool) {
        if is_taken {
            self.failures = 0;
            self.rests_until = now;
            self.in_hand.remove(&key);
            return;
        }
        let Some((_, since)) = self.in_hand.get_mut(&key) else { return };
        *since = None;
        if now >= self.rests_until {
            self.draws += 1;
            let pause_ms = self.pace.pause_ms(key, self.failures, self.draws);
            self.rests_until = now.plus_ms(pause_ms);
            self.failures += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use billing_wire::{AccountId, DocumentKind};

    fn mail() -> Mail {
        Mail::new(Pace {
            seed: 7,
            currency: *b"EUR",
            in_flight_max: 16,
            timeout_ms: 2_000,
            retry_ms: 200,
            retry_max_ms: 10_000,
        })
    }

    fn number(ordinal: u64) -> DocumentNumber {
        let (region, incarnation) = (RegionId(0), Incarnation(1));
        DocumentNumber { region, incarnation, kind: DocumentKind::Invoice, ordinal }
    }

    fn notice(key: u128) -> Notice {
        Notice {
            key: OpId(key),
            account: AccountId(1),
            invoice: number(key as u64),
            total: 100,
            currency: *b"EUR",
            timeout_ms: 2_000,
        }
    }

    fn at(ms: u64) -> Monotonic {
        Monotonic(ms * 1_000_000)
    }

    fn called(mail: &mut Mail, now: Monotonic) -> Vec<u128> {
        let mut calls = Vec::new();
        mail.start_calls(now, |notice| calls.push(notice.key.0));
        calls
    }

    #[test]
    fn a_service_that_fails_is_asked_once_at_a_time_and_ever_more_rarely() {
        let mut mail = mail();
        (1..=6).for_each(|key| mail.take(notice(key)));
        assert_eq!(called(&mut mail, at(0)), [1, 2, 3, 4]);
        mail.done(at(10), OpId(2), true);
        assert_eq!(called(&mut mail, at(10)), [5], "one more for each that is taken");
        mail.done(at(20), OpId(1), false);
        assert_eq!(called(&mut mail, at(21)), [0; 0], "it rests");
        for key in [3, 4, 5] {
            mail.done(at(30), OpId(key), false);
        }
        assert_eq!(called(&mut mail, at(300)), [1], "one finds out");
        mail.expire(at(2_600));
        assert_eq!(called(&mut mail, at(2_700)), [0; 0], "no answer is a failure");
        assert_eq!(called(&mut mail, at(3_100)), [1]);
        mail.done(at(3_200), OpId(1), true);
        assert_eq!(called(&mut mail, at(3_200)), [3, 4, 5, 6]);
    }

    #[test]
    fn a_new_leader_looks_back_so_far_and_no_further() {
        let mut mail = mail();
        let next = |mail: &Mail, last| mail.next_of(RegionId(0), Incarnation(1), last);
        assert_eq!((next(&mail, 5), next(&mail, LOOKED_BACK + 5)), (1, 6));
        mail.searched(&number(5));
        assert_eq!(next(&mail, LOOKED_BACK * 3), 6, "what it has seen itself it does not skip");
        mail.clear();
        assert_eq!(next(&mail, 5), 1);
    }
}
