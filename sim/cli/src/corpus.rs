//! `scenarios/`: scenarios, profiles, and the plans that run first ever after.

use crate::context::choices;
use crate::tool_error::ToolError;
use billsim_engine::Scenario;
use billsim_engine::scenario::Profiles;
use billsim_record::{FaultPlan, document};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The directory of scenarios.
#[derive(Debug)]
pub(crate) struct Corpus {
    root: PathBuf,
}

/// A scenario with the text that it was read from.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) scenario: Arc<Scenario>,
    pub(crate) text: String,
}

impl Corpus {
    /// The `scenarios/` of the working directory or of one above it.
    pub(crate) fn find() -> Result<Self, ToolError> {
        let here = std::env::current_dir().map_err(ToolError::tool)?;
        let found = here.ancestors().map(|dir| dir.join("scenarios")).find(|dir| dir.is_dir());
        found.map(|root| Self { root }).ok_or_else(|| {
            ToolError::usage("no directory `scenarios/` here or above: run it in the source tree")
        })
    }

    /// A file of the tree that the corpus is in.
    pub(crate) fn beside(&self, file: &str) -> PathBuf {
        self.root.with_file_name(file)
    }

    /// A scenario by name or path.
    pub(crate) fn scenario(&self, name: &str) -> Result<Loaded, ToolError> {
        let in_corpus = self.root.join(format!("{name}.toml"));
        let path = if in_corpus.is_file() { in_corpus } else { PathBuf::from(name) };
        if !path.is_file() {
            let known = self.names()?;
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            return Err(ToolError::usage(format!(
                "no scenario '{name}': neither {} nor that path is a file{}",
                self.root.join(format!("{name}.toml")).display(),
                choices(name, &known, "list scenarios")
            )));
        }
        let text = fs::read_to_string(&path).map_err(|error| ToolError::read(&path, &error))?;
        parse(name, text)
    }

    /// Names of all scenarios.
    pub(crate) fn names(&self) -> Result<Vec<String>, ToolError> {
        let mut names = Vec::new();
        for family in sorted(&self.root)? {
            if !family.is_dir() {
                continue;
            }
            for file in sorted(&family)? {
                if file.extension().is_some_and(|ending| ending == "toml")
                    && let Ok(relative) = file.with_extension("").strip_prefix(&self.root)
                {
                    names.push(relative.display().to_string());
                }
            }
        }
        Ok(names)
    }

    /// The planted bugs that `canaries.toml` lists, with each oracle that must catch one.
    pub(crate) fn planted(&self) -> Result<Vec<String>, ToolError> {
        let table: Result<toml::Table, _> = toml::from_str(&self.text("canaries.toml")?);
        let wrong = |error| ToolError::usage(format!("canaries.toml: {error}"));
        Ok(table.map_err(wrong)?.keys().cloned().collect())
    }

    /// The text of a file of the corpus.
    pub(crate) fn text(&self, file: &str) -> Result<String, ToolError> {
        let path = self.root.join(file);
        fs::read_to_string(&path).map_err(|error| ToolError::read(&path, &error))
    }

    /// Every profile.
    pub(crate) fn profiles(&self) -> Result<Profiles, ToolError> {
        let path = self.root.join("profiles.toml");
        let text = fs::read_to_string(&path).map_err(|error| ToolError::read(&path, &error))?;
        Profiles::parse(&path.display().to_string(), &text).map_err(ToolError::usage)
    }

    /// Where each run of a profile stands, as `FILE:LINE`.
    pub(crate) fn profile_lines(&self, name: &str) -> Result<Vec<String>, ToolError> {
        let path = self.root.join("profiles.toml");
        let text = fs::read_to_string(&path).map_err(|error| ToolError::read(&path, &error))?;
        let shown = self.shown("profiles.toml");
        let lines = Profiles::lines(&text, name).into_iter();
        Ok(lines.map(|line| format!("{shown}:{line}")).collect())
    }

    /// A file of the corpus, as people would write it.
    pub(crate) fn shown(&self, file: &str) -> String {
        let path = self.root.join(file);
        let here = std::env::current_dir().unwrap_or_default();
        path.strip_prefix(here).unwrap_or(&path).display().to_string()
    }

    /// Where the regression of this name is, or will be.
    pub(crate) fn regression(&self, name: &str) -> PathBuf {
        self.root.join("regressions").join(format!("{name}.json"))
    }

    /// The plans under `regressions/`, by name of file.
    pub(crate) fn regressions(&self) -> Result<Vec<FaultPlan>, ToolError> {
        let directory = self.root.join("regressions");
        if !directory.is_dir() {
            return Ok(Vec::new());
        }
        let files = sorted(&directory)?;
        let plans = files.iter().filter(|f| f.extension().is_some_and(|ending| ending == "json"));
        plans.map(|path| read_plan(path)).collect()
    }
}

/// Reads a scenario's text.
pub(crate) fn parse(name: &str, text: String) -> Result<Loaded, ToolError> {
    let scenario = Scenario::parse(name, &text).map_err(ToolError::usage)?;
    Ok(Loaded { scenario: Arc::new(scenario), text })
}

/// Reads a fault plan.
pub(crate) fn read_plan(path: &Path) -> Result<FaultPlan, ToolError> {
    parse_plan(path, fs::read(path).map_err(|error| ToolError::read(path, &error))?)
}

/// The fault plan that a file holds.
pub(crate) fn parse_plan(path: &Path, bytes: Vec<u8>) -> Result<FaultPlan, ToolError> {
    let shown = path.display();
    let text = String::from_utf8(bytes)
        .map_err(|_| ToolError::usage(format!("{shown}: a fault plan is JSON, this is no text")))?;
    document::read(&text).map_err(|error| ToolError::usage(format!("{shown}: {error}")))
}

fn sorted(directory: &Path) -> Result<Vec<PathBuf>, ToolError> {
    let entries = fs::read_dir(directory).map_err(|error| ToolError::read(directory, &error))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}
