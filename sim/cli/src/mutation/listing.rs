//! The mutants that cargo-mutants knows of some files, and a seeded sample of them. Its runner is
//! not used: it knows tests, not sweeps.

use crate::mutation::weave::fits;
use crate::tool_error::ToolError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Modules of the node, each with the files that do its work.
pub(crate) const MODULES: [(&str, &[&str]); 5] = [
    ("journal", &["node/core/src/journal/*.rs"]),
    ("consensus", &["node/core/src/consensus/*.rs"]),
    ("merge", &["node/core/src/merge/*.rs", "node/core/src/node/order.rs"]),
    ("ledger", &["node/core/src/ledger/*.rs"]),
    (
        "session",
        &[
            "node/core/src/session/*.rs",
            "node/core/src/node/writes.rs",
            "node/core/src/node/proposals.rs",
            "node/core/src/node/reads.rs",
        ],
    ),
];

/// A place in a file; lines and columns from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// From a place up to another, which is not included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) start: Place,
    pub(crate) end: Place,
}

/// The function around a mutant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Function {
    pub(crate) span: Span,
}

/// A change of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mutant {
    /// File, place and change, for people.
    pub(crate) name: String,
    /// The file, from the root of the workspace.
    pub(crate) file: String,
    /// The function that it is in.
    pub(crate) function: Option<Function>,
    /// What is replaced.
    pub(crate) span: Span,
    /// By what.
    pub(crate) replacement: String,
}

/// A mutant that was drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drawn {
    /// How a process is told to be it, from 1.
    pub(crate) number: u32,
    /// Its module.
    pub(crate) module: String,
    /// The change.
    pub(crate) mutant: Mutant,
}

/// What was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    /// One of each module in turn.
    pub(crate) drawn: Vec<Drawn>,
    /// For each module: mutants that there are, and those that one build can hold.
    pub(crate) sizes: BTreeMap<String, [usize; 2]>,
}

/// Everything that cargo-mutants would change in a module.
fn of_module(tree: &Path, files: &[&str]) -> Result<Vec<Mutant>, ToolError> {
    let mut command = Command::new("cargo");
    command.current_dir(tree).args(["mutants", "--list", "--json", "--no-config"]);
    command.args(["--package", "billing-core"]);
    files.iter().for_each(|file| {
        command.args(["--file", file]);
    });
    let output = command.output().map_err(ToolError::tool)?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(ToolError::usage(format!(
            "cargo mutants: {}: `cargo install cargo-mutants --locked` installs it",
            why.trim().lines().last().unwrap_or_default()
        )));
    }
    serde_json::from_slice(&output.stdout).map_err(ToolError::tool)
}

/// A seeded sample of so many mutants of each module. What
/// cannot be woven in is not drawn. The order of a module's mutants is that of their keys, so that
/// a larger sample holds the smaller one.
pub(crate) fn draw(
    tree: &Path,
    modules: &[String],
    sample: usize,
    seed: u64,
) -> Result<Sample, ToolError> {
    let mut drawn = Vec::new();
    let mut sizes = BTreeMap::new();
    for (module, files) in MODULES {
        if !modules.is_empty() && !modules.iter().any(|wanted| wanted == module) {
            continue;
        }
        let all = of_module(tree, files)?;
        let mut texts: BTreeMap<&str, String> = BTreeMap::new();
        for mutant in &all {
            let path = tree.join(&mutant.file);
            if !texts.contains_key(mutant.file.as_str()) {
                let text = fs::read_to_string(&path).map_err(|e| ToolError::read(&path, &e))?;
                texts.insert(&mutant.file, text);
            }
        }
        let is_fit = |mutant: &&Mutant| fits(&texts[mutant.file.as_str()], mutant).is_ok();
        let mut fit: Vec<&Mutant> = all.iter().filter(is_fit).collect();
        sizes.insert(module.to_owned(), [all.len(), fit.len()]);
        fit.sort_by_cached_key(|mutant| key(seed, &mutant.name));
        drawn.extend(fit.into_iter().take(sample).enumerate().map(|(rank, mutant)| {
            let mutant = mutant.clone();
            (rank, Drawn { number: 0, module: module.to_owned(), mutant })
        }));
    }
    // In turns: whoever ends it early has some of each module.
    drawn.sort_by_key(|(rank, _)| *rank);
    let mut drawn: Vec<Drawn> = drawn.into_iter().map(|(_, one)| one).collect();
    for (number, one) in (1..).zip(&mut drawn) {
        one.number = number;
    }
    Ok(Sample { drawn, sizes })
}

/// Where a mutant stands in the order of a seed.
fn key(seed: u64, name: &str) -> [u8; 32] {
    *blake3::hash(format!("{seed}/{name}").as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::{MODULES, key};
    use std::path::Path;

    #[test]
    fn every_module_has_its_files() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (module, files) in MODULES {
            for file in files {
                let file = root.join(file.replace("*.rs", "mod.rs"));
                assert!(file.is_file(), "{module}: {}", file.display());
            }
        }
    }

    #[test]
    fn the_seed_decides_about_the_order() {
        assert_eq!(key(1, "a"), key(1, "a"));
        assert_ne!(key(1, "a"), key(2, "a"));
        assert_ne!(key(1, "a"), key(1, "b"));
    }
}
