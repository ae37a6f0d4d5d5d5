//! What a failed run is told as: its first violation, or that it is stuck, with the fingerprint
//! that groups it with others of its kind.

use billing_wire::OpId;
use billsim_oracle::Violation;
use billsim_record::Failure;

/// The failure of a run; `None`: there is none. Times are in simulated nanoseconds.
pub(crate) fn failure(
    violations: &[Violation],
    stuck: &[String],
    now: u64,
    events: u64,
    last_fault: Option<String>,
) -> Option<Failure> {
    let (oracle, promise, shape, detail, transaction, at) = match violations.first() {
        Some(v) => {
            (v.oracle, v.promise, v.shape.clone(), v.detail.clone(), v.transaction.clone(), v.at)
        }
        None => {
            stuck.first()?;
            let promise = "a healed core of two nodes resolves everything that clients wait for";
            ("L5", promise, shape_of(stuck), stuck.join("; "), None, now)
        }
    };
    let fingerprint = xxhash_rust::xxh3::xxh3_64(format!("{oracle}/{shape}").as_bytes());
    Some(Failure {
        oracle: oracle.to_owned(),
        promise: promise.to_owned(),
        detail,
        transaction,
        last_fault,
        at_ns: at,
        event: events,
        fingerprint: format!("{fingerprint:016x}"),
        further: violations.len().saturating_sub(1) as u64,
    })
}

/// The shape of being stuck: what groups failures that differ in numbers, operations and how far
/// each of them got. Which sentence comes first is chance; that a node is among them is not.
fn shape_of(stuck: &[String]) -> String {
    let is_of_a_write =
        |sentence: &String| sentence.split(' ').any(|word| word.parse::<OpId>().is_ok());
    if stuck.iter().any(|sentence| sentence.starts_with("node ")) {
        "a node does not catch up".to_owned()
    } else if stuck.iter().any(is_of_a_write) {
        "writes stay without a definite answer".to_owned()
    } else {
        stuck.iter().take(1).flat_map(|s| s.chars()).filter(|c| !c.is_ascii_digit()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::shape_of;

    #[test]
    fn being_stuck_has_a_shape_without_numbers_and_operations() {
        let write = |op_id| format!("RecordPayment {op_id} was sent 3 times: nothing came back");
        let (one, other) = (
            write("082045aa-f9e7-429f-8dfa-ecbd6d76e16a"),
            write("804b98fc-b395-5ec6-f91a-219f4244760b"),
        );
        let node = "node 2 has folded 57 of 60 entries".to_owned();
        assert_eq!(shape_of(std::slice::from_ref(&one)), shape_of(&[other.clone(), one.clone()]));
        assert_ne!(shape_of(std::slice::from_ref(&one)), shape_of(&[one, node.clone()]));
        assert_eq!(shape_of(std::slice::from_ref(&node)), shape_of(&[other, node]));
        let calls = |n: u32| shape_of(&[format!("{n} calls have no answer yet")]);
        assert_eq!(calls(3), calls(40));
    }
}
