//! `cargo xtask fuzz`: builds the fuzzers of `fuzz/` with LLVM's coverage instrumentation, which a
//! stable compiler has, and runs each for so many seconds on its corpus. No sanitizer: the node has
//! no unsafe code, so what there is to find are panics, overflows and time.

use crate::files::root;
use std::fs;
use std::path::Path;
use std::process::Command;
use thiserror::Error;

/// What `cargo fuzz --sanitizer none` passes. In place of the flags of the workspace, so that no
/// simulator is switched on.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 --cfg fuzzing";
/// Every fuzzer.
const TARGETS: [&str; 7] =
    ["record", "segment", "superblock", "frame", "checkpoint", "archive", "http-body"];
/// Bytes of an input, at most.
const LENGTH_MAX: &str = "-max_len=4096";

/// Why a fuzzer did not run, or what it found.
#[derive(Debug, Error)]
pub(crate) enum FuzzError {
    /// No such fuzzer.
    #[error("'{target}' is no fuzzer: one of {}", TARGETS.join(", "))]
    NoTarget {
        /// What was asked for.
        target: String,
    },
    /// It did not build.
    #[error("the fuzzers did not build ({0}): they need a C++ compiler for libFuzzer")]
    Build(std::process::ExitStatus),
    /// It found something.
    #[error("fuzzer {target} ended with {status}: the input is under target/fuzz/found/")]
    Found {
        /// Which.
        target: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// The compiler does not say what it compiles for.
    #[error("rustc -vV names no host")]
    NoHost,
}

/// Runs them; `words` are seconds and a target, if there are any.
pub(crate) fn run(words: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let (seconds, only) = (words.first().copied().unwrap_or("10"), words.get(1).copied());
    if let Some(target) = only.filter(|target| !TARGETS.contains(target)) {
        return Err(FuzzError::NoTarget { target: target.to_owned() }.into());
    }
    let (host, built) = (host()?, root().join("target/fuzz"));
    // With `--target`, build scripts are not instrumented.
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", &host]);
    build.arg("--target-dir").arg(&built).env("RUSTFLAGS", FLAGS).current_dir(root());
    if let Some(target) = only {
        build.args(["--bin", target]);
    }
    let status = build.status()?;
    if !status.success() {
        return Err(FuzzError::Build(status).into());
    }
    let binaries = built.join(&host).join("release");
    let targets: Vec<&str> = TARGETS.into_iter().filter(|t| only.is_none_or(|o| o == *t)).collect();
    for target in &targets {
        fuzz(target, seconds, &binaries, &built)?;
    }
    Ok(format!("fuzz: {} fuzzers for {seconds} s each, nothing found", targets.len()))
}

fn fuzz(
    target: &str,
    seconds: &str,
    binaries: &Path,
    built: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    // New inputs stay out of the tree; the corpus that is in it is read.
    let (fresh, found) = (built.join("corpus").join(target), built.join("found").join(target));
    fs::create_dir_all(&fresh)?;
    fs::create_dir_all(&found)?;
    let mut command = Command::new(binaries.join(target));
    command.arg(&fresh).arg(root().join("fuzz/corpus").join(target));
    command.args([LENGTH_MAX, "-print_final_stats=1", "-verbosity=0", "-timeout=5"]);
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/", found.display()));
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    Err(FuzzError::Found { target: target.to_owned(), status }.into())
}

/// The triple of this machine.
fn host() -> Result<String, Box<dyn std::error::Error>> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or(FuzzError::NoHost)?.to_owned())
}
