//! Rules for texts: length, width, a first sentence, nothing unfinished, nothing of one
//! machine, no simulation inside the node. Ratchets, not a war: each rule is one function.

use crate::direction;
use crate::files::{FileError, SourceFile, all, root};
use crate::metadata::{self, MetadataError};
use thiserror::Error;

/// Longest file, in lines.
const FILE_LINES_MAX: usize = 500;
/// Longest entry point, in lines.
const MAIN_LINES_MAX: usize = 40;
/// Widest line, in characters.
const COLUMNS_MAX: usize = 100;
/// Words of unfinished work; written in halves, so that this file does not hold them.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
/// Places that exist on one machine only; in halves for the same reason.
const MACHINE_PATHS: &[&str] =
    &[concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];
/// File names that say nothing.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "misc"];

/// Why tidy did not pass.
#[derive(Debug, Error)]
pub(crate) enum TidyError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Cargo did not answer.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The rules were broken.
    #[error("{} untidy places\n{}", .0.len(), .0.join("\n"))]
    Untidy(Vec<String>),
}

/// Checks everything; says what was checked.
pub(crate) fn run() -> Result<String, Box<dyn std::error::Error>> {
    let files = all(root()).map_err(TidyError::from)?;
    let metadata = metadata::load().map_err(TidyError::from)?;
    let mut problems: Vec<String> = files.iter().flat_map(of_file).collect();
    problems.extend(direction::problems(&metadata));
    if !problems.is_empty() {
        return Err(TidyError::Untidy(problems).into());
    }
    Ok(format!("tidy: {} files, {} crates", files.len(), metadata.packages.len()))
}

/// Every problem of one file, as `path:line: what`.
fn of_file(file: &SourceFile) -> Vec<String> {
    let mut found = Vec::new();
    let is_rust = file.path.ends_with(".rs");
    if is_rust {
        found.extend(length(file));
        found.extend(name(file));
        found.extend(first_sentence(file));
        found.extend(unexplained_allows(file));
        if file.path.starts_with("node/") {
            found.extend(simulation_paths(file));
        }
    }
    if is_rust || file.path == ".ci/run" {
        found.extend(width(file));
    }
    if file.path.ends_with(".new") {
        found.push(format!("{}: a snapshot that nobody accepted", file.path));
    }
    if file.path.ends_with("/Cargo.toml") && !file.text.contains("[lints]\nworkspace = true") {
        found.push(format!("{}: the lints of the workspace are not switched on", file.path));
    }
    found.extend(words(file, UNFINISHED, "unfinished work: do it or open an issue"));
    found.extend(words(file, MACHINE_PATHS, "a path of one machine"));
    found
}

fn length(file: &SourceFile) -> Option<String> {
    let is_main = file.path.ends_with("src/main.rs");
    let max = if is_main { MAIN_LINES_MAX } else { FILE_LINES_MAX };
    let lines = file.text.lines().count();
    (lines > max).then(|| format!("{}: {lines} lines, at most {max}", file.path))
}

fn name(file: &SourceFile) -> Option<String> {
    let stem = file.path.rsplit('/').next()?.strip_suffix(".rs")?;
    EMPTY_NAMES
        .contains(&stem)
        .then(|| format!("{}: the name says nothing; name what it holds", file.path))
}

fn first_sentence(file: &SourceFile) -> Option<String> {
    (!file.text.starts_with("//! "))
        .then(|| format!("{}:1: does not open with `//!`: what is it, and why", file.path))
}

fn width(file: &SourceFile) -> Vec<String> {
    let wide = |(_, line): &(usize, &str)| line.chars().count() > COLUMNS_MAX;
    let lines = file.text.lines().enumerate().filter(wide);
    lines.map(|(i, _)| format!("{}:{}: wider than {COLUMNS_MAX}", file.path, i + 1)).collect()
}

fn words(file: &SourceFile, words: &[&str], what: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (i, line) in file.text.lines().enumerate() {
        for word in words.iter().filter(|word| line.contains(**word)) {
            found.push(format!("{}:{}: {word}: {what}", file.path, i + 1));
        }
    }
    found
}

