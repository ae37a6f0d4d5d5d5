//! All oracles over a run that did everything right: what judging costs. Items are writes.

#[path = "../tests/promises/stage.rs"]
#[expect(dead_code, reason = "what the tests of the promises need beside")]
mod stage;

use billing_wire::{AccountId, Command, Date, ServicePointId};
use billsim_oracle::judge_real_run;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use stage::{NODES, Stage};

const WRITES: u64 = 1_000;

fn main() {
    divan::main();
}

#[divan::bench]
fn all_oracles(bencher: Bencher<'_, '_>) {
    let (mut stage, date) = (Stage::new(), Date(20_000));
    let (account, service_point) = (AccountId(1), ServicePointId(1));
    let opening = Command::OpenAccount { account, service_point, date };
    stage.write_through_edge(0, 1, opening, 1_000_000);
    for number in 1..WRITES {
        let (provider, external_ref) = ("bank".to_owned(), format!("transfer {number}"));
        let command = Command::RecordPayment { account, amount: 100, date, provider, external_ref };
        stage.write_through_edge(number as u32 % 16, 1 + u128::from(number), command, 1_000_000);
    }
    let logs = vec![stage.records.clone(); NODES.len()];
    bencher.counter(ItemsCount::new(WRITES)).bench_local(|| {
        let judgement = judge_real_run(&stage.genesis, black_box(&stage.history), &logs);
        assert!(judgement.violations.is_empty(), "{:?}", judgement.violations);
        judgement
    });
}
