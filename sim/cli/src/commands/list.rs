//! `billsim list`: what there is.

use crate::arguments::{List, Listed};
use crate::context::say;
use crate::corpus::Corpus;
use crate::tool_error::ToolError;
use billsim_record::ExitCode;

pub(crate) fn list(arguments: &List) -> Result<ExitCode, ToolError> {
    match arguments.what {
        Listed::Scenarios => scenarios()?,
        Listed::Profiles => profiles()?,
        Listed::Oracles => pairs(billsim_engine::oracles()),
        Listed::Marks => {
            billsim_engine::marks::catalogue().for_each(|name| say(&format!("{name}\n")))
        }
        Listed::Canaries => canaries(),
    }
    Ok(ExitCode::Held)
}

fn pairs<'a>(items: impl Iterator<Item = (&'a str, &'a str)>) {
    for (name, words) in items {
        say(&format!("{name:<30}{words}\n"));
    }
}

fn scenarios() -> Result<(), ToolError> {
    let corpus = Corpus::find()?;
    for name in corpus.names()? {
        let about = corpus.scenario(&name)?.scenario.about.clone();
        say(&format!("{name:<30}{about}\n"));
    }
    Ok(())
}

fn profiles() -> Result<(), ToolError> {
    for (name, profile) in Corpus::find()?.profiles()?.0 {
        say(&format!("{name:<30}{}\n", profile.about));
        let base = if profile.base.is_some() { "the commit's tile, at " } else { "" };
        for run in profile.runs {
            let (scenario, seeds, first) = (run.scenario, run.seeds, run.first);
            say(&format!("  {scenario:<28}{seeds} seeds from {base}{first}\n"));
        }
    }
    Ok(())
}

#[cfg(feature = "canaries")]
fn canaries() {
    use billsim_engine::canaries::{catalogue, of_testbed};
    pairs(catalogue().chain(of_testbed()));
}

#[cfg(not(feature = "canaries"))]
fn canaries() {
    say("this build holds no planted bugs; `cargo canary` builds one that does and shows them\n");
}
