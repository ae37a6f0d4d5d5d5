//! The arrow of dependency: from the restless to the calm. The allowed edges are data; a crate
//! that is not in the table is a finding too, so that a new room says where it stands.

use crate::metadata::{Metadata, Package};

/// What a crate of ours may depend on among our own.
struct Room {
    name: &'static str,
    /// In every build.
    normal: &'static [&'static str],
    /// In its tests as well.
    tests: &'static [&'static str],
}

/// The rooms, calm ones first.
const ROOMS: &[Room] = &[
    Room { name: "billing-wire", normal: &[], tests: &[] },
    Room { name: "billing-core", normal: &["billing-wire"], tests: &[] },
    Room { name: "billing-edge", normal: &["billing-core", "billing-wire"], tests: &[] },
    Room { name: "billing-shell", normal: &["billing-core", "billing-wire"], tests: &[] },
    Room {
        name: "billing-node",
        normal: &["billing-edge", "billing-shell", "billing-core", "billing-wire"],
        // Real processes are judged by the oracles that judge simulated ones.
        tests: &["billsim-oracle", "billsim-checker"],
    },
    Room { name: "billsim-record", normal: &[], tests: &[] },
    Room { name: "billsim-model", normal: &["billing-wire"], tests: &[] },
    Room { name: "billsim-history", normal: &["billing-wire"], tests: &[] },
    // The second judge must not lean on the first one, nor on its model.
    Room { name: "billsim-checker", normal: &["billsim-history", "billing-wire"], tests: &[] },
    Room {
        name: "billsim-oracle",
        normal: &["billsim-model", "billsim-history", "billing-wire"],
        tests: &[],
    },
    Room {
        name: "billsim-engine",
        normal: &[
            "billing-edge",
            "billing-shell",
            "billing-core",
            "billing-wire",
            "billsim-oracle",
            "billsim-checker",
            "billsim-model",
            "billsim-record",
        ],
        tests: &[],
    },
    Room { name: "billsim-shrink", normal: &["billsim-record"], tests: &[] },
    Room { name: "billsim-reports", normal: &["billsim-record"], tests: &[] },
    Room { name: "billsim-gate", normal: &["billsim-reports", "billsim-record"], tests: &[] },
    Room {
        name: "billsim",
        normal: &[
            "billsim-engine",
            "billsim-gate",
            "billsim-shrink",
            "billsim-reports",
            "billsim-record",
        ],
        tests: &[],
    },
    Room { name: "xtask", normal: &[], tests: &[] },
];

/// Who may depend on what is foreign and consequential.
const FOREIGN: &[(&str, &[&str], &str)] = &[
    ("madsim", &["billsim-engine"], "it replaces the clock and entropy of whatever links it"),
    ("tokio", &["billing-shell", "billing-node"], "the core is sans-io, the engine is madsim's"),
    ("raft", &["billing-core"], "consensus stays behind the core's one internal trait"),
    ("redb", &["billing-shell", "billsim-engine"], "the database lives in the shell"),
    ("axum", &["billing-node"], "HTTP is the server's"),
    ("clap", &["billing-node", "billsim"], "only binaries read the command line"),
    ("indicatif", &["billsim"], "only the command line draws"),
];

/// Every edge that points the wrong way.
pub(crate) fn problems(metadata: &Metadata) -> Vec<String> {
    metadata.packages.iter().flat_map(of_package).collect()
}

fn of_package(package: &Package) -> Vec<String> {
    let mut problems = Vec::new();
    let name = package.name.as_str();
    let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
        return vec![format!(
            "{name} is not in the table of rooms: add it to ci/xtask/src/direction.rs with \
             what it may depend on"
        )];
    };
    for dependency in &package.dependencies {
        let target = dependency.name.as_str();
        let is_test = dependency.kind.as_deref() == Some("dev");
        let ours = ROOMS.iter().any(|room| room.name == target);
        let allowed = room.normal.contains(&target) || (is_test && room.tests.contains(&target));
        if ours && !allowed && target != name {
            problems.push(format!("{name} depends on {target}: that arrow is not allowed"));
        }
        let foreign = FOREIGN.iter().find(|(foreign, ..)| *foreign == target);
        if let Some((_, rooms, reason)) = foreign
            && !rooms.contains(&name)
        {
            problems
                .push(format!("{name} depends on {target}, which only {rooms:?} may: {reason}"));
        }
        if dependency.features.iter().any(|feature| feature == "canaries") {
            problems.push(format!(
                "{name} switches on `canaries` of {target} in every build: planted bugs need a \
                 feature of the same name"
            ));
        }
    }
    if reaches(package, "default", "canaries") {
        problems.push(format!("{name} has `canaries` among its default features"));
    }
    problems
}

/// Whether a feature switches on another one of that name, here or in a dependency.
fn reaches(package: &Package, from: &str, wanted: &str) -> bool {
    let Some(enabled) = package.features.get(from) else { return false };
    enabled.iter().any(|feature| {
        let own = feature.rsplit('/').next().unwrap_or(feature);
        own == wanted || (own == feature && own != from && reaches(package, own, wanted))
    })
}

#[cfg(test)]
mod tests {
    use super::{Metadata, problems};

    fn problems_of(package: &str) -> Vec<String> {
        let text = format!(r#"{{"target_directory": "t", "packages": [{package}]}}"#);
        let metadata: Metadata = serde_json::from_str(&text).expect("test data is valid");
        problems(&metadata)
    }

    #[test]
    fn an_arrow_against_the_direction_is_found() {
        let found = problems_of(
            r#"{"name": "billing-core", "features": {}, "dependencies": [
                {"name": "billing-wire", "kind": null}, {"name": "billsim-engine", "kind": null},
                {"name": "madsim", "kind": "dev"}]}"#,
        );
        assert_eq!(
            found,
            [
                "billing-core depends on billsim-engine: that arrow is not allowed",
                "billing-core depends on madsim, which only [\"billsim-engine\"] may: it replaces \
                 the clock and entropy of whatever links it",
            ]
        );
    }

    #[test]
    fn the_oracles_are_for_the_tests_of_the_server_only() {
        let with = |kind: &str| {
            problems_of(&format!(
                r#"{{"name": "billing-node", "features": {{}}, "dependencies": [
                    {{"name": "billsim-oracle", "kind": {kind}}}]}}"#
            ))
        };
        assert!(with("\"dev\"").is_empty());
        assert_eq!(with("null").len(), 1);
    }

    #[test]
    fn planted_bugs_never_come_by_default() {
        let found = problems_of(
            r#"{"name": "billing-shell", "dependencies": [
                {"name": "billing-core", "kind": null, "features": ["canaries"]}],
                "features": {"default": ["all"], "all": ["billing-core/canaries"]}}"#,
        );
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn an_unknown_crate_must_say_where_it_stands() {
        assert_eq!(problems_of(r#"{"name": "new", "features": {}, "dependencies": []}"#).len(), 1);
    }
}
