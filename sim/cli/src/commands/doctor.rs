//! `billsim doctor`: can this machine and this tree run the testbed, and do two runs agree?

use crate::context::say;
use crate::corpus::Corpus;
use crate::identity;
use crate::tool_error::ToolError;
use billsim_engine::sweep::run_one;
use billsim_engine::{Arm, Job};
use billsim_record::{ExitCode, Outcome};

pub(crate) fn doctor() -> Result<ExitCode, ToolError> {
    let corpus = Corpus::find()?;
    let names = corpus.names()?;
    for name in &names {
        corpus.scenario(name)?;
    }
    let profiles = corpus.profiles()?.0.len();
    say(&format!("scenarios     {} read, {profiles} profiles\n", names.len()));
    let commit = identity::commit();
    say(&format!("source        {}\n", commit.as_deref().unwrap_or("no commit known")));
    say(&format!("binary        {}\n", &identity::binary_hash()?[..16]));
    say(&format!("cores         {}\n", crate::context::jobs(0)));
    let first = one(&corpus, Arm::Central)?;
    let second = one(&corpus, Arm::Central)?;
    let tasks = one(&corpus, Arm::Tasks)?;
    let same = first.trace_hash == second.trace_hash && first.trace_hash == tasks.trace_hash;
    if !same {
        say(&format!(
            "determinism   BROKEN: {} and {}, with tasks {}\n",
            first.trace_hash, second.trace_hash, tasks.trace_hash
        ));
        return Ok(ExitCode::Nondeterminism);
    }
    say(&format!("determinism   three runs, two crews, one trace: {}\n", first.trace_hash));
    say("all is well\n");
    Ok(ExitCode::Held)
}

fn one(corpus: &Corpus, arm: Arm) -> Result<Outcome, ToolError> {
    let mut job = Job::new(corpus.scenario("smoke/everything")?.scenario, 1);
    job.arm = arm;
    run_one(job).map(|result| result.outcome).map_err(ToolError::tool)
}
