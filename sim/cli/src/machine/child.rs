//! Child processes that end with this one: a time limit, and a signal that reaches their children.

use crate::tool_error::ToolError;
use crate::wall_clock;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a child is asked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a child may take to end in order.
const GRACE: Duration = Duration::from_secs(10);

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself.
    Itself(ExitStatus),
    /// Its time was over.
    TooLate,
    /// Somebody wants all of this to end.
    Stopped,
}

/// Runs a child in a process group of its own until it ends, its time is over, or `stop` is set.
pub(crate) fn run(
    command: &mut Command,
    limit: Duration,
    stop: &AtomicBool,
) -> Result<Ended, ToolError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| ToolError::tool(format!("{name}: {error}"));
    let started = wall_clock::now();
    let mut child = command.process_group(0).spawn().map_err(failed)?;
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Ok(Ended::Itself(status));
        }
        let is_stopped = stop.load(Ordering::Relaxed);
        if is_stopped || started.elapsed() >= limit {
            end(&mut child).map_err(failed)?;
            return Ok(if is_stopped { Ended::Stopped } else { Ended::TooLate });
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Ends a child and all of its group: in order if it can, at once if it does not.
fn end(child: &mut Child) -> Result<(), std::io::Error> {
    let group = i32::try_from(child.id()).map(Pid::from_raw).map_err(std::io::Error::other)?;
    let asked = wall_clock::now();
    // A group that has ended meanwhile is what is wanted.
    let _ = killpg(group, Signal::SIGTERM);
    while child.try_wait()?.is_none() {
        if asked.elapsed() >= GRACE {
            let _ = killpg(group, Signal::SIGKILL);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Ended, run};
    use std::process::Command;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_child_ends_by_itself_by_its_limit_or_by_request() {
        let (calm, stop) = (AtomicBool::new(false), AtomicBool::new(true));
        let long = Duration::from_secs(60);
        match run(&mut shell("exit 3"), long, &calm).unwrap() {
            Ended::Itself(status) => assert_eq!(status.code(), Some(3)),
            other => panic!("{other:?}"),
        }
        // The sleeper is a grandchild: the whole group must go.
        let late = run(&mut shell("sleep 60 & wait"), Duration::from_millis(50), &calm);
        assert_eq!(late.unwrap(), Ended::TooLate);
        assert_eq!(run(&mut shell("sleep 60"), long, &stop).unwrap(), Ended::Stopped);
        let nobody = run(&mut Command::new("/no/such/program"), long, &calm);
        assert!(nobody.unwrap_err().to_string().contains("/no/such/program"));
    }
}
