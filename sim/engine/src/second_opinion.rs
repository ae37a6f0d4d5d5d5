//! What the second checker says of a run, and whether the two judges agree. Where they do not, one
//! of them is wrong, and until it is known which one no verdict stands.

use billing_shell::Replica;
use billing_wire::{RecordView, RegionId};
use billsim_checker::{Exported, Report, Rule, check};
use billsim_oracle::{Event, Violation};

/// Stands where a promise has its id.
const ORACLE: &str = "second-checker";
const WORDS: &str =
    "two judges of one run agree: a failure of the testbed, or what its oracles miss";
/// Oracles that judge the same as a rule of the second checker does, both ways.
const SAME: [(&str, Rule); 2] = [("O6", Rule::RealTime), ("R2", Rule::Session)];

/// The second opinion: over the history and the logs of the node that folded most. `None`: no node
/// is left, or its logs are damaged.
pub(crate) fn second_opinion(history: &[Event], replicas: &[Option<Replica>]) -> Option<Report> {
    let folded = |replica: &&Replica| replica.status().folded.0.iter().sum::<u64>();
    let replica = replicas.iter().flatten().max_by_key(folded)?;
    let mut logs = Vec::new();
    for (region, last) in (0_u8..).map(RegionId).zip(replica.status().folded.0) {
        let record = |index| RecordView::decode(replica.node().record(region, index)?).ok();
        logs.push((1..=last).map(record).collect::<Option<Vec<_>>>()?);
    }
    Some(check(&Exported { history, logs }))
}

/// Adds what the second checker found and no oracle did, if the run came to its end. Returns what
/// an oracle found and the second checker, which judges the same, did not.
pub(crate) fn compare(
    report: &Report,
    seen: &mut Vec<Violation>,
    stuck: &[String],
) -> Option<String> {
    let disagrees = missed_by_checker(report, seen);
    if stuck.is_empty() {
        seen.extend(missed_by_oracles(report, seen));
    }
    disagrees
}

fn missed_by_oracles(report: &Report, seen: &[Violation]) -> Option<Violation> {
    let finding = report.findings.first().filter(|_| seen.is_empty())?;
    let rule = finding.rule.name();
    Some(Violation {
        oracle: ORACLE,
        promise: WORDS,
        shape: format!("every oracle held, the second checker says: {rule}"),
        detail: format!("every oracle held; by the rule `{rule}`: {}", finding.detail),
        transaction: finding.operation.map(|op_id| op_id.to_string()),
        at: finding.at,
    })
}

fn missed_by_checker(report: &Report, seen: &[Violation]) -> Option<String> {
    let first = seen.first()?;
    let (_, rule) = SAME.iter().find(|(oracle, _)| *oracle == first.oracle)?;
    let rule = (!report.has(*rule)).then(|| rule.name())?;
    Some(format!("the second checker judges the same by its rule `{rule}` and saw nothing"))
}

#[cfg(test)]
mod tests {
    use super::{missed_by_checker, missed_by_oracles};
    use billsim_checker::{Finding, Report, Rule};
    use billsim_oracle::Violation;

    fn report(rule: Rule) -> Report {
        let finding = Finding { rule, at: 7, operation: None, detail: "told so".to_owned() };
        Report { findings: vec![finding], ..Report::default() }
    }

    fn violation(oracle: &'static str) -> Violation {
        let (shape, detail) = ("shape".to_owned(), "detail".to_owned());
        Violation { oracle, promise: "words", shape, detail, transaction: None, at: 3 }
    }

    #[test]
    fn what_one_judge_alone_sees_is_told() {
        let found = missed_by_oracles(&report(Rule::Cash), &[]).unwrap();
        assert_eq!((found.oracle, found.at), ("second-checker", 7));
        assert!(missed_by_oracles(&report(Rule::Cash), &[violation("A1")]).is_none());
        assert!(missed_by_oracles(&Report::default(), &[]).is_none());
        assert!(missed_by_checker(&Report::default(), &[violation("O6")]).is_some());
        assert!(missed_by_checker(&report(Rule::Cash), &[violation("R2")]).is_some());
        assert!(missed_by_checker(&report(Rule::RealTime), &[violation("O6")]).is_none());
        assert!(missed_by_checker(&Report::default(), &[violation("D2")]).is_none());
    }
}
