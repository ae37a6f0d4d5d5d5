//! The templates under `ci/engines/` and the workflows of this project, read as the shells and
//! schedulers read them: every call of `billsim` in them must be one that this binary understands.

use super::{Arguments, Command};
use crate::shard::{ENGINES, ShardOption};
use clap::Parser;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a template may have: it is meant to be read before it is copied.
const LINES_MAX: usize = 40;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn templates() -> Vec<(String, String)> {
    let files = fs::read_dir(root().join("ci/engines")).expect("the templates").flatten();
    let named = |path: PathBuf| (path.file_name().unwrap().to_string_lossy().into(), read(&path));
    let mut all: Vec<(String, String)> = files.map(|entry| named(entry.path())).collect();
    all.sort();
    all
}

/// A text with `${{ name }}`, `$NAME` and `"$NAME"` replaced by a number.
fn filled(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('$') {
        out.push_str(before);
        out.push('1');
        rest = match behind.strip_prefix("{{") {
            Some(expression) => expression.split_once("}}").expect("it is closed").1,
            None => behind.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_'),
        };
    }
    (out + rest).replace('"', "")
}

/// Calls in lists of arguments, as a container whose entry point is `billsim` gets them.
fn listed(text: &str) -> Vec<Vec<String>> {
    let starts = ["[\"sweep\"", "[\"merge\"", "[\"gate\""].into_iter();
    let places = starts.flat_map(|start| text.match_indices(start).map(|(place, _)| place));
    let list = |place: usize| {
        let end = text[place..].find(']').expect("the list is closed") + place;
        let list = text[place..=end].replace("\n#", "\n");
        serde_json::from_str(&list).unwrap_or_else(|error| panic!("{error}: {list}"))
    };
    places.map(list).collect()
}

/// Calls in lines of a shell.
fn typed(text: &str) -> Vec<Vec<String>> {
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((_, call)) = line.split_once("billsim ") else { continue };
        let call = call.split(';').next().unwrap_or_default();
        let words = filled(call);
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let is_call = words.first().is_some_and(|word| {
            ["sweep", "merge", "gate", "report", "canary"].contains(&word.as_str())
        });
        if is_call {
            calls.push(words);
        }
    }
    calls
}

fn parsed(name: &str, words: &[String]) -> Command {
    let call = ["billsim".to_owned()].into_iter().chain(words.iter().cloned());
    match Arguments::try_parse_from(call) {
        Ok(arguments) => arguments.command,
        Err(error) => panic!("{name}: {words:?}: {error}"),
    }
}

/// Every call in a text; the sweeps among them.
fn sweeps(name: &str, text: &str) -> Vec<super::Sweep> {
    let calls = [listed(text), typed(text)].concat();
    let commands: Vec<Command> = calls.iter().map(|words| parsed(name, words)).collect();
    let sweeps = commands.into_iter().filter_map(|command| match command {
        Command::Sweep(sweep) => Some(sweep),
        _ => None,
    });
    sweeps.collect()
}

#[test]
fn every_template_is_short_and_calls_what_there_is() {
    for (name, text) in templates() {
        assert!(text.lines().count() <= LINES_MAX, "{name} has more than {LINES_MAX} lines");
        let sweeps = sweeps(&name, &text);
        let [sweep] = sweeps.as_slice() else { panic!("{name} sweeps {} times", sweeps.len()) };
        assert!(sweep.shard.is_some() && sweep.out.is_some(), "{name}");
        let is_auto = sweep.shard == Some(ShardOption::Auto);
        assert_eq!(is_auto, name != "github.yml", "{name}: GitHub alone sets no variable");
        let out = sweep.out.as_ref().unwrap().display().to_string();
        assert!(!is_auto || out.contains("{shard}"), "{name}: shards write to one directory");
        // Where directories outlive a try, the next one goes on; and so does the next night, but
        // for another commit.
        let is_kept = Path::new(&out).is_absolute() || text.contains("--out \"$HOME");
        let goes_on = sweep.resume && out.contains("{commit}");
        assert_eq!(is_kept, goes_on, "{name}: tried again it must find its own run, and no other");
    }
}

#[test]
fn every_scheduler_that_is_known_has_a_template_that_says_what_it_does_not() {
    let templates = templates();
    let named = |name: &str| name.to_lowercase().replace(' ', "-");
    let mut known: Vec<String> = ENGINES.iter().map(|engine| named(engine.name)).collect();
    known.push("github".to_owned());
    known.sort();
    let stems = templates.iter().map(|(name, _)| name.split('.').next().unwrap().to_owned());
    assert_eq!(stems.collect::<Vec<_>>(), known);
    for engine in ENGINES {
        let (name, text) =
            templates.iter().find(|(name, _)| name.starts_with(&named(engine.name))).unwrap();
        let is_counted = engine.count == "BILLSIM_SHARD_COUNT";
        assert_eq!(text.contains("BILLSIM_SHARD_COUNT"), is_counted, "{name}");
        if is_counted {
            let numbers: Vec<&str> = text
                .lines()
                .filter(|line| {
                    ["completions:", "count =", "SHARD_COUNT"].iter().any(|it| line.contains(it))
                })
                .map(|line| {
                    line.rsplit(|c: char| !c.is_ascii_digit()).find(|it| !it.is_empty()).unwrap()
                })
                .collect();
            assert!(numbers.len() >= 2 && numbers.iter().all(|it| *it == numbers[0]), "{name}");
        }
    }
}

#[test]
fn the_workflows_of_this_project_run_every_profile_through_the_gate() {
    for name in [".github/workflows/billsim.yml", ".gitlab-ci.yml"] {
        let text = read(&root().join(name));
        assert_eq!(sweeps(name, &text).len(), 1, "{name}");
        for needed in [".ci/run", "billsim merge", "gate", "--against"] {
            assert!(text.contains(needed), "{name}: {needed}");
        }
        let runs = |profile: &&str| {
            let forms = [format!("'{profile}'"), format!("PROFILE: {profile} ")];
            forms.iter().any(|form| text.contains(form))
        };
        assert!(["pr", "merge", "nightly", "release"].iter().all(runs), "{name}");
    }
    let profiles = read(&root().join("scenarios/profiles.toml"));
    let policies = read(&root().join("ci/gate.toml"));
    for profile in ["smoke", "pr", "merge", "nightly", "release"] {
        let section = format!("[{profile}]\n");
        assert!(profiles.contains(&section) && policies.contains(&section), "{profile}");
    }
    let release = policies.split("[release]").nth(1).unwrap();
    assert!(release.contains("waivers_allowed = false"), "what ships waives nothing");
    assert!(release.contains("committed_tree = true"));
}

#[test]
fn the_entry_point_of_the_container_is_billsim() {
    let text = read(&root().join("ci/Containerfile"));
    assert_eq!(text.lines().last(), Some("ENTRYPOINT [\"billsim\"]"));
    assert!(text.lines().count() <= LINES_MAX);
    assert!(text.contains("ARG COMMIT=\nENV BILLSIM_COMMIT=$COMMIT\n"), "its gates stay closed");
}

#[test]
fn what_a_shell_fills_in_is_filled_in() {
    assert_eq!(filled("--shard ${{ matrix.shard }}/8 \"$HOME\"/x $P"), "--shard 1/8 1/x 1");
    let wrong = typed("  - run: target/bin/billsim sweep --profil x");
    assert!(
        Arguments::try_parse_from([vec!["billsim".to_owned()], wrong[0].clone()].concat()).is_err()
    );
}
