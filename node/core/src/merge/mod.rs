//! The merged order: all region logs sorted by (hlc, region, index) (billing.md §2). Stamps rise
//! within a log, so the lowest head of the logs comes next among what is known.

use billing_wire::{Hlc, RegionId};

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
