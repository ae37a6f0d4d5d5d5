//! What is planned, in words: how strong, when, how long.

use crate::plan::{Fault, PlannedAction, PlannedFault};
use std::fmt::{self, Display, Formatter};

impl Fault {
    /// How strong it is, with its unit; `None` for a kind that has no strength.
    pub fn strength(&self) -> Option<String> {
        Some(match *self {
            Self::Loss { ppm, .. }
            | Self::Duplicate { ppm, .. }
            | Self::Reorder { ppm, .. }
            | Self::BitFlip { ppm, .. } => format!("{ppm} ppm of the frames"),
            Self::Delay { extra_us, .. } => format!("{extra_us} us longer"),
            Self::SlowLink { bytes_per_s, .. } => format!("{bytes_per_s} bytes per second"),
            Self::SlowDisk { factor, .. } | Self::RegionSlow { factor, .. } => {
                format!("{factor} times as long")
            }
            Self::RegionFlap { period_ms, .. } => format!("every {period_ms} ms"),
            Self::PowerCutAtWrite { step, .. } => format!("at disk step {step}"),
            Self::CrashPoint { step, moment, again: None, .. } => {
                format!("{} disk step {step}", moment.name())
            }
            Self::CrashPoint { step, moment, again: Some(again), .. } => format!(
                "{} disk step {step}, then {} step {} of the recovery",
                moment.name(),
                again.moment.name(),
                again.step
            ),
            Self::WriteFails { count, .. } => format!("{count} of the writes"),
            Self::SyncFails { count, .. } => format!("{count} of the syncs"),
            Self::DiskFull { bytes_left, .. } => format!("{bytes_left} bytes left"),
            Self::SegmentRot { bytes, .. }
            | Self::SuperblockRot { bytes, .. }
            | Self::LedgerRot { bytes, .. } => match bytes {
                0 => "one bit".to_owned(),
                bytes => format!("{bytes} bytes"),
            },
            Self::ReadError { bytes, .. } => format!("{bytes} bytes"),
            Self::MisdirectedWrite { reach: 1, .. } => "to the next sector".to_owned(),
            Self::MisdirectedWrite { reach: 2, .. } => "elsewhere in its file".to_owned(),
            Self::MisdirectedWrite { .. } => "into another file".to_owned(),
            Self::RegionWiped { disks, .. } => format!("{disks} disks"),
            Self::Helix { spread: true, .. } => "good copies on all nodes".to_owned(),
            Self::Helix { spread: false, .. } => "good copies on one node".to_owned(),
            Self::ClockOffset { offset_ms, .. } => format!("by {offset_ms} ms"),
            Self::ClockDrift { ppm, .. } => format!("by {ppm} ppm"),
            Self::PowerCut { .. }
            | Self::Kill { .. }
            | Self::Restart { .. }
            | Self::PowerCutAll
            | Self::Pause { .. }
            | Self::Cut { .. }
            | Self::RegionCut { .. }
            | Self::RegionDark { .. }
            | Self::RegionDestroyed { .. }
            | Self::ZoneDark { .. }
            | Self::Isolate { .. }
            | Self::ClientCut { .. }
            | Self::DiskStall { .. }
            | Self::Wipe { .. }
            | Self::PhantomWrite { .. }
            | Self::RepairRot { .. }
            | Self::MisdirectedRead { .. }
            | Self::LyingSync { .. }
            | Self::Rollback { .. }
            | Self::ClockFreeze { .. } => return None,
        })
    }
}

impl Display for PlannedAction {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "operator seals region {} at {} ms", self.seal, self.at_ms)
    }
}

impl Display for PlannedFault {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let (kind, target) = (self.fault.kind(), self.fault.target());
        write!(out, "{kind} of {target} at {} ms", self.at_ms)?;
        if self.for_ms > 0 {
            write!(out, " for {} ms", self.for_ms)?;
        }
        Ok(())
    }
}
