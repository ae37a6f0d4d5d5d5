//! What ships holds no planted bug and no simulator: builds the release node and looks for
//! the names of both in its bytes.

use crate::files::{SourceFile, all, read, root};
use crate::metadata;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use thiserror::Error;

/// The catalogue of planted bugs.
const CATALOGUE: &str = "node/core/src/canary.rs";
/// Text that must be in the binary, or the search looked at the wrong bytes.
const SENTINEL: &str = "billing-node";

/// Why the shipped node is not clean, or could not be looked at.
#[derive(Debug, Error)]
pub(crate) enum ShippedError {
    /// It did not build.
    #[error("cargo build --release --package billing-node failed: {0}")]
    Build(std::process::ExitStatus),
    /// The catalogue could not be understood, so a clean search would prove nothing.
    #[error("no names of planted bugs found in {CATALOGUE}: has its shape changed?")]
    NoNames,
    /// The search looked at something else than the node.
    #[error("{0} does not contain {SENTINEL:?}: is it the node?")]
    NotTheNode(String),
    /// It holds what must not ship.
    #[error("the release node contains {}: see \"Planted bugs\" in ARCHITECTURE.md", .0.join(", "))]
    Dirty(Vec<String>),
}

/// Builds, searches, and says what was looked for.
pub(crate) fn run() -> Result<String, Box<dyn std::error::Error>> {
    let build = ["build", "--release", "--package", "billing-node"];
    let status = Command::new("cargo").args(build).current_dir(root()).status()?;
    if !status.success() {
        return Err(ShippedError::Build(status).into());
    }
    let names = planted_bugs(root())?;
    let binary = metadata::load()?.target_directory.join("release").join(SENTINEL);
    let bytes = fs::read(&binary)?;
    if !contains(&bytes, SENTINEL) {
        return Err(ShippedError::NotTheNode(binary.display().to_string()).into());
    }
    let forbidden = names.iter().map(String::as_str).chain(["madsim"]);
    let found: Vec<String> =
        forbidden.filter(|name| contains(&bytes, name)).map(str::to_owned).collect();
    if !found.is_empty() {
        return Err(ShippedError::Dirty(found).into());
    }
    Ok(format!("shipped: {} bytes, none of {} planted bugs, no madsim", bytes.len(), names.len()))
}

/// Names in the catalogue and in every use: a name in use but not in the catalogue would not
/// compile, so the two agree.
fn planted_bugs(root: &Path) -> Result<BTreeSet<String>, Box<dyn std::error::Error>> {
    let mut names = catalogue(&read(&root.join(CATALOGUE))?);
    if names.is_empty() {
        return Err(ShippedError::NoNames.into());
    }
    let is_node = |file: &SourceFile| file.path.starts_with("node/") && file.path.ends_with(".rs");
    for file in all(root)?.into_iter().filter(is_node) {
        names.extend(quoted_after(&file.text, "canary!("));
    }
    names.remove("name");
    Ok(names)
}

/// The first text of each pair in `CATALOGUE`.
fn catalogue(text: &str) -> BTreeSet<String> {
    let after = text.split_once("pub const CATALOGUE").map_or("", |(_, after)| after);
    let table = after.split_once("];").map_or("", |(table, _)| table);
    quoted_after(table, "(").collect()
}

/// Every quoted text that follows directly after `start`, white space aside.
fn quoted_after<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = String> + 'a {
    let parts = text.split(start).skip(1);
    let quoted = parts.filter_map(|part| part.trim_start().strip_prefix('"'));
    quoted.filter_map(|part| part.split_once('"')).map(|(name, _)| name.to_owned())
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{catalogue, contains, planted_bugs};
    use crate::files::root;

    #[test]
    fn names_are_read_from_the_table() {
        let text = "pub const CATALOGUE: &[(&str, &str)] = &[\n(\"a-b\", \"words\"),\n(\n\"c\", \
                    \"w\")];\n(\"not\", 1)";
        assert_eq!(catalogue(text).into_iter().collect::<Vec<_>>(), ["a-b", "c"]);
    }

    #[test]
    fn the_real_catalogue_is_understood() {
        let names = planted_bugs(root()).expect("catalogue is readable");
        assert!(names.contains("ack-before-sync"), "{names:?}");
        assert!(names.len() >= 9, "{names:?}");
    }

    #[test]
    fn bytes_are_searched_everywhere() {
        assert!(contains(b"xx ack yy", "ack"));
        assert!(!contains(b"xx ac", "ack"));
    }
}
