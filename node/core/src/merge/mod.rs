//! The merged order: all region logs sorted by (hlc, region, index) (billing.md §2).
//!
//! An entry may be folded when nothing can come before it any more: when every region log has a
//! committed entry that is not yet folded, the lowest of these heads is next, because stamps
//! increase within a log. With one region that is simply its log.

use billing_wire::{Hlc, RegionId};

/// The next committed and unfolded entry of a region log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its stamp.
    pub hlc: Hlc,
    /// Its region log.
    pub region: RegionId,
}

/// Which region log's head is next; `None` while some region may still commit an earlier entry.
pub fn next(heads: impl IntoIterator<Item = Option<Head>>) -> Option<RegionId> {
    let mut lowest: Option<Head> = None;
    for head in heads {
        let head = head?;
        if lowest.is_none_or(|low| (head.hlc, head.region) < (low.hlc, low.region)) {
            lowest = Some(head);
        }
    }
    lowest.map(|head| head.region)
}

#[cfg(test)]
mod tests {
    use super::{Head, next};
    use billing_wire::{Hlc, RegionId};

    fn head(hlc: u64, region: u8) -> Option<Head> {
        Some(Head { hlc: Hlc(hlc), region: RegionId(region) })
    }

    #[test]
    fn the_lowest_head_is_next_and_a_silent_region_is_waited_for() {
        assert_eq!(next([head(5, 0)]), Some(RegionId(0)));
        assert_eq!(next([head(5, 0), head(4, 1)]), Some(RegionId(1)));
        assert_eq!(next([head(5, 0), head(5, 1)]), Some(RegionId(0)), "ties go by region");
        assert_eq!(next([head(5, 0), None]), None);
        assert_eq!(next([None]), None);
    }
}
