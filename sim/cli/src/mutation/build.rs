//! One build that holds all drawn mutants: a scratch copy of the tree, the mutants woven into it,
//! and whatever the compiler refuses taken out again until the rest builds.

use super::listing::Drawn;
use super::weave::weave;
use crate::context::warn;
use crate::machine::child::{self, Ended};
use crate::tool_error::ToolError;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The variable that tells a woven process which mutant it is.
pub(crate) const CHOICE: &str = "BILLSIM_MUTANT";
/// The crate whose source is mutated, from the root of the workspace.
const CRATE: &str = "node/core";
/// Which mutant a process is. Only the scratch copy has it: the node reads no environment.
const CHOOSER: &str = "\
//! Which mutant this process is.
/// Its number; 0: the original.
pub fn active() -> u32 {
    static ACTIVE: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *ACTIVE.get_or_init(|| {
        std::env::var(\"BILLSIM_MUTANT\").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
    })
}
";
/// The compiler stops at the first kind of error: each round may show the next.
const ROUNDS_MAX: usize = 12;

/// For each file, which lines are whose copy.
type Places = BTreeMap<String, Vec<(Range<usize>, u32)>>;

/// Where things are built.
#[derive(Debug)]
pub(crate) struct Workshop<'a> {
    /// The scratch copy of the tree.
    pub(crate) tree: &'a Path,
    /// Its build directory.
    pub(crate) target: &'a Path,
    /// For one build.
    pub(crate) limit: Duration,
    /// Somebody wants all of this to end.
    pub(crate) stop: &'a AtomicBool,
}

/// What was built.
#[derive(Debug)]
pub(crate) struct Built {
    /// `billsim`, with all mutants.
    pub(crate) binary: PathBuf,
    /// The tests of the mutated crate, with all mutants.
    pub(crate) tests: Vec<PathBuf>,
    /// Mutants that the compiler refuses.
    pub(crate) refused: BTreeSet<u32>,
}

impl Workshop<'_> {
    /// Builds all mutants into one binary; `None`: stopped.
    pub(crate) fn build(
        &self,
        drawn: &[Drawn],
        with_tests: bool,
    ) -> Result<Option<Built>, ToolError> {
        let library = self.tree.join(CRATE).join("src/lib.rs");
        let text = read(&library)?;
        write(&library, &format!("{text}\npub mod mutation;\n"))?;
        write(&self.tree.join(CRATE).join("src/mutation.rs"), CHOOSER)?;
        let originals = self.originals(drawn)?;
        let mut refused = BTreeSet::new();
        for round in 1..=ROUNDS_MAX {
            let places = self.weave_all(drawn, &originals, &refused)?;
            let Some(messages) = self.cargo(&["check", "--package", "billing-core"])? else {
                return Ok(None);
            };
            let Some(found) = blamed(&messages, &places)? else { break };
            warn(&format!("mutate: round {round}: the compiler refuses {} mutants", found.len()));
            if round == ROUNDS_MAX {
                return Err(ToolError::tool("the mutants still do not build: draw fewer"));
            }
            refused.extend(found);
        }
        let release = ["build", "--release", "--package", "billsim"];
        let Some(messages) = self.cargo(&release)? else { return Ok(None) };
        let binary = executable(&messages, "billsim")?;
        let tests = if with_tests {
            let tests = ["test", "--no-run", "--package", "billing-core"];
            let Some(messages) = self.cargo(&tests)? else { return Ok(None) };
            executables(&messages)?
        } else {
            Vec::new()
        };
        Ok(Some(Built { binary, tests, refused }))
    }

    fn originals<'d>(&self, drawn: &'d [Drawn]) -> Result<BTreeMap<&'d str, String>, ToolError> {
        let files: BTreeSet<&str> = drawn.iter().map(|one| one.mutant.file.as_str()).collect();
        files.into_iter().map(|file| Ok((file, read(&self.tree.join(file))?))).collect()
    }

    /// Writes the files; whose lines are where.
    fn weave_all(
        &self,
        drawn: &[Drawn],
        originals: &BTreeMap<&str, String>,
        refused: &BTreeSet<u32>,
    ) -> Result<Places, ToolError> {
        let mut places = Places::new();
        for (file, text) in originals {
            let of_file = drawn.iter().filter(|one| one.mutant.file == *file);
            let kept = of_file.filter(|one| !refused.contains(&one.number));
            let kept: Vec<_> = kept.map(|one| (one.number, &one.mutant)).collect();
            let woven = weave(text, &kept, "crate::mutation::active");
            write(&self.tree.join(file), &woven.text)?;
            places.insert((*file).to_owned(), woven.lines);
        }
        Ok(places)
    }

    /// What cargo says, as JSON lines; `None`: stopped. Whether it succeeded is in what it says.
    fn cargo(&self, arguments: &[&str]) -> Result<Option<String>, ToolError> {
        let said = self.target.join("mutate-messages.jsonl");
        let errors = self.target.join("mutate-errors.txt");
        fs::create_dir_all(self.target).map_err(|error| ToolError::write(self.target, &error))?;
        let open = |path: &Path| File::create(path).map_err(|error| ToolError::write(path, &error));
        let mut command = Command::new("cargo");
        command.current_dir(self.tree).args(arguments);
        command.args(["--offline", "--locked", "--message-format=json", "--quiet"]);
        command.arg("--target-dir").arg(self.target);
        command.stdin(Stdio::null()).stdout(open(&said)?).stderr(open(&errors)?);
        match child::run(&mut command, self.limit, self.stop)? {
            Ended::Stopped => Ok(None),
            Ended::TooLate => {
                let limit = self.limit.as_secs();
                let words = format!("cargo {} took more than {limit} s", arguments.join(" "));
                Err(ToolError::tool(format!("{words}: --build-limit gives it more")))
            }
            Ended::Itself(_) => {
                let messages = read(&said)?;
                if messages.trim().is_empty() {
                    let why = read(&errors)?;
                    let why = why.lines().last().unwrap_or_default().to_owned();
                    return Err(ToolError::tool(format!("cargo {}: {why}", arguments.join(" "))));
                }
                Ok(Some(messages))
            }
        }
    }
}

