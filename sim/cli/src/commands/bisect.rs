//! `billsim bisect`: the commit with which a stored failure began. `git bisect run` chooses the
//! revisions, in a work tree that goes away; this command is its predicate as well.

use crate::arguments::{Bisect, Format};
use crate::commands::bisect_judge::{Call, JUDGED, Judged, Question, note, short};
use crate::context::{invocation, say, warn};
use crate::interrupt;
use crate::machine::child::{self, Ended};
use crate::machine::git::{self, Worktree};
use crate::tool_error::ToolError;
use billsim_record::ExitCode;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Revisions and files that the last screen lists.
const SHOWN_MAX: usize = 6;
/// A bisection has no limit of its own; its steps have.
const NO_LIMIT: Duration = Duration::MAX;

/// What a bisection found.
#[derive(Debug, Serialize)]
struct Found {
    /// A commit that holds.
    good: String,
    /// A commit that fails.
    bad: String,
    /// Commits after the good one, up to the bad one.
    commits: usize,
    /// Every revision that was judged, in that order.
    judged: Vec<Judged>,
    /// The commit with which it began; several where those between were skipped.
    first_bad: Vec<Commit>,
}

/// A commit, for people.
#[derive(Debug, Serialize)]
struct Commit {
    commit: String,
    subject: String,
    author: String,
    date: String,
    files: Vec<String>,
}

/// A directory that goes away with this value.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be deleted stays in the system's directory for such things.
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn bisect(arguments: &Bisect, canary: Option<&str>) -> Result<ExitCode, ToolError> {
    if canary.is_some() {
        let words = "a planted bug is in every revision: leave out --canary";
        return Err(ToolError::usage(words));
    }
    let stop = interrupt::watch()?;
    let scratch = std::env::temp_dir().join(format!("billsim-bisect-{}", std::process::id()));
    let scratch = Scratch(scratch);
    if arguments.judge {
        // Any other code of an error would say good or bad to git.
        return judge_here(arguments, &scratch.0, &stop).map_err(ToolError::cannot_judge);
    }
    let root = PathBuf::from(git::said(Path::new("."), &["rev-parse", "--show-toplevel"])?);
    let good = git::commit(&root, arguments.good.as_deref().unwrap_or_default())?;
    let bad = git::commit(&root, &arguments.bad)?;
    let between = git::said(&root, &["rev-list", "--count", &format!("{good}..{bad}")])?;
    let commits: usize = between.parse().map_err(ToolError::tool)?;
    if commits == 0 {
        return Err(ToolError::usage(format!(
            "no commit lies after {} and up to {}: are good and bad the right way round?",
            short(&good),
            short(&bad)
        )));
    }
    let mut question = Question::prepare(arguments, &scratch.0.join("failure"))?;
    let tree = Worktree::add(&root, &scratch.0.join("tree"), &bad)?;
    warn(&format!("bisect: {commits} commits; builds in {}", question.build_dir.display()));
    let mut judged = Vec::new();
    for (commit, expected) in [(&bad, Call::Bad), (&good, Call::Good)] {
        tree.checkout(commit)?;
        let Some((end, seen)) = question.judge(tree.path(), &stop)? else {
            return Ok(interrupted());
        };
        if end.call != expected {
            return Err(unexpected(&end, expected));
        }
        judged.push(end);
        if expected == Call::Bad {
            question.reference = question.reference.or(seen);
        }
    }
    let Some(steps) = run(arguments, &question, &scratch.0, &tree, (&good, &bad), &stop)? else {
        return Ok(interrupted());
    };
    judged.extend(steps);
    let first_bad = first_bad(tree.path())?;
    let found = Found { good, bad, commits, judged, first_bad };
    show(&found, arguments)?;
    Ok(if found.first_bad.len() == 1 { ExitCode::Held } else { ExitCode::CannotJudge })
}

/// The predicate of `git bisect run`.
fn judge_here(
    arguments: &Bisect,
    scratch: &Path,
    stop: &AtomicBool,
) -> Result<ExitCode, ToolError> {
    let question = Question::prepare(arguments, &scratch.join("failure"))?;
    let tree = git::said(Path::new("."), &["rev-parse", "--show-toplevel"])?;
    let Some((judged, _)) = question.judge(Path::new(&tree), stop)? else {
        return Err(ToolError::cannot_judge("interrupted"));
    };
    if let Some(reference) = &arguments.reference {
        note(&judged, &reference.with_file_name(JUDGED))?;
    }
    Ok(match judged.call {
        Call::Good => ExitCode::Held,
        // One of the codes that mean bad to git, and that billsim uses for nothing else here.
        Call::Bad => ExitCode::Tool,
        Call::Skipped => ExitCode::CannotJudge,
    })
}

fn interrupted() -> ExitCode {
    warn("bisect: interrupted; what was built is kept, the same command begins again");
    ExitCode::Incomplete
}

fn unexpected(end: &Judged, expected: Call) -> ToolError {
    let which = if expected == Call::Bad { "bad" } else { "good" };
    let words = format!("the {which} end {} is not {which}: {}", short(&end.commit), end.why);
    match end.call {
        Call::Skipped => ToolError::cannot_judge(words),
        Call::Good | Call::Bad => ToolError::usage(words),
    }
}

