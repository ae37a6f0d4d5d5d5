//! A journal under test: two region logs, records for them, and what the journal must remember.

use billing_core::journal::{RegionPromise, Superblock, Tail, Writer, first_steps, recover};
use billing_wire::{
    AccountId, ClusterId, Command, Date, Genesis, Hlc, Incarnation, LogIndex, NodeId, OpId, Record,
    RecordHeader, RecordKind, RegionId, RegionMembers, RegionMode, Submission,
};
use bytes::Bytes;

pub(crate) use crate::memory_directory::Directory;

/// The node whose journal it is.
pub(crate) const NODE: NodeId = NodeId(2);
/// Region logs.
pub(crate) const REGIONS: u8 = 2;

pub(crate) fn genesis() -> Genesis {
    let region = |region: u8| RegionMembers {
        region: RegionId(region),
        name: format!("region {region}"),
        incarnation: Incarnation(0),
        nodes: (1..=3).map(|node| NodeId(u16::from(region) * 3 + node)).collect(),
    };
    Genesis {
        cluster: ClusterId(0xb111),
        currency: *b"EUR",
        secret: [7; 32],
        regions: (0..REGIONS).map(region).collect(),
    }
}

/// A directory as `init` leaves it.
pub(crate) fn initialised() -> Directory {
    let mut directory = Directory::default();
    directory.run(&first_steps(&genesis(), NODE));
    directory
}

/// A region log as it must be read back.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Log {
    pub(crate) records: Vec<Bytes>,
    pub(crate) term: u64,
    pub(crate) vote: u64,
    pub(crate) commit: LogIndex,
    headers: Vec<RecordHeader>,
}

impl Log {
    /// Cuts the log to `kept` records and appends one of `texts` bytes and more.
    pub(crate) fn append(
        &mut self,
        region: u8,
        kept: usize,
        length: usize,
    ) -> (RecordHeader, Bytes) {
        self.headers.truncate(kept);
        self.records.truncate(kept);
        let prev = self.headers.last();
        let header = RecordHeader {
            kind: RecordKind::Submissions,
            region: RegionId(region),
            incarnation: Incarnation(0),
            index: kept as u64 + 1,
            term: self.term,
            hlc: prev.map_or(Hlc::from_ms(1), |prev| prev.hlc.next()),
            geo_index: 0,
            mode: RegionMode::Geo,
            prev_hash: prev.map_or([0; 32], |prev| prev.hash),
            hash: [0; 32],
        };
        let command = Command::RecordPayment {
            account: AccountId(kept as u64),
            amount: 1,
            date: Date(20_000),
            provider: "bank".into(),
            external_ref: "x".repeat(length),
        };
        let op_id = OpId(u128::from(self.term) << 64 | kept as u128);
        let mut record = Record { header, submissions: vec![Submission { op_id, command }] };
        let bytes = Bytes::from(record.encode());
        self.headers.push(record.header);
        self.records.push(bytes.clone());
        (record.header, bytes)
    }

    fn of(promise: &RegionPromise, records: Vec<Bytes>) -> Self {
        let header = |bytes: &Bytes| billing_wire::RecordView::decode(bytes).unwrap().header;
        let headers: Vec<RecordHeader> = records.iter().map(header).collect();
        assert_eq!(promise.durable_index, records.len() as u64);
        assert_eq!(promise.last_hash, headers.last().map_or([0; 32], |last| last.hash));
        let RegionPromise { term, vote, commit, .. } = *promise;
        Self { records, term, vote, commit, headers }
    }
}

/// What a directory holds, read back, with the recovery's steps carried out.
pub(crate) struct Reopened {
    pub(crate) logs: Vec<Log>,
    pub(crate) superblock: Superblock,
    pub(crate) tails: Vec<Tail>,
    pub(crate) steps: Vec<billing_core::DiskStep>,
}

impl Reopened {
    pub(crate) fn read(directory: &Directory) -> Self {
        let (found, steps) = recover(&genesis(), NODE, directory.image())
            .unwrap_or_else(|error| panic!("what power cuts leave is never refused: {error}"));
        let tails = found.logs.iter().map(|log| log.tail).collect();
        let logs = found.superblock.regions.iter().zip(found.logs);
        let logs = logs.map(|(promise, log)| Log::of(promise, log.records)).collect();
        Self { logs, superblock: found.superblock, tails, steps }
    }

    pub(crate) fn writer(&self, segment_bytes: u64) -> Writer {
        Writer::new(genesis().cluster, segment_bytes, self.superblock.clone(), &self.tails)
    }
}