fn read(path: &Path) -> Result<String, ToolError> {
    fs::read_to_string(path).map_err(|error| ToolError::read(path, &error))
}

fn write(path: &Path, text: &str) -> Result<(), ToolError> {
    fs::write(path, text).map_err(|error| ToolError::write(path, &error))
}

fn documents(messages: &str) -> impl Iterator<Item = Value> {
    messages.lines().filter_map(|line| serde_json::from_str(line).ok())
}

/// The mutants in whose lines the compiler found errors; `None`: it found none.
fn blamed(messages: &str, places: &Places) -> Result<Option<BTreeSet<u32>>, ToolError> {
    let mut found = BTreeSet::new();
    let mut stray = None;
    let mut is_broken = false;
    for document in documents(messages) {
        let message = &document["message"];
        if document["reason"] != "compiler-message" || message["level"] != "error" {
            continue;
        }
        is_broken = true;
        let spans = message["spans"].as_array().map_or(&[][..], Vec::as_slice);
        let mutants: BTreeSet<u32> = spans.iter().filter_map(|span| owner(span, places)).collect();
        if mutants.is_empty() && !spans.is_empty() {
            stray = message["rendered"].as_str().map(str::to_owned);
        }
        found.extend(mutants);
    }
    match (is_broken, found.is_empty()) {
        (false, _) => Ok(None),
        (true, false) => Ok(Some(found)),
        (true, true) => {
            let why = stray.unwrap_or_else(|| "no error names a line of a mutant".to_owned());
            Err(ToolError::tool(format!("the tree does not build: {why}")))
        }
    }
}

/// The mutant in whose copy a span of the compiler lies.
fn owner(span: &Value, places: &Places) -> Option<u32> {
    let line = usize::try_from(span["line_start"].as_u64()?).ok()?;
    let lines = places.get(span["file_name"].as_str()?)?;
    lines.iter().find(|(range, _)| range.contains(&line)).map(|(_, number)| *number)
}

/// What cargo says that it made: a program.
fn executable(messages: &str, name: &str) -> Result<PathBuf, ToolError> {
    let mut made = artifacts(messages).filter(|document| document["target"]["name"] == name);
    let path = made.find_map(|document| document["executable"].as_str().map(PathBuf::from));
    path.ok_or_else(|| made_none(name, messages))
}

/// What cargo says that it made: every program of tests.
fn executables(messages: &str) -> Result<Vec<PathBuf>, ToolError> {
    let made = artifacts(messages).filter(|document| document["profile"]["test"] == true);
    let paths = made.filter_map(|document| document["executable"].as_str().map(PathBuf::from));
    let paths: Vec<PathBuf> = paths.collect();
    if paths.is_empty() { Err(made_none("tests", messages)) } else { Ok(paths) }
}

fn artifacts(messages: &str) -> impl Iterator<Item = Value> {
    documents(messages).filter(|document| document["reason"] == "compiler-artifact")
}

fn made_none(name: &str, messages: &str) -> ToolError {
    let mut errors = documents(messages).filter(|d| d["message"]["level"] == "error");
    let why = errors.find_map(|d| d["message"]["rendered"].as_str().map(str::to_owned));
    ToolError::tool(format!("cargo made no {name}: {}", why.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::{CHOICE, CHOOSER, blamed, executable, executables};
    use serde_json::json;
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    fn error(line: usize) -> String {
        let spans = json!([{"file_name": "a.rs", "line_start": line}]);
        let message = json!({"level": "error", "rendered": "no", "spans": spans});
        json!({"reason": "compiler-message", "message": message}).to_string()
    }

    #[test]
    fn errors_are_laid_at_the_door_of_the_mutant_in_whose_lines_they_are() {
        let places = BTreeMap::from([("a.rs".to_owned(), vec![(5..9, 3), (9..12, 8)])]);
        assert_eq!(blamed("", &places).unwrap(), None);
        let both = format!("{}\n{}\n", error(8), error(9));
        assert_eq!(blamed(&both, &places).unwrap(), Some([3, 8].into()));
        let stray = blamed(&error(30), &places).unwrap_err().to_string();
        assert!(stray.contains("does not build: no"), "{stray}");
    }

    #[test]
    fn cargo_says_where_it_put_what_it_made() {
        let made =
            r#"{"reason":"compiler-artifact","target":{"name":"billsim"},"executable":"/t/b"}"#;
        assert_eq!(executable(made, "billsim").unwrap(), PathBuf::from("/t/b"));
        assert!(executable(made, "other").is_err());
        assert!(executables(made).is_err(), "a program is no test");
        let artifact = |path: &str| {
            let (reason, profile) = ("compiler-artifact", json!({"test": true}));
            json!({"reason": reason, "profile": profile, "executable": path})
        };
        let tests = format!("{made}\n{}\n{}\n", artifact("/t/lib-1"), artifact("/t/stories-2"));
        let expected = ["/t/lib-1", "/t/stories-2"].map(PathBuf::from);
        assert_eq!(executables(&tests).unwrap(), expected);
    }

    #[test]
    fn the_chooser_reads_the_variable_that_is_set() {
        assert!(CHOOSER.contains(CHOICE));
    }
}
