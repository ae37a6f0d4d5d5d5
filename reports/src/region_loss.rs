//! The region-loss verdict in words: how many transactions of each grade were kept and lost, how
//! far back the loss goes, how long clients waited, and what became of each transaction.

use crate::layout::{count, plural};
use billsim_record::{Fate, Fates, LossVerdict, Outage, TransactionFate};
use std::collections::BTreeMap;
use std::fmt::Write;

// Writing into a String cannot fail, hence the dropped results below.

/// Tables and list. `lines_max` bounds the list; what is left out is counted.
pub fn region_loss(verdict: &LossVerdict, lines_max: usize) -> String {
    let mut out = String::new();
    for outage in &verdict.outages {
        outage_of(&mut out, outage);
    }
    let _ = writeln!(out, "\nall regions, by the grade that clients were told");
    table(&mut out, &verdict.fates);
    let is_gone = |region: u8| {
        verdict.outages.iter().any(|outage| outage.loss.is_some() && outage.region == region)
    };
    let listed: Vec<&TransactionFate> = verdict
        .transactions
        .iter()
        .filter(|one| one.fate != Fate::Kept || (one.grade == "region" && is_gone(one.region)))
        .collect();
    let _ = writeln!(
        out,
        "\n{} acknowledged as `region` by a region that is gone, or not kept:",
        plural(listed.len() as u64, "transaction")
    );
    for one in listed.iter().take(lines_max) {
        let seconds = one.acknowledged_ms as f64 / 1e3;
        let (op_id, client, fate) = (&one.op_id, one.client, one.fate.words());
        let _ = writeln!(
            out,
            "  {op_id}  region {}  {:<6}  client {client:>4}  {seconds:>8.3} s  {fate}",
            one.region, one.grade
        );
    }
    if listed.len() > lines_max {
        let _ = writeln!(out, "  and {} more", count((listed.len() - lines_max) as u64));
    }
    out
}

/// Every outage of a region without what was lost: for runs in which none was destroyed.
pub fn outages(outages: &[Outage]) -> String {
    let mut out = String::new();
    outages.iter().for_each(|outage| outage_of(&mut out, outage));
    out
}

fn outage_of(out: &mut String, outage: &Outage) {
    let Outage { region, kind, at_ms, behind_edge, clients, recovered, rto_ms, loss } = outage;
    let _ = writeln!(out, "\n{kind} of region {region} at {} ms", count(*at_ms));
    let clients = plural(*clients, "client");
    let how = if *behind_edge { "behind an edge" } else { "that try nodes themselves" };
    let _ = writeln!(out, "  RTO    {recovered} of {clients} {how} succeeded again");
    if let Some([p50, p99, max]) = rto_ms {
        let _ = writeln!(out, "         after p50 {p50} ms, p99 {p99} ms, max {max} ms");
    }
    let Some(loss) = loss else { return };
    let _ = write!(out, "  RPO    {} lost", plural(loss.rpo_transactions, "transaction"));
    let _ = match loss.rpo_age_ms {
        Some(age) => writeln!(out, ", the oldest acknowledged {} ms before", count(age)),
        None => writeln!(out),
    };
    let announced = match loss.announced {
        Some(entries) => format!("{} announced by the region", plural(entries, "record")),
        None => "nobody left to announce any".to_owned(),
    };
    let _ = writeln!(
        out,
        "  log    {} committed, {} on the disks of another region; {} exposed, {announced}",
        count(loss.committed),
        count(loss.geo_index),
        count(loss.exposed),
    );
    table(out, &loss.fates);
}

fn table(out: &mut String, fates: &BTreeMap<String, Fates>) {
    let _ = writeln!(
        out,
        "  {:<8}{:>14}{:>10}{:>14}{:>14}{:>12}",
        "grade", "acknowledged", "kept", "lost allowed", "lost outside", "duplicated"
    );
    for (grade, one) in fates {
        let _ = writeln!(
            out,
            "  {grade:<8}{:>14}{:>10}{:>14}{:>14}{:>12}",
            count(one.acknowledged),
            count(one.kept),
            count(one.lost_as_graded),
            count(one.lost_outside),
            count(one.duplicated),
        );
    }
}
