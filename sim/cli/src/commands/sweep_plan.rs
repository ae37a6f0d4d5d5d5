//! Which seeds of which scenarios a sweep runs, and where each of these values came from: the
//! command line, a line of a file, or nowhere.

use crate::arguments::{Arguments, Seeds, Sweep};
use crate::context::{choices, say};
use crate::corpus::Corpus;
use crate::identity;
use crate::tool_error::ToolError;
use billsim_record::ExitCode;
use clap::CommandFactory;
use clap::parser::ValueSource;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Seeds of a scenario that nobody asked for by number.
const DEFAULT_SEEDS: Seeds = Seeds { from: 0, to: 100 };
const COMMAND_LINE: &str = "command line";
const DEFAULT: &str = "default";

/// A scenario with its seeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) scenario: String,
    pub(super) seeds: Seeds,
    scenario_from: String,
    seeds_from: String,
}

/// What a sweep runs: of its profile, unless the command line says otherwise.
pub(super) fn choose(arguments: &Sweep, corpus: &Corpus) -> Result<Vec<Chosen>, ToolError> {
    let mut chosen = of_profile(arguments, corpus)?;
    if !arguments.scenarios.is_empty() {
        let named = arguments.scenarios.iter().map(|name| {
            let known = chosen.iter().find(|chosen| chosen.scenario == *name);
            let default = (DEFAULT_SEEDS, DEFAULT.to_owned());
            let (seeds, seeds_from) =
                known.map_or(default, |known| (known.seeds, known.seeds_from.clone()));
            let (scenario, scenario_from) = (name.clone(), COMMAND_LINE.to_owned());
            Chosen { scenario, seeds, scenario_from, seeds_from }
        });
        chosen = named.collect();
    }
    if let Some(seeds) = arguments.seeds {
        for one in &mut chosen {
            (one.seeds, one.seeds_from) = (seeds, COMMAND_LINE.to_owned());
        }
    }
    if let Some(file) = &arguments.seeds_from {
        chosen = of_file(file, &chosen)?;
    }
    let mut known = BTreeSet::new();
    let twice = chosen.iter().find(|one| !known.insert((&one.scenario, one.seeds.from)));
    match twice {
        Some(one) => {
            let name = &one.scenario;
            Err(ToolError::usage(format!("{name}: it is named twice, and runs once")))
        }
        None => Ok(chosen),
    }
}

fn of_profile(arguments: &Sweep, corpus: &Corpus) -> Result<Vec<Chosen>, ToolError> {
    let name = arguments.profile.as_str();
    let profiles = corpus.profiles()?;
    let profile = profiles.0.get(name).ok_or_else(|| {
        let known: Vec<&str> = profiles.0.keys().map(String::as_str).collect();
        let choices = choices(name, &known, "list profiles");
        ToolError::usage(format!("no profile '{name}'{choices}"))
    })?;
    let has_own_seeds = arguments.seeds.is_some() || arguments.seeds_from.is_some();
    let base = match profile.base(identity::commit) {
        Some(base) => base,
        None if has_own_seeds => 0,
        None => return Err(no_commit(name)),
    };
    let lines = corpus.profile_lines(name)?;
    let runs = profile.runs.iter().enumerate().map(|(place, run)| {
        let from = lines.get(place).cloned().unwrap_or_default();
        Chosen {
            scenario: run.scenario.clone(),
            seeds: Seeds { from: base + run.first, to: base + run.first + run.seeds },
            scenario_from: from.clone(),
            seeds_from: from,
        }
    });
    Ok(runs.collect())
}

/// A profile takes its seeds from the commit, and there is none.
pub(super) fn no_commit(profile: &str) -> ToolError {
    ToolError::usage(format!(
        "the seeds of profile '{profile}' are those of the commit, and none is known here: run it \
         in a checkout, build with BILLSIM_COMMIT, or say --seeds A..B"
    ))
}

