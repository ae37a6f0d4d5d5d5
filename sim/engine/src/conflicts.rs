//! Conflict coverage: which conflicting pairs of the command table (billing.md §6) met in the
//! merged order of a run, and in which order. Two submissions meet when they touch the same thing
//! and were logged by different regions: those are the ones that no region could order alone. Read
//! from the logs at the end of a run, not from the node, and counted as `sometimes!` marks, so that
//! a sweep lists the pairs that it never had in both orders.

use billing_shell::Replica;
use billing_wire::limits::REGIONS_MAX;
use billing_wire::{
    AccountId, BillingPeriod, CommandView, Date, MeterId, OpId, RecordView, RegionId,
    ServicePointId, SubmissionView,
};
use std::collections::BTreeMap;

/// What a submission does, as far as others can be in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Open,
    Close,
    Payment,
    Reversal,
    Refund,
    Payout,
    Adjustment,
    Invoice,
    Read,
    /// Anything, sent again.
    Operation,
}

impl Deed {
    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Close => "close",
            Self::Payment => "payment",
            Self::Reversal => "reversal",
            Self::Refund => "refund",
            Self::Payout => "payout",
            Self::Adjustment => "adjustment",
            Self::Invoice => "invoice",
            Self::Read => "read",
            Self::Operation => "operation",
        }
    }
}

/// Kinds of deeds.
const DEEDS: usize = 10;

/// Deeds that are in each other's way when they touch the same thing.
const PAIRS: [(Deed, Deed); 15] = [
    (Deed::Open, Deed::Payment),
    (Deed::Open, Deed::Adjustment),
    (Deed::Open, Deed::Invoice),
    (Deed::Open, Deed::Close),
    (Deed::Close, Deed::Payment),
    (Deed::Close, Deed::Reversal),
    (Deed::Close, Deed::Refund),
    (Deed::Close, Deed::Adjustment),
    (Deed::Close, Deed::Invoice),
    (Deed::Close, Deed::Read),
    (Deed::Payment, Deed::Reversal),
    (Deed::Payment, Deed::Refund),
    (Deed::Reversal, Deed::Refund),
    (Deed::Refund, Deed::Payout),
    (Deed::Read, Deed::Invoice),
];

/// Deeds that are in the way of another of their kind: which region's came first tells the orders
/// apart.
const RIVALS: [Deed; 7] = [
    Deed::Open,
    Deed::Close,
    Deed::Reversal,
    Deed::Refund,
    Deed::Invoice,
    Deed::Read,
    Deed::Operation,
];

/// What is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Account(AccountId),
    Payment(OpId),
    Refund(OpId),
    Month(AccountId, BillingPeriod),
    MeterDay(MeterId, Date),
    Operation(OpId),
}

impl Thing {
    /// Whether two deeds are in each other's way on it: not all that touches an account is.
    fn is_about(self, a: Deed, b: Deed) -> bool {
        let has = |deed: Deed| a == deed || b == deed;
        match self {
            Self::Account(_) => has(Deed::Open) || has(Deed::Close),
            Self::Month(..) => has(Deed::Invoice),
            Self::Payment(_) | Self::Refund(_) | Self::MeterDay(..) | Self::Operation(_) => true,
        }
    }
}

/// Deeds on a thing so far: a bit per deed, by region.
type Touched = [u16; REGIONS_MAX];

/// The merged order, read from its beginning.
#[derive(Debug, Default)]
struct Conflicts {
    touched: BTreeMap<Thing, Touched>,
    /// Whose payment it is.
    payments: BTreeMap<OpId, AccountId>,
    /// Who was last to open at a service point, which has the number of its meter.
    service_points: BTreeMap<ServicePointId, AccountId>,
    /// How often the second deed met the first, by both.
    pairs: [[u64; DEEDS]; DEEDS],
    /// How often a deed met one of its kind, by the deed and whether that was of a lower region.
    rivals: [[u64; 2]; DEEDS],
}

/// Adds how often each pair met, in the merged order up to where a node has folded it for good.
///
/// # Panics
/// When a folded record is gone or does not verify.
pub(crate) fn count(replica: &Replica, into: &mut BTreeMap<String, u64>) {
    let to = replica.status().folded;
    let mut records = Vec::new();
    for (region, last) in (0_u8..).map(RegionId).zip(to.0) {
        for index in 1..=last {
            let bytes = replica.node().record(region, index).expect("a folded record is kept");
            records.push(RecordView::decode(bytes).expect("a folded record verifies"));
        }
    }
    records.sort_by_key(|view| (view.header.hlc, view.header.region, view.header.index));
    let mut conflicts = Conflicts::default();
    for view in &records {
        for submission in view.submissions().flatten() {
            conflicts.take(view.header.region, &submission);
        }
    }
    for (name, times) in conflicts.found() {
        *into.entry(name).or_default() += times;
    }
}

