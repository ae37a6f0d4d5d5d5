//! The logs in merged order: every submission with its place, sorted by (stamp, region, index,
//! offset), and what was logged again with the place that it had first.

use billing_wire::{Control, Frontier, Hash, OpId, Position, RecordKind, RecordView};
use std::collections::BTreeMap;

/// A submission in the logs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Logged<'a> {
    pub(crate) position: Position,
    pub(crate) op_id: OpId,
    pub(crate) fingerprint: Hash,
    /// Canonical bytes of its command.
    pub(crate) body: &'a [u8],
}

impl Logged<'_> {
    fn is_within(&self, frontier: &Frontier) -> bool {
        self.position.index <= frontier.of(self.position.region)
    }
}

/// The logs of a cluster.
#[derive(Debug)]
pub(crate) struct Merged<'a> {
    /// In merged order.
    pub(crate) submissions: Vec<Logged<'a>>,
    /// The operation at each place, those included that were logged again elsewhere.
    places: BTreeMap<Position, OpId>,
    /// The submissions of each operation, by number, ascending.
    operations: BTreeMap<OpId, Vec<usize>>,
    /// How far the logs go.
    ends: Frontier,
    /// Whether any log was sealed: what was shown before may have been left out since.
    pub(crate) is_sealed: bool,
}

impl<'a> Merged<'a> {
    pub(crate) fn of(logs: &[Vec<RecordView<'a>>]) -> Self {
        let mut merged = Self {
            submissions: Vec::new(),
            places: BTreeMap::new(),
            operations: BTreeMap::new(),
            ends: Frontier::default(),
            is_sealed: false,
        };
        for record in logs.iter().flatten() {
            merged.take(record);
        }
        merged.submissions.sort_by_key(|logged| {
            let Position { hlc, region, index, offset } = logged.position;
            (hlc, region, index, offset)
        });
        for (number, logged) in merged.submissions.iter().enumerate() {
            merged.operations.entry(logged.op_id).or_default().push(number);
        }
        merged
    }

    fn take(&mut self, record: &RecordView<'a>) {
        let header = &record.header;
        let next = self.ends.of(header.region) + 1;
        assert_eq!(header.index, next, "the log of region {} is dense", header.region);
        self.ends.set(header.region, next);
        self.is_sealed |= header.kind == RecordKind::RegionSealed;
        let origin = match record.control() {
            Control::Readmitted(origin) => Some(origin),
            _ => None,
        };
        for submission in record.submissions().flatten() {
            let position = header.position(submission.offset);
            let (op_id, fingerprint, body) =
                (submission.op_id, submission.fingerprint, submission.body);
            self.submissions.push(Logged { position, op_id, fingerprint, body });
            self.places.insert(position, op_id);
            if let Some(origin) = origin {
                let (hlc, region, index) = (origin.hlc, origin.region, origin.index);
                let before = Position { hlc, region, index, offset: submission.offset };
                self.places.insert(before, op_id);
            }
        }
    }

    /// The operation at a place.
    pub(crate) fn at(&self, position: &Position) -> Option<OpId> {
        self.places.get(position).copied()
    }

    /// Whether the logs go as far as that place.
    pub(crate) fn reaches(&self, position: &Position) -> bool {
        position.index <= self.ends.of(position.region)
    }

    /// Whether the logs go as far as an answer.
    pub(crate) fn covers(&self, frontier: &Frontier) -> bool {
        self.ends.covers(frontier)
    }

    /// The first submission of an operation in merged order, up to a frontier: more of the logs
    /// may put another one before it.
    pub(crate) fn first(&self, op_id: OpId, frontier: &Frontier) -> Option<&Logged<'a>> {
        let numbers = self.operations.get(&op_id)?;
        let mut submissions = numbers.iter().map(|number| &self.submissions[*number]);
        submissions.find(|logged| logged.is_within(frontier))
    }

    /// The submissions up to a frontier, in merged order.
    pub(crate) fn up_to(&self, frontier: &Frontier) -> impl Iterator<Item = &Logged<'a>> {
        self.submissions.iter().filter(|logged| logged.is_within(frontier))
    }
}
