//! The same oracles over a run of real processes: what its clients saw, and the logs that its
//! nodes left on disk.

use crate::evidence::Judgement;
use crate::history::{Event, History, Request};
use crate::jury::Jury;
use billing_wire::Genesis;

/// Judges a run that is over. `logs` has, per node in the order of [`Genesis::nodes`], the bytes
/// of its *committed* records, each region log in index order. When a record was committed is
/// not known, so all records are told before the history; what needs disks or times of commits
/// (D1, D8, D9, D10, C1, D7, O5, A2, L1, L3, L4, L5) compares nothing here.
pub fn judge_real_run(genesis: &Genesis, history: &History, logs: &[Vec<Vec<u8>>]) -> Judgement {
    let mut jury = Jury::new(genesis);
    let mut end = 0;
    for event in history {
        if let Event::Invoke { request: Request::Write(submission, ..), .. } = event {
            jury.will_submit(submission);
        }
        let (Event::Invoke { at, .. } | Event::Return { at, .. }) = event;
        end = end.max(*at);
    }
    for (node, records) in genesis.nodes().zip(logs) {
        for record in records {
            jury.committed(end, node, record);
        }
    }
    for event in history {
        jury.client(event);
    }
    jury.settled(end);
    jury.finish()
}
