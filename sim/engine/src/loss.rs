//! The region-loss verdict of a run: what the oracles found on the disks and what the clients
//! waited for, put together for the outcome and for people.

use billing_wire::Grade;
use billsim_oracle::{Destruction, Fated, LossReport};
use billsim_record::region_loss::LOSS_VERDICT_FORMAT;
use billsim_record::{Fate, Fates, LossVerdict, Outage, Outcome, RegionLoss, TransactionFate};
use std::collections::BTreeMap;

const MS: u64 = 1_000_000;

fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Region => "region",
        Grade::Geo => "geo",
        Grade::Final => "final",
    }
}

fn fate(fate: billsim_oracle::Fate) -> Fate {
    match fate {
        billsim_oracle::Fate::Kept => Fate::Kept,
        billsim_oracle::Fate::LostAsGraded => Fate::LostAsGraded,
        billsim_oracle::Fate::LostOutsideItsGrade => Fate::LostOutsideItsGrade,
        billsim_oracle::Fate::Duplicated => Fate::Duplicated,
    }
}

/// Fates per grade; every grade is named, so that a zero is seen.
fn counted<'a>(fates: impl Iterator<Item = &'a Fated>) -> BTreeMap<String, Fates> {
    let grades = [Grade::Region, Grade::Geo, Grade::Final].map(grade);
    let mut counted: BTreeMap<String, Fates> =
        grades.into_iter().map(|name| (name.to_owned(), Fates::default())).collect();
    for one in fates {
        let name = grade(one.acknowledged.grade);
        counted.entry(name.to_owned()).or_default().add(fate(one.fate));
    }
    counted
}

/// Fates of all acknowledged transactions per grade, and the outages with what they cost.
pub(crate) fn measure(
    report: Option<&LossReport>,
    outages: impl Iterator<Item = Outage>,
) -> (Vec<Outage>, BTreeMap<String, Fates>) {
    let mut outages: Vec<Outage> = outages.collect();
    let Some(report) = report else { return (outages, BTreeMap::new()) };
    for gone in &report.destructions {
        let of_it = |outage: &&mut Outage| {
            outage.region == gone.region.0 && outage.kind == "region-destroyed"
        };
        if let Some(outage) = outages.iter_mut().find(of_it) {
            outage.loss = Some(loss_of(gone, &report.fates));
        }
    }
    (outages, counted(report.fates.iter()))
}

fn loss_of(gone: &Destruction, fates: &[Fated]) -> RegionLoss {
    let of_region = || fates.iter().filter(|one| one.acknowledged.position.region == gone.region);
    let is_lost = |one: &&Fated| {
        use billsim_oracle::Fate as F;
        matches!(one.fate, F::LostAsGraded | F::LostOutsideItsGrade)
    };
    let oldest = of_region().filter(is_lost).map(|one| one.acknowledged.at).min();
    RegionLoss {
        committed: gone.committed,
        geo_index: gone.geo_index,
        exposed: gone.committed.saturating_sub(gone.geo_index),
        announced: gone.announced.map(|word| word.exposure),
        fates: counted(of_region()),
        rpo_transactions: of_region().filter(is_lost).count() as u64,
        rpo_age_ms: oldest.map(|at| gone.at.saturating_sub(at) / MS),
    }
}

/// The verdict to the last transaction; `None` when no region was destroyed.
pub(crate) fn verdict(report: Option<&LossReport>, outcome: &Outcome) -> Option<LossVerdict> {
    let report = report?;
    let mut transactions: Vec<TransactionFate> = report.fates.iter().map(told).collect();
    // What is not kept comes first, worst first; of the kept ones the weakly graded.
    transactions.sort_by_key(|one| {
        let severity = match one.fate {
            Fate::LostOutsideItsGrade => 0,
            Fate::Duplicated => 1,
            Fate::LostAsGraded => 2,
            Fate::Kept => 3,
        };
        (severity, one.grade != "region", one.acknowledged_ms)
    });
    Some(LossVerdict {
        format: LOSS_VERDICT_FORMAT,
        scenario: outcome.scenario.clone(),
        seed: outcome.seed,
        trace_hash: outcome.trace_hash.clone(),
        outages: outcome.outages.clone(),
        fates: outcome.fates.clone(),
        transactions,
    })
}

fn told(one: &Fated) -> TransactionFate {
    TransactionFate {
        op_id: one.op_id.to_string(),
        client: one.acknowledged.session,
        grade: grade(one.acknowledged.grade).to_owned(),
        position: one.acknowledged.position.to_string(),
        region: one.acknowledged.position.region.0,
        acknowledged_ms: one.acknowledged.at / MS,
        fate: fate(one.fate),
    }
}
