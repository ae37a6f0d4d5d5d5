//! The proof of each oracle: a history that keeps the promise passes without a word, and the same
//! history with one thing broken is called by its name.

mod archives;
mod bills;
mod books;
mod durability;
mod liveness;
mod order;
mod payouts;
mod reads;
mod regions;
mod seals;
mod stage;

use billing_wire::{AccountId, Query};
use billsim_oracle::{CATALOGUE, judge_real_run};
use stage::{NODES, Stage, local, open, pay};
use std::collections::BTreeSet;

/// Id of a promise, shape of its violation, and a history that breaks it if told to.
type Case = (&'static str, &'static str, fn(&mut Stage, bool));

fn cases() -> impl Iterator<Item = &'static Case> {
    let all = [durability::CASES, order::CASES, books::CASES, bills::CASES, reads::CASES];
    all.into_iter()
        .chain([regions::CASES, seals::CASES, payouts::CASES, liveness::CASES, archives::CASES])
        .flatten()
}

#[test]
fn each_oracle_fires_on_what_breaks_its_promise() {
    for (id, shape, play) in cases() {
        let mut stage = Stage::new();
        play(&mut stage, true);
        assert!(stage.jury.first_violation().is_some(), "{id} '{shape}' was not seen");
        let found = stage.jury.finish().violations;
        let named = found.iter().find(|v| v.oracle == *id && v.shape == *shape);
        assert!(named.is_some(), "{id} '{shape}' is not among {found:?}");
        let words = CATALOGUE.iter().find(|(name, _)| name == id).map(|(_, words)| *words);
        assert_eq!(named.map(|v| v.promise), words);
    }
}

#[test]
fn each_oracle_is_silent_and_at_work_when_its_promise_is_kept() {
    for (id, shape, play) in cases() {
        let mut stage = Stage::new();
        play(&mut stage, false);
        let judgement = stage.jury.finish();
        assert_eq!(judgement.violations, [], "{id} '{shape}'");
        assert!(judgement.comparisons[id] > 0, "{id} '{shape}' compared nothing");
    }
}

#[test]
fn every_promise_of_the_catalogue_is_proved() {
    let proved: BTreeSet<_> = cases().map(|(id, _, _)| *id).collect();
    let promised: BTreeSet<_> = CATALOGUE.iter().map(|(id, _)| *id).collect();
    assert_eq!(proved, promised);
    assert_eq!(CATALOGUE.len(), promised.len());
}

#[test]
fn a_real_run_is_judged_by_the_same_oracles() {
    let mut stage = Stage::new();
    stage.write(1, 1, open(1));
    stage.write(1, 2, pay(1, 5));
    stage.read(local(Query::Balance { account: AccountId(1) }), |_| {});
    let whole = vec![stage.records.clone(); NODES.len()];
    let judgement = judge_real_run(&stage.genesis, &stage.history, &whole);
    assert_eq!(judgement.violations, []);
    for id in ["D2", "D4", "O1", "O2", "O4", "O6", "A9", "I1", "I2", "R1", "L8"] {
        assert!(judgement.comparisons[id] > 0, "{id} compared nothing");
    }
    let cut = vec![stage.records[..1].to_vec(); NODES.len()];
    let lost = judge_real_run(&stage.genesis, &stage.history, &cut);
    assert!(lost.violations.iter().any(|v| v.oracle == "D2"), "{:?}", lost.violations);
}
