//! D2: at quiescence, every receipt is looked up in the merged order. That each live node has
//! that order is C1, O2 and A2.

use crate::catalogue::Promise;
use crate::facts::Facts;
use crate::verdicts::Verdicts;

pub(crate) const WORDS: &str = "no acknowledged transaction is ever lost or changed";

pub(crate) fn settled(facts: &Facts, verdicts: &mut Verdicts, at: u64) {
    for (op_id, known) in &facts.operations {
        let Some((position, disposition)) = known.told else { continue };
        let logged = facts.model.operation(*op_id);
        let kept = logged.is_some_and(|logged| {
            (logged.position, logged.disposition) == (position, disposition)
                && known.has_body(&logged.fingerprint)
        });
        verdicts.check(Promise::D2, at, Some(*op_id), kept, || match logged {
            None => {
                let shape = "acknowledged and not in the log".to_owned();
                (shape, format!("acknowledged at {position} and nowhere in the merged order"))
            }
            Some(logged) => {
                let shape = "acknowledged and changed".to_owned();
                let told = format!("told {} at {position}", disposition.name());
                let (name, place) = (logged.disposition.name(), logged.position);
                (shape, format!("{told}, the merged order has it {name} at {place}"))
            }
        });
    }
}