/// Lets git choose the revisions; returns what each came to.
fn run(
    arguments: &Bisect,
    question: &Question,
    scratch: &Path,
    tree: &Worktree,
    (good, bad): (&str, &str),
    stop: &AtomicBool,
) -> Result<Option<Vec<Judged>>, ToolError> {
    let reference = scratch.join("reference.json");
    let text = serde_json::to_string(&question.reference).map_err(ToolError::tool)?;
    fs::write(&reference, text).map_err(|error| ToolError::write(&reference, &error))?;
    // The binary may be built anew while this goes on.
    let binary = scratch.join("billsim");
    let this = std::env::current_exe().map_err(ToolError::tool)?;
    fs::copy(&this, &binary).map_err(|error| ToolError::read(&this, &error))?;
    git::said(tree.path(), &["bisect", "start", bad, good])?;
    let seconds = |limit: Duration| format!("{}s", limit.as_secs());
    let mut command = Command::new("git");
    command.current_dir(tree.path()).args(["bisect", "run"]).arg(&binary);
    command.arg("bisect").arg(&question.plan).args(["--judge", "--reference"]).arg(&reference);
    command.arg("--build-dir").arg(&question.build_dir);
    command.args(["--build-limit", &seconds(question.build_limit)]);
    command.args(["--seed-limit", &seconds(question.replay_limit)]);
    if arguments.any_failure {
        command.arg("--any-failure");
    }
    // What git says here is said better below.
    command.stdin(Stdio::null()).stdout(Stdio::null());
    if child::run(&mut command, NO_LIMIT, stop)? == Ended::Stopped {
        return Ok(None);
    }
    let notes = fs::read_to_string(scratch.join(JUDGED)).unwrap_or_default();
    let notes = notes.lines().map(|line| serde_json::from_str(line).map_err(ToolError::tool));
    notes.collect::<Result<_, _>>().map(Some)
}

/// What git's log of the bisection ends with.
fn first_bad(tree: &Path) -> Result<Vec<Commit>, ToolError> {
    let log = git::said(tree, &["bisect", "log"])?;
    let named = |line: &str| {
        let known = ["# first bad commit: [", "# possible first bad commit: ["];
        let rest = known.iter().find_map(|start| line.strip_prefix(start))?;
        rest.split_once(']').map(|(commit, _)| commit.to_owned())
    };
    let commits: Vec<String> = log.lines().filter_map(named).collect();
    if commits.is_empty() {
        let last = log.lines().last().unwrap_or_default();
        return Err(ToolError::tool(format!("git bisect named no commit; its log ends: {last}")));
    }
    commits.into_iter().map(|commit| describe(tree, commit)).collect()
}

fn describe(tree: &Path, commit: String) -> Result<Commit, ToolError> {
    let of = |format: &str| git::said(tree, &["log", "-1", format, &commit]);
    let files = git::said(tree, &["show", "--name-only", "--format=", "--first-parent", &commit])?;
    Ok(Commit {
        subject: of("--format=%s")?,
        author: of("--format=%an")?,
        date: of("--format=%as")?,
        files: files.lines().map(str::to_owned).collect(),
        commit,
    })
}

fn show(found: &Found, arguments: &Bisect) -> Result<(), ToolError> {
    if arguments.format == Format::Json {
        let line = serde_json::to_string(found).map_err(ToolError::tool)?;
        say(&format!("{line}\n"));
        return Ok(());
    }
    let (good, bad) = (short(&found.good), short(&found.bad));
    let count = |call| found.judged.iter().filter(|judged| judged.call == call).count();
    say(&format!(
        "{} commits after {good}, up to {bad}: {} good, {} bad, {} skipped\n",
        found.commits,
        count(Call::Good),
        count(Call::Bad),
        count(Call::Skipped),
    ));
    let skipped = found.judged.iter().filter(|judged| judged.call == Call::Skipped);
    for judged in skipped.take(SHOWN_MAX) {
        say(&format!("  skipped {} {}: {}\n", short(&judged.commit), judged.subject, judged.why));
    }
    if let [only] = found.first_bad.as_slice() {
        show_culprit(only, found);
        let again = format!("{} replay {}", invocation(None), arguments.path.display());
        say(&format!("\nlook at it: git show {}\nsee it fail: {again}\n", short(&only.commit)));
        return Ok(());
    }
    say(&format!("\nNOT PROVEN: it began with one of {} commits:\n", found.first_bad.len()));
    for commit in found.first_bad.iter().take(SHOWN_MAX) {
        say(&format!("  {} {}\n", short(&commit.commit), commit.subject));
    }
    say("\nmake those that were skipped buildable, or try --any-failure\n");
    Ok(())
}

fn show_culprit(only: &Commit, found: &Found) {
    say(&format!("\nFIRST BAD: {} {}\n", short(&only.commit), only.subject));
    say(&format!("  by {}, {}\n", only.author, only.date));
    if let Some(judged) = found.judged.iter().find(|judged| judged.commit == only.commit) {
        say(&format!("  {}\n", judged.why));
    }
    for file in only.files.iter().take(SHOWN_MAX) {
        say(&format!("  changes {file}\n"));
    }
    if let Some(more) = only.files.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        say(&format!("  and {more} more files\n"));
    }
}