impl Conflicts {
    fn take(&mut self, region: RegionId, submission: &SubmissionView<'_>) {
        let op_id = submission.op_id;
        self.touch(region, Thing::Operation(op_id), Deed::Operation);
        let Ok(command) = CommandView::decode(submission.body) else { return };
        match command {
            CommandView::OpenAccount { account, service_point, .. } => {
                self.service_points.insert(service_point, account);
                self.touch(region, Thing::Account(account), Deed::Open);
            }
            CommandView::CloseAccount { account, .. } => {
                self.touch(region, Thing::Account(account), Deed::Close);
            }
            CommandView::RecordPayment { account, .. } => {
                self.payments.insert(op_id, account);
                self.touch(region, Thing::Payment(op_id), Deed::Payment);
                self.touch(region, Thing::Account(account), Deed::Payment);
            }
            CommandView::ReversePayment { payment, .. } => {
                self.touch_payment(region, payment, Deed::Reversal);
            }
            CommandView::RequestRefund { payment, .. } => {
                self.touch(region, Thing::Refund(op_id), Deed::Refund);
                self.touch_payment(region, payment, Deed::Refund);
            }
            CommandView::ConfirmPayout { refund, .. } => {
                self.touch(region, Thing::Refund(refund), Deed::Payout);
            }
            CommandView::PostAdjustment { account, .. } => {
                self.touch(region, Thing::Account(account), Deed::Adjustment);
            }
            CommandView::IssueInvoice { account, period, .. } => {
                self.touch(region, Thing::Month(account, period), Deed::Invoice);
                self.touch(region, Thing::Account(account), Deed::Invoice);
            }
            CommandView::RecordRead { reads } => {
                for read in reads.iter() {
                    self.read(region, read.meter, read.date);
                }
            }
        }
    }

    fn touch_payment(&mut self, region: RegionId, payment: OpId, deed: Deed) {
        self.touch(region, Thing::Payment(payment), deed);
        if let Some(account) = self.payments.get(&payment).copied() {
            self.touch(region, Thing::Account(account), deed);
        }
    }

    fn read(&mut self, region: RegionId, meter: MeterId, date: Date) {
        self.touch(region, Thing::MeterDay(meter, date), Deed::Read);
        if let Some(account) = self.service_points.get(&ServicePointId(meter.0)).copied() {
            self.touch(region, Thing::Account(account), Deed::Read);
            self.touch(region, Thing::Month(account, BillingPeriod::of(date)), Deed::Read);
        }
    }

    /// Every mark that was reached, and how often.
    fn found(&self) -> BTreeMap<String, u64> {
        let both = PAIRS.into_iter().flat_map(|(a, b)| [(a, b), (b, a)]);
        let pairs = both.map(|(first, second)| {
            (in_order(first, second), self.pairs[first as usize][second as usize])
        });
        let rivals = RIVALS.into_iter().flat_map(|deed| {
            let of_lower = |is_lower| self.rivals[deed as usize][usize::from(is_lower)];
            [false, true].map(|is_lower| (behind(deed, is_lower), of_lower(is_lower)))
        });
        pairs.chain(rivals).filter(|(_, times)| *times > 0).collect()
    }

    /// Counts what it meets there, and leaves its own trace.
    fn touch(&mut self, region: RegionId, thing: Thing, deed: Deed) {
        let here = usize::from(region.0);
        let touched = self.touched.entry(thing).or_default();
        let before = *touched;
        touched[here] |= 1 << deed as u16;
        for (place, deeds) in before.into_iter().enumerate() {
            if deeds == 0 || place == here {
                continue;
            }
            let met = |other: Deed| deeds & (1 << other as u16) != 0 && thing.is_about(other, deed);
            for (a, b) in PAIRS.into_iter().filter(|(a, b)| *a == deed || *b == deed) {
                let first = if deed == b { a } else { b };
                if met(first) {
                    self.pairs[first as usize][deed as usize] += 1;
                }
            }
            if RIVALS.contains(&deed) && met(deed) {
                self.rivals[deed as usize][usize::from(place < here)] += 1;
            }
        }
    }
}

fn in_order(first: Deed, second: Deed) -> String {
    format!("{}-then-{}", first.name(), second.name())
}

fn behind(deed: Deed, lower_first: bool) -> String {
    let region = if lower_first { "lower" } else { "higher" };
    format!("{}-after-that-of-a-{region}-region", deed.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks;
    use billing_wire::Command;

    #[test]
    fn every_pair_has_its_marks_in_both_orders() {
        let both = PAIRS.into_iter().flat_map(|(a, b)| [in_order(a, b), in_order(b, a)]);
        let rivals = RIVALS.into_iter().flat_map(|deed| [behind(deed, true), behind(deed, false)]);
        let known = |name: &String| marks::CATALOGUE.contains(&name.as_str());
        let missing: Vec<String> = both.chain(rivals).filter(|name| !known(name)).collect();
        assert_eq!(missing, Vec::<String>::new());
    }

    fn take(conflicts: &mut Conflicts, region: u8, op: u128, command: &Command) {
        let (mut body, fingerprint) = (Vec::new(), command.fingerprint());
        command.encode(&mut body);
        let (offset, op_id) = (0, OpId(op));
        let view = SubmissionView { offset, op_id, fingerprint, body: &body };
        conflicts.take(RegionId(region), &view);
    }

    #[test]
    fn what_different_regions_did_to_one_thing_counts_in_its_order() {
        let (account, date) = (AccountId(1), Date(20_000));
        let (provider, external_ref) = (String::new(), String::new());
        let pay = Command::RecordPayment { account, amount: 1, date, provider, external_ref };
        let close = Command::CloseAccount { account, date };
        let mut conflicts = Conflicts::default();
        take(&mut conflicts, 0, 1, &pay);
        take(&mut conflicts, 0, 2, &close);
        assert_eq!(conflicts.found(), BTreeMap::new(), "one region orders what it does itself");
        take(&mut conflicts, 1, 3, &close);
        take(&mut conflicts, 0, 4, &pay);
        take(&mut conflicts, 1, 4, &pay);
        let expected = [
            ("close-after-that-of-a-lower-region", 1),
            ("close-then-payment", 2),
            ("operation-after-that-of-a-lower-region", 1),
            ("payment-then-close", 1),
        ];
        assert_eq!(conflicts.found(), expected.map(|(name, n)| (name.to_owned(), n)).into());
    }
}
