//! S2: behind the end of a sealed chain stands nothing of its incarnation, and what the seal left
//! out, known by its hash, is appended again exactly once when its region is back.

use crate::catalogue::Promise;
use crate::facts::Facts;
use crate::orphans::LeftOut;
use crate::verdicts::Verdicts;
use billing_wire::{Control, RecordView};

pub(crate) const WORDS: &str =
    "what a sealed region had logged behind its seal is logged again, exactly once";

/// A record is the next of its log.
pub(crate) fn committed(
    facts: &mut Facts,
    verdicts: &mut Verdicts,
    at: u64,
    record: &RecordView<'_>,
) {
    let header = &record.header;
    let region = header.region;
    if facts.finality.has_sealed(region) {
        let current = facts.finality.incarnation(region);
        verdicts.check(Promise::S2, at, None, header.incarnation == current, || {
            let (found, expected) = (header.incarnation.0, current.0);
            let detail = format!(
                "region {region}, entry {}: it is of incarnation {found}, not {expected}",
                header.index
            );
            ("an entry of another incarnation".to_owned(), detail)
        });
    }
    let Control::Readmitted(origin) = record.control() else { return };
    let is_in_chain = facts.log(origin.region).hash(origin.index) == Some(&origin.hash);
    verdicts.check(Promise::S2, at, None, !is_in_chain, || {
        let detail = format!("entry {} of region {}", origin.index, origin.region);
        ("an entry of the sealed chain was appended again".to_owned(), detail)
    });
    let times = facts.orphans.note_readmitted(origin.hash);
    verdicts.check(Promise::S2, at, None, times == 1, || {
        let detail = format!("entry {} of region {}: {times} times", origin.index, origin.region);
        ("an entry was readmitted again".to_owned(), detail)
    });
}

/// An entry lies outside a sealed chain that no tail rule may leave out.
pub(crate) fn left_out(verdicts: &mut Verdicts, at: u64, left_out: LeftOut) {
    let (header, shape) = match left_out {
        LeftOut::Final(header) => (header, "a seal left out what was final"),
        LeftOut::Geo(header) => (header, "a seal left out what was geo-durable"),
    };
    verdicts.check(Promise::S2, at, None, false, || {
        let detail =
            format!("entry {} of region {} at {}", header.index, header.region, header.hlc);
        (shape.to_owned(), detail)
    });
}

/// At quiescence: nothing that a region that is back had committed is missing.
pub(crate) fn settled(facts: &Facts, verdicts: &mut Verdicts, at: u64) {
    for (hash, orphan) in facts.orphans.iter() {
        let header = &orphan.header;
        let is_back = facts.finality.sealed(header.region).is_none();
        // One that was readmitted in an incarnation that was sealed in turn is known by another
        // hash; its submissions are looked for by their operations (D2).
        let is_plain = header.kind == billing_wire::RecordKind::Submissions;
        if orphan.operations.is_empty() || !is_back || !is_plain {
            continue;
        }
        let times = facts.orphans.readmitted(hash);
        verdicts.check(Promise::S2, at, None, times == 1, || {
            let detail = format!("entry {} of region {}: {times}", header.index, header.region);
            ("an entry that a seal left out was not readmitted".to_owned(), detail)
        });
    }
}
