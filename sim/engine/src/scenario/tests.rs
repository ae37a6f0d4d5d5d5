//! The shipped files parse; what is wrong in a file is said with its place.

use super::{Between, FaultKind, NodeOverrides, Profiles, Scenario, scenario_schema};
use billing_core::Config;
use billing_wire::{ClusterId, Genesis, NodeId};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn read(name: &str) -> String {
    let path = folder().join(format!("{name}.toml"));
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn every_scenario_file_parses() {
    let mut names = Vec::new();
    for room in ["smoke", "regressions"] {
        for entry in std::fs::read_dir(folder().join(room)).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.extension().is_some_and(|e| e == "toml") {
                let stem = path.file_stem().expect("a file has a name").to_string_lossy();
                names.push(format!("{room}/{stem}"));
            }
        }
    }
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        let scenario = Scenario::parse(&name, &read(&name)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(scenario.name, name);
    }
}

#[test]
fn profiles_name_scenarios_that_exist() {
    let profiles = Profiles::parse("profiles", &read("profiles")).expect("it parses");
    for name in ["smoke", "pr"] {
        let runs = &profiles.0[name].runs;
        assert!(!runs.is_empty());
        for run in runs {
            Scenario::parse(&run.scenario, &read(&run.scenario)).expect("it parses");
        }
    }
}

#[test]
fn a_profile_without_runs_or_seeds_is_refused() {
    let empty = "[nightly]\nabout = \"x\"\nruns = []\n";
    let none = "[nightly]\nabout = \"x\"\nruns = [{ scenario = \"a\", seeds = 0 }]\n";
    let said = [empty, none]
        .map(|text| Profiles::parse("profiles", text).expect_err("it is refused").to_string());
    insta::assert_snapshot!(said.join("\n\n"));
}

/// The message for `smoke/everything` with one change.
fn refusal(from: &str, to: &str) -> String {
    let text = read("smoke/everything");
    assert!(text.contains(from), "the file does not contain {from:?}");
    let text = text.replacen(from, to, 1);
    Scenario::parse("test", &text).expect_err(to).to_string()
}

#[test]
fn wrong_keys_are_refused_with_their_place_and_the_nearest_name() {
    let said = [
        refusal("clients = 64", "clints = 64"),
        refusal("[faults.power-cut]", "[faults.powercut]"),
        refusal("    \"kill\",", "    \"killed\","),
        refusal("settle_limit_s", "zebra"),
        refusal("safety_s = 60", "safety_s = \"a minute\""),
        refusal("per_minute = [1, 6]", "per_minute = 6"),
        refusal("accounts = 40\n", ""),
        refusal("clients = 64", "clients = "),
    ];
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn values_out_of_bounds_are_refused_with_their_place() {
    let said = [
        refusal("clients = 64", "clients = 0"),
        refusal("nodes_per_region = 3", "nodes_per_region = 4"),
        refusal("transactions_per_s = [22, 26]", "transactions_per_s = [26, 22]"),
        refusal("payment = 60", "payment = 0"),
        refusal("retry_storm_ppm = 8_000", "retry_storm_ppm = 999_999"),
        refusal("segment_bytes = [8192, 1048576]", "segment_bytes = [512, 1048576]"),
        refusal("[node]", "[node]\nelection_ticks = [3, 9]\nheartbeat_ticks = [1, 3]"),
        refusal("intensity = [2, 200]", ""),
        refusal("intensity = [2, 200]", "intensity = [1, 200]"),
        refusal("[faults.write-fails]", "[faults.write-fails]\nduration_ms = [1, 2]"),
        refusal("[faults.kill]", "[faults.kill]\nintensity = [1, 2]"),
        refusal("[phases]", "[swarm]\nnone_percent = 101\n[phases]"),
    ];
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn a_required_kind_must_be_drawn() {
    let text = read("smoke/crash").replacen("\"kill\"", "\"bit-flip\"", 1);
    let said = Scenario::parse("test", &text).expect_err("it is refused").to_string();
    insta::assert_snapshot!(said);
}

#[test]
fn kinds_have_the_names_of_the_plan() {
    for (kind, number) in FaultKind::ALL.into_iter().zip(1..) {
        let name = serde_json::to_value(kind).expect("a kind is a word");
        assert_eq!(name, kind.name());
        assert_eq!(kind as u64, number, "{name}");
    }
}

#[test]
fn the_schema_knows_every_key() {
    let schema: serde_json::Value =
        serde_json::from_str(&scenario_schema()).expect("a schema is JSON");
    let parsed = Scenario::parse("x", &read("smoke/everything")).expect("it parses");
    let written = serde_json::to_value(&parsed).expect("it can be written");
    for key in written.as_object().expect("a table").keys() {
        assert!(schema["properties"].get(key).is_some(), "{key} is not in the schema");
    }
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema["properties"].get("name").is_none(), "the name is the path");
}

#[test]
fn overrides_reach_the_configuration_within_their_bounds() {
    let between = |min, max| Some(Between { min, max });
    let overrides = NodeOverrides {
        tick_ms: between(20, 40),
        segment_bytes: between(8_192, 16_384),
        batch_submissions_max: between(7, 7),
        ..NodeOverrides::default()
    };
    let genesis = Arc::new(Genesis {
        cluster: ClusterId(1),
        currency: *b"EUR",
        secret: [0; 32],
        regions: Vec::new(),
    });
    let default = Config::new(NodeId(1), genesis);
    let mut ticks = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let mut config = default.clone();
        overrides.apply(seed, &mut config);
        ticks.insert(config.tick_ms);
        assert!((8_192..=16_384).contains(&config.segment_bytes));
        assert_eq!(config.batch_submissions_max, 7);
        assert_eq!(config.election_ticks, default.election_ticks);
    }
    assert!(ticks.len() > 5 && *ticks.first().unwrap() >= 20 && *ticks.last().unwrap() <= 40);
}