/// An `allow` has its reason in the attribute, beside it, or on the line above.
fn unexplained_allows(file: &SourceFile) -> Vec<String> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut found = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let text = line.trim_start();
        if !(text.starts_with("#[allow(") || text.starts_with("#![allow(")) {
            continue;
        }
        let attribute = lines[i..].iter().take_while(|line| !line.contains(")]"));
        let spans = attribute.count() + 1;
        let inside = lines[i..(i + spans).min(lines.len())].iter();
        let explained = inside.clone().any(|line| line.contains("reason =") || line.contains("//"));
        let above = i > 0 && lines[i - 1].trim_start().starts_with("// ");
        if !explained && !above {
            found.push(format!("{}:{}: an allow without its reason", file.path, i + 1));
        }
    }
    found
}

/// What a sweep tests is what ships: nothing in the node knows that it is simulated.
fn simulation_paths(file: &SourceFile) -> Vec<String> {
    let mut found = Vec::new();
    let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
    for (i, line) in lines.iter().enumerate() {
        let code = line.split("//").next().unwrap_or(line);
        if code.contains("cfg") && code.contains("madsim") {
            found.push(format!("{}:{}: the node has no simulation path", file.path, i + 1));
        }
        if code.contains("cfg(not(test))") || code.contains("cfg!(test)") {
            found.push(format!("{}:{}: the node does not know tests", file.path, i + 1));
        }
        if *line == "#[cfg(test)]" {
            let next = lines[i + 1..].iter().find(|line| !line.starts_with('#'));
            if !next.is_some_and(|next| next.starts_with("mod ")) {
                found.push(format!("{}:{}: cfg(test) is for test modules", file.path, i + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, of_file};

    fn problems(path: &str, text: &str) -> Vec<String> {
        of_file(&SourceFile { path: path.to_owned(), text: text.to_owned() })
    }

    #[test]
    fn a_tidy_file_is_left_alone() {
        let text = "//! What it is.\n\n// Why.\n#[allow(dead_code)]\nfn f() {}\n\n\
                    #[cfg(test)]\nmod tests {}\n";
        assert_eq!(problems("node/core/src/a.rs", text), Vec::<String>::new());
    }

    #[test]
    fn each_rule_fires() {
        let long = "//! x\n".repeat(501);
        let wide = format!("//! x\n// {}\n", "y".repeat(100));
        let unfinished = format!("//! x\n// {}{}: later\n", "TO", "DO");
        let path = format!("[lints]\nworkspace = true\np = \"/{}/x\"\n", "home");
        let cases = [
            (
                "sim/a.rs",
                "fn f() {}\n",
                "sim/a.rs:1: does not open with `//!`: what is it, and why",
            ),
            ("sim/a.rs", &long, "sim/a.rs: 501 lines, at most 500"),
            ("sim/src/main.rs", &"//! x\n".repeat(41), "sim/src/main.rs: 41 lines, at most 40"),
            ("sim/a.rs", &wide, "sim/a.rs:2: wider than 100"),
            ("sim/utils.rs", "//! x\n", "sim/utils.rs: the name says nothing; name what it holds"),
            ("sim/a.rs", "//! x\n#[allow(y)]\n", "sim/a.rs:2: an allow without its reason"),
            (
                "node/a.rs",
                "//! x\n#[cfg(madsim)]\n",
                "node/a.rs:2: the node has no simulation path",
            ),
            (
                "node/a.rs",
                "//! x\n#[cfg(test)]\nfn f()\n",
                "node/a.rs:2: cfg(test) is for test modules",
            ),
            (
                "node/a.rs",
                "//! x\n#[cfg(not(test))]\n",
                "node/a.rs:2: the node does not know tests",
            ),
            ("sim/a.snap.new", "", "sim/a.snap.new: a snapshot that nobody accepted"),
        ];
        for (file, text, expected) in cases {
            assert_eq!(problems(file, text), [expected]);
        }
        assert_eq!(problems("sim/a.rs", &unfinished).len(), 1);
        assert_eq!(problems("sim/x/Cargo.toml", &path).len(), 1);
        assert_eq!(problems("sim/x/Cargo.toml", "[package]\n").len(), 1);
    }
}
