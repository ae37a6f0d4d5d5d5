//! The merged order: all region logs sorted by (hlc, region, index) (billing.md §2). Stamps rise
//! within a log, so the lowest head of the logs comes next among what is known.

mod replay;

pub use replay::{CommittedLog, Replay};

use crate::canary;
use crate::ledger::Ledger;
use crate::ledger::store::StoreError;
use billing_wire::{Hlc, RecordView, RegionId};

/// The next committed entry of a region log that is not shown yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// Its stamp.
    pub hlc: Hlc,
    /// Its region log.
    pub region: RegionId,
}

/// Which head comes first. A log that has none is not waited for: what it commits later may
/// belong before this head, and the fold then takes back what is provisional.
pub fn lowest(heads: impl IntoIterator<Item = Option<Head>>) -> Option<Head> {
    heads.into_iter().flatten().min()
}

/// Folds the entry that comes next among what is known: for good when it is at or below the
/// watermark, else provisionally. `false`: it belongs before entries that were folded, which are
/// taken back now, and another one may come next.
///
/// # Errors
/// When the ledger's database cannot be believed.
pub fn place(
    ledger: &mut Ledger,
    entry: &RecordView<'_>,
    watermark: Hlc,
) -> Result<bool, StoreError> {
    let place = (entry.header.hlc, entry.header.region);
    let is_late = ledger.last_provisional().is_some_and(|last| place < last);
    if is_late && !canary!("arrival-order-fold") {
        ledger.rewind_to(place);
        return Ok(false);
    }
    if entry.header.hlc <= watermark && !ledger.is_provisional() {
        ledger.apply(entry)?;
    } else {
        ledger.apply_provisionally(entry)?;
    }
    Ok(true)
}

/// What is folded up to the watermark is final; whether anything became so.
pub fn settle(ledger: &mut Ledger, watermark: Hlc) -> bool {
    let mut settled = false;
    while ledger.first_provisional().is_some_and(|(hlc, _)| hlc <= watermark) {
        ledger.settle();
        settled = true;
    }
    ledger.set_watermark(watermark);
    settled
}

#[cfg(test)]
mod tests {
    use super::{Head, lowest};
    use billing_wire::{Hlc, RegionId};

    fn head(hlc: u64, region: u8) -> Option<Head> {
        Some(Head { hlc: Hlc(hlc), region: RegionId(region) })
    }

    #[test]
    fn the_lowest_head_is_next_and_ties_go_by_region() {
        assert_eq!(lowest([head(5, 0)]), head(5, 0));
        assert_eq!(lowest([head(5, 0), head(4, 1)]), head(4, 1));
        assert_eq!(lowest([head(5, 1), head(5, 0)]), head(5, 0));
        assert_eq!(lowest([head(5, 0), None]), head(5, 0));
        assert_eq!(lowest([None]), None);
    }
}
