//! The list of planted bugs: an oracle that none of them reaches has not been shown to see
//! anything. That each is caught in fact is `cargo canary`'s to show.

use billsim_engine::oracles;
use std::collections::BTreeSet;

#[test]
fn every_oracle_has_a_canary_of_its_own() {
    let list = include_str!("../../../scenarios/canaries.toml");
    let list: toml::Table = list.parse().expect("the list is TOML");
    let mut alone = BTreeSet::new();
    for (section, expectation) in &list {
        let oracles = expectation["oracles"].as_array().expect("a list of ids");
        let ids = oracles.iter().map(|id| id.as_str().expect("an id"));
        assert_eq!(ids.clone().count(), 1, "{section}: one oracle, so that it is the right one");
        alone.extend(ids);
    }
    // The second checker is no oracle, and must be shown to see all the same.
    let promised: BTreeSet<_> = oracles().map(|(id, _)| id).chain(["second-checker"]).collect();
    assert_eq!(alone, promised);
}
