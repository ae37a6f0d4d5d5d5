//! What was acknowledged stands where its receipt says, under the operation that asked for it.

use crate::calls::Calls;
use crate::merged::Merged;
use crate::{Report, Rule};

pub(crate) fn check(calls: &Calls<'_>, merged: &Merged<'_>, report: &mut Report) {
    for told in &calls.acknowledged {
        let position = &told.receipt.position;
        let found = merged.at(position);
        // What a seal left out and nobody could log again, or what lies behind these logs: how
        // much of it may be lost is a matter of grades and disks, which this judge does not know.
        if found.is_none() && (merged.is_sealed || !merged.reaches(position)) {
            continue;
        }
        let what = (Rule::Stands, told.at, Some(told.op_id));
        report.compare(what, found == Some(told.op_id), || {
            let found = found.map_or("nothing".to_owned(), |op_id| op_id.to_string());
            format!("acknowledged at {position}, where the logs have {found}")
        });
    }
}
