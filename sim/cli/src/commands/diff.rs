//! `billsim diff`: two stored failures beside each other, up to the first event in which they
//! differ.

use crate::arguments::Diff;
use crate::bundle::Bundle;
use crate::context::say;
use crate::tool_error::ToolError;
use billsim_record::ExitCode;
use billsim_reports::diverge::{divergence, outcomes};
use std::path::Path;

pub(crate) fn diff(arguments: &Diff) -> Result<ExitCode, ToolError> {
    let (one, other) = (Bundle::look(&arguments.one)?, Bundle::look(&arguments.other)?);
    let untold = |path: &Path, what: &str| {
        ToolError::usage(format!(
            "{}: {what} is not stored: name a `.simfail` or the directory of a failure",
            path.display()
        ))
    };
    let outcome = |bundle: &Bundle, path: &Path| {
        bundle.stored.clone().ok_or_else(|| untold(path, "what it came to"))
    };
    let (came, went) = (outcome(&one, &arguments.one)?, outcome(&other, &arguments.other)?);
    say(&format!("{}\n", outcomes(&came, &went)));
    let told = |bundle: Bundle, path: &Path| {
        bundle.events.ok_or_else(|| untold(path, "what happened (events.jsonl)"))
    };
    let (one, other) = (told(one, &arguments.one)?, told(other, &arguments.other)?);
    say(&divergence(&one, &other));
    Ok(ExitCode::Held)
}
