//! Bounds of what may be written: every decoder checks them before it allocates.

/// Regions in a cluster (billing.md §1).
pub const REGIONS_MAX: usize = 5;
/// Nodes in a region (billing.md §1).
pub const MEMBERS_MAX: usize = 7;
/// Submissions in one entry of a region log.
pub const SUBMISSIONS_PER_RECORD_MAX: usize = 512;
/// Bytes of one encoded record.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
/// Bytes of one encoded frame between nodes.
pub const FRAME_BYTES_MAX: usize = 8 << 20;
/// Bytes of one piece of the end of a log that is about to be sealed.
pub const CHAIN_PART_BYTES_MAX: usize = 48 << 10;
/// Bytes of one canonical command body.
pub const COMMAND_BYTES_MAX: usize = 8 << 10;
/// Bytes of a free text field (provider name, external reference).
pub const TEXT_BYTES_MAX: usize = 128;
/// Meter reads in one `RecordRead` command.
pub const READS_PER_COMMAND_MAX: usize = 100;
/// Items in one page of history.
pub const HISTORY_PAGE_MAX: u16 = 500;