/// Seeds as a file lists them: a line each, of every scenario or of the one that it names.
fn of_file(path: &Path, chosen: &[Chosen]) -> Result<Vec<Chosen>, ToolError> {
    let text = fs::read_to_string(path).map_err(|error| ToolError::read(path, &error))?;
    let mut all = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (file, number) = (path.display(), place + 1);
        let wrong =
            || ToolError::usage(format!("{file}, line {number}: SEED or SCENARIO SEED expected"));
        let mut words = line.split_whitespace().rev();
        let Some(seed) = words.next() else { continue };
        let from: u64 = seed.parse().map_err(|_| wrong())?;
        let seeds = Seeds { from, to: from.checked_add(1).ok_or_else(wrong)? };
        let seeds_from = format!("{file}:{number}");
        let named = words.next().map(|scenario| Chosen {
            scenario: scenario.to_owned(),
            seeds,
            scenario_from: seeds_from.clone(),
            seeds_from: seeds_from.clone(),
        });
        if words.next().is_some() {
            return Err(wrong());
        }
        match named {
            Some(one) => all.push(one),
            None => all.extend(chosen.iter().map(|one| Chosen {
                seeds,
                seeds_from: seeds_from.clone(),
                ..one.clone()
            })),
        }
    }
    if all.is_empty() {
        return Err(ToolError::usage(format!("{}: it lists no seed", path.display())));
    }
    Ok(all)
}

/// Says what the sweep would run and where each value came from; runs nothing.
pub(super) fn show_origin(arguments: &Sweep, corpus: &Corpus) -> Result<ExitCode, ToolError> {
    let chosen = choose(arguments, corpus)?;
    say(&format!("{:<48}{}\n", "value", "from"));
    let line = |what: &str, value: &str, from: &str| {
        say(&format!("{:<48}{from}\n", format!("{what} {value}").trim_end()));
    };
    for (name, value, from) in options() {
        line(&format!("--{name}"), &value, from);
    }
    if !arguments.without_regressions {
        line("scenarios/regressions, first", "", &corpus.shown("regressions"));
    }
    if !arguments.without_waivers && arguments.waivers.is_none() {
        let file = corpus.beside("ci/waivers.toml");
        line(
            "waivers",
            "",
            &if file.is_file() { file.display().to_string() } else { "none".into() },
        );
    }
    for one in &chosen {
        let seeds = format!("seeds {}..{}", one.seeds.from, one.seeds.to);
        if one.scenario_from == one.seeds_from {
            line(&one.scenario, &seeds, &one.seeds_from);
        } else {
            line(&one.scenario, "", &one.scenario_from);
            line(&one.scenario, &seeds, &one.seeds_from);
        }
    }
    Ok(ExitCode::Held)
}

/// Options of this process's sweep that have a value, and whether somebody gave it.
fn options() -> Vec<(String, String, &'static str)> {
    let command = Arguments::command();
    let Ok(matches) = command.clone().try_get_matches() else { return Vec::new() };
    let Some((name, matches)) = matches.subcommand() else { return Vec::new() };
    let known = command.find_subcommand(name).into_iter().flat_map(clap::Command::get_arguments);
    let shown = known.filter_map(|argument| {
        let name = argument.get_long().filter(|name| *name != "show-origin")?;
        let id = argument.get_id().as_str();
        let from = match matches.value_source(id)? {
            ValueSource::DefaultValue => DEFAULT,
            _ => COMMAND_LINE,
        };
        let is_switch = !argument.get_action().takes_values();
        if is_switch && from == DEFAULT {
            return None;
        }
        let values = matches.get_raw(id).into_iter().flatten();
        let values: Vec<String> = values.map(|it| it.to_string_lossy().into_owned()).collect();
        let value = if is_switch { String::new() } else { values.join(" ") };
        Some((name.to_owned(), value, from))
    });
    shown.collect()
}
