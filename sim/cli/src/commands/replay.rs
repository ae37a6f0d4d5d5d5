//! `billsim replay`: a stored failure again, and whether it is the same.

use crate::arguments::Replay;
use crate::bundle::Bundle;
use crate::commands::run::{Again, show};
use crate::context::warn;
use crate::logs;
use crate::tool_error::ToolError;
use billsim_engine::sweep::run_one;
use billsim_record::ExitCode;

pub(crate) fn replay(arguments: &Replay, canary: Option<&str>) -> Result<ExitCode, ToolError> {
    let path = &arguments.path;
    let bundle = Bundle::open(path, canary)?;
    if let Some(filter) = &arguments.log {
        logs::show(filter)?;
    }
    let job = bundle.job(bundle.plan.clone(), canary);
    let result = run_one(job).map_err(ToolError::tool)?;
    let again = Again::planned(path, canary);
    let code = show(&result, arguments.format, &again);
    let Some(stored) = bundle.stored else { return Ok(code) };
    if stored.trace_hash == result.outcome.trace_hash {
        warn("replay: exact, the trace hash is the stored one");
    } else {
        warn(&format!(
            "replay: by plan only, trace hash {} instead of {}: another binary wrote it, or the \
             node's code has changed",
            result.outcome.trace_hash, stored.trace_hash
        ));
    }
    Ok(code)
}
