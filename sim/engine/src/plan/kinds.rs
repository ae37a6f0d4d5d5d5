//! Which kind a planned fault is of, and which of a seed's streams draws it.

use crate::scenario::FaultKind;
use crate::seed::Purpose;
use billsim_record::Fault;

/// The kind of a planned fault, as scenarios name it.
pub fn kind_of(fault: &Fault) -> FaultKind {
    match fault {
        Fault::PowerCut { .. } => FaultKind::PowerCut,
        Fault::Kill { .. } => FaultKind::Kill,
        Fault::Restart { .. } => FaultKind::Restart,
        Fault::PowerCutAtWrite { .. } => FaultKind::PowerCutAtWrite,
        Fault::CrashPoint { .. } => FaultKind::CrashPoint,
        Fault::PowerCutAll => FaultKind::PowerCutAll,
        Fault::Pause { .. } => FaultKind::Pause,
        Fault::Loss { .. } => FaultKind::Loss,
        Fault::Delay { .. } => FaultKind::Delay,
        Fault::Duplicate { .. } => FaultKind::Duplicate,
        Fault::Reorder { .. } => FaultKind::Reorder,
        Fault::BitFlip { .. } => FaultKind::BitFlip,
        Fault::SlowLink { .. } => FaultKind::SlowLink,
        Fault::Cut { .. } => FaultKind::Cut,
        Fault::Isolate { .. } => FaultKind::Isolate,
        Fault::ClientCut { .. } => FaultKind::ClientCut,
        Fault::SlowDisk { .. } => FaultKind::SlowDisk,
        Fault::DiskStall { .. } => FaultKind::DiskStall,
        Fault::RegionCut { .. } => FaultKind::RegionCut,
        Fault::RegionFlap { .. } => FaultKind::RegionFlap,
        Fault::RegionDark { .. } => FaultKind::RegionDark,
        Fault::RegionWiped { .. } => FaultKind::RegionWiped,
        Fault::RegionDestroyed { .. } => FaultKind::RegionDestroyed,
        Fault::RegionSlow { .. } => FaultKind::RegionSlow,
        Fault::ZoneDark { .. } => FaultKind::ZoneDark,
        Fault::WriteFails { .. } => FaultKind::WriteFails,
        Fault::SyncFails { .. } => FaultKind::SyncFails,
        Fault::DiskFull { .. } => FaultKind::DiskFull,
        Fault::SegmentRot { .. } => FaultKind::SegmentRot,
        Fault::SuperblockRot { .. } => FaultKind::SuperblockRot,
        Fault::LedgerRot { .. } => FaultKind::LedgerRot,
        Fault::Helix { .. } => FaultKind::Helix,
        Fault::Wipe { .. } => FaultKind::Wipe,
        Fault::ReadError { .. } => FaultKind::ReadError,
        Fault::MisdirectedWrite { .. } => FaultKind::MisdirectedWrite,
        Fault::PhantomWrite { .. } => FaultKind::PhantomWrite,
        Fault::RepairRot { .. } => FaultKind::RepairRot,
        Fault::MisdirectedRead { .. } => FaultKind::MisdirectedRead,
        Fault::LyingSync { .. } => FaultKind::LyingSync,
        Fault::Rollback { .. } => FaultKind::Rollback,
        Fault::ClockOffset { .. } => FaultKind::ClockOffset,
        Fault::ClockDrift { .. } => FaultKind::ClockDrift,
        Fault::ClockFreeze { .. } => FaultKind::ClockFreeze,
    }
}

pub(super) fn purpose(kind: FaultKind) -> Purpose {
    use FaultKind as K;
    match kind {
        K::PowerCut
        | K::Kill
        | K::Restart
        | K::PowerCutAll
        | K::Pause
        | K::Wipe
        | K::RegionDark
        | K::RegionWiped
        | K::RegionDestroyed
        | K::ZoneDark => Purpose::Process,
        K::PowerCutAtWrite
        | K::CrashPoint
        | K::SlowDisk
        | K::DiskStall
        | K::WriteFails
        | K::SyncFails
        | K::DiskFull
        | K::SegmentRot
        | K::SuperblockRot
        | K::LedgerRot
        | K::ReadError
        | K::MisdirectedWrite
        | K::PhantomWrite
        | K::MisdirectedRead
        | K::RepairRot
        | K::LyingSync
        | K::Rollback
        | K::Helix => Purpose::Disk,
        K::ClockOffset | K::ClockDrift | K::ClockFreeze => Purpose::Clock,
        K::Loss
        | K::Delay
        | K::Duplicate
        | K::Reorder
        | K::BitFlip
        | K::SlowLink
        | K::Cut
        | K::RegionCut
        | K::RegionFlap
        | K::RegionSlow
        | K::Isolate
        | K::ClientCut => Purpose::Net,
    }
}
