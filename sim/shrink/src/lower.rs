//! Smaller values of a number, and milder versions of a fault: what a search tries next.

use billsim_record::{Fault, PlannedFault};

/// A link that carries so much is not slow, in bytes per second.
const FAST_LINK: u32 = 1_000_000_000;

/// Values from `least` up to below `value`, smallest first: the least one, and fractions.
pub(crate) fn lower(value: u64, least: u64) -> Vec<u64> {
    let span = value.saturating_sub(least);
    let mut values = vec![0, span / 16, span / 4, span / 2, span - span.div_ceil(4)];
    values.dedup();
    values.retain(|part| *part < span);
    values.into_iter().map(|part| least + part).collect()
}

/// Shorter versions of a fault, shortest first; none of one that has no duration.
pub(crate) fn shorter(planned: &PlannedFault) -> Vec<PlannedFault> {
    let durations = lower(planned.for_ms, 1);
    durations.into_iter().map(|for_ms| PlannedFault { for_ms, ..*planned }).collect()
}

fn small(value: u32, least: u32) -> Vec<u32> {
    // All of them are below a number of 32 bits.
    lower(value.into(), least.into()).into_iter().map(|value| value as u32).collect()
}

fn signed(value: i64) -> Vec<i64> {
    let values = lower(value.unsigned_abs(), 1).into_iter();
    values.map(|size| size as i64 * value.signum()).collect()
}

/// Milder versions of a fault, mildest first; none of one that has no strength. Which disk step a
/// power cut strikes is a place and not a strength.
#[expect(
    clippy::too_many_lines,
    reason = "every kind is named, so that a new one is not forgotten"
)]
pub(crate) fn milder(planned: &PlannedFault) -> Vec<PlannedFault> {
    let faults: Vec<Fault> = match planned.fault {
        Fault::Loss { from, to, ppm } => {
            small(ppm, 1).into_iter().map(|ppm| Fault::Loss { from, to, ppm }).collect()
        }
        Fault::Duplicate { from, to, ppm } => {
            small(ppm, 1).into_iter().map(|ppm| Fault::Duplicate { from, to, ppm }).collect()
        }
        Fault::Reorder { from, to, ppm } => {
            small(ppm, 1).into_iter().map(|ppm| Fault::Reorder { from, to, ppm }).collect()
        }
        Fault::BitFlip { from, to, ppm } => {
            small(ppm, 1).into_iter().map(|ppm| Fault::BitFlip { from, to, ppm }).collect()
        }
        Fault::Delay { from, to, extra_us } => {
            let milder = small(extra_us, 1).into_iter();
            milder.map(|extra_us| Fault::Delay { from, to, extra_us }).collect()
        }
        Fault::SlowLink { from, to, bytes_per_s } => {
            let slowness = FAST_LINK.saturating_sub(bytes_per_s);
            let milder = small(slowness, 0).into_iter().map(|less| FAST_LINK - less);
            let doubled = bytes_per_s.checked_mul(2).filter(|bytes| *bytes < FAST_LINK / 2);
            let all = milder.chain(doubled);
            all.map(|bytes_per_s| Fault::SlowLink { from, to, bytes_per_s }).collect()
        }
        Fault::SlowDisk { node, factor } => {
            small(factor, 2).into_iter().map(|factor| Fault::SlowDisk { node, factor }).collect()
        }
        Fault::RegionSlow { region, factor } => {
            let milder = small(factor, 2).into_iter();
            milder.map(|factor| Fault::RegionSlow { region, factor }).collect()
        }
        Fault::WriteFails { node, count } => {
            small(count, 1).into_iter().map(|count| Fault::WriteFails { node, count }).collect()
        }
        Fault::SyncFails { node, count } => {
            small(count, 1).into_iter().map(|count| Fault::SyncFails { node, count }).collect()
        }
        Fault::ClockOffset { node, offset_ms } => {
            let milder = signed(offset_ms).into_iter();
            milder.map(|offset_ms| Fault::ClockOffset { node, offset_ms }).collect()
        }
        Fault::ClockDrift { node, ppm } => {
            let milder = signed(ppm.into()).into_iter();
            milder.map(|ppm| Fault::ClockDrift { node, ppm: ppm as i32 }).collect()
        }
        Fault::PowerCut { .. }
        | Fault::Kill { .. }
        | Fault::Restart { .. }
        | Fault::PowerCutAtWrite { .. }
        | Fault::CrashPoint { .. }
        // Less damage strikes other places.
        | Fault::SegmentRot { .. }
        | Fault::SuperblockRot { .. }
        | Fault::LedgerRot { .. }
        | Fault::Helix { .. }
        | Fault::ReadError { .. }
        | Fault::MisdirectedWrite { .. }
        | Fault::PhantomWrite { .. }
        | Fault::RepairRot { .. }
        | Fault::MisdirectedRead { .. }
        | Fault::LyingSync { .. }
        | Fault::Rollback { .. }
        | Fault::Wipe { .. }
        // Which write finds no space is a place, too.
        | Fault::DiskFull { .. }
        | Fault::PowerCutAll
        | Fault::Pause { .. }
        | Fault::Cut { .. }
        | Fault::RegionCut { .. }
        // A slower flapping is no milder: each of its cuts is longer.
        | Fault::RegionFlap { .. }
        | Fault::RegionDark { .. }
        | Fault::RegionWiped { .. }
        | Fault::RegionDestroyed { .. }
        | Fault::ZoneDark { .. }
        | Fault::Isolate { .. }
        | Fault::ClientCut { .. }
        | Fault::DiskStall { .. }
        | Fault::ClockFreeze { .. } => Vec::new(),
    };
    faults.into_iter().map(|fault| PlannedFault { fault, ..*planned }).collect()
}

#[cfg(test)]
mod tests {
    use super::{lower, milder, shorter};
    use billsim_record::{Fault, NodeNumber, PlannedFault};

    #[test]
    fn smaller_values_rise_towards_the_value_and_end() {
        assert_eq!(lower(100, 0), [0, 6, 25, 50, 75]);
        assert_eq!(lower(3, 1), [1, 2]);
        assert_eq!(lower(2, 1), [1]);
        assert_eq!(lower(1, 1), [0_u64; 0]);
        assert_eq!(lower(0, 1), [0_u64; 0]);
    }

    #[test]
    fn faults_become_shorter_and_milder_in_their_own_direction() {
        let (from, to) = (NodeNumber::at(0), NodeNumber::at(1));
        let of = |fault| PlannedFault { at_ms: 5, for_ms: 8, fault };
        let lasting = of(Fault::Isolate { node: from });
        assert_eq!(shorter(&lasting).iter().map(|f| f.for_ms).collect::<Vec<_>>(), [1, 2, 4, 6]);
        assert!(milder(&lasting).is_empty());
        let behind = milder(&of(Fault::ClockOffset { node: from, offset_ms: -4 }));
        let offsets = behind.iter().map(|planned| match planned.fault {
            Fault::ClockOffset { offset_ms, .. } => offset_ms,
            _ => 0,
        });
        assert_eq!(offsets.collect::<Vec<_>>(), [-1, -2, -3]);
        for planned in milder(&of(Fault::SlowLink { from, to, bytes_per_s: 1_000 })) {
            let Fault::SlowLink { bytes_per_s, .. } = planned.fault else { panic!("other kind") };
            assert!(bytes_per_s > 1_000, "a faster link is milder");
        }
    }
}
