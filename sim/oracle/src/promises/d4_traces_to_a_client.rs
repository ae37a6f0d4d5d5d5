//! D4: the fingerprint is taken here, over the bytes of the log, and compared with what clients
//! sent.

use crate::catalogue::Promise;
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::RecordView;
use billing_wire::command::fingerprint;

pub(crate) const WORDS: &str = "everything in the log is exactly what some client sent";

pub(crate) fn committed(facts: &Facts, verdicts: &mut Verdicts, at: u64, record: &RecordView<'_>) {
    let empty = record.header.kind.has_submissions() || record.count == 0;
    verdicts.check(Promise::D4, at, None, empty, || {
        let (kind, index) = (record.header.kind, record.header.index);
        let shape = format!("entry of kind {kind:?} with submissions");
        let (kind, count) = (words::entry_kind(kind), record.count);
        (shape, format!("entry {index} is {kind}, and carries {count} submissions"))
    });
    for submission in record.submissions().flatten() {
        let found = fingerprint(submission.body);
        let known = facts.operations.get(&submission.op_id);
        let sent = known.is_some_and(|known| known.has_body(&found));
        let holds = sent && found == submission.fingerprint;
        verdicts.check(Promise::D4, at, Some(submission.op_id), holds, || {
            let shape = match (known, sent) {
                (None, _) => "an operation that no client sent",
                (Some(_), false) => "a body that no client sent",
                (Some(_), true) => "a body beside its fingerprint",
            };
            let place = record.header.position(submission.offset);
            (shape.to_owned(), format!("submission at {place}: {shape}"))
        });
    }
}
