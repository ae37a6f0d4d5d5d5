//! The lines of a file to import: read and checked before anything is sent.

use billing_wire::{OpId, derived_op_id};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The writes of the API.
const WRITES: [&str; 9] = [
    "accounts",
    "payments",
    "reads",
    "adjustments",
    "reversals",
    "closures",
    "refunds",
    "invoices",
    "payouts",
];
/// What stands before a file's name and a line where a key is derived.
const CAUSE: OpId = OpId(0);

/// A write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    /// Last part of the path.
    pub(super) write: String,
    pub(super) key: OpId,
    /// What is posted, as it stands in the file.
    pub(super) body: String,
}

/// A file.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) lines: Vec<Line>,
    /// Tells a file from another one.
    pub(super) digest: OpId,
}

/// Why a file cannot be imported; nothing was sent.
#[derive(Debug, Error)]
pub(crate) enum LineError {
    #[error("cannot read {}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}:{line}: {text}; nothing was sent", .path.display())]
    Wrong { path: PathBuf, line: u64, text: String },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    write: String,
    key: Option<String>,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// Reads a file. Empty lines are passed over.
pub(super) fn read(path: &Path) -> Result<Lines, LineError> {
    let text = fs::read_to_string(path)
        .map_err(|source| LineError::Io { path: path.to_owned(), source })?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (mut lines, mut keys, mut equal) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for (number, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let wrong = |text| LineError::Wrong { path: path.to_owned(), line: number, text };
        let seen = equal.entry(text).or_insert(0_u64);
        *seen += 1;
        let line = line(&name, number, text, *seen).map_err(wrong)?;
        if let Some(earlier) = keys.insert(line.key, number) {
            return Err(wrong(format!("the key of line {earlier}: each line needs its own")));
        }
        lines.push(line);
    }
    Ok(Lines { lines, digest: derived_op_id(CAUSE, &text) })
}

fn line(name: &str, number: u64, text: &str, seen: u64) -> Result<Line, String> {
    let written: Written<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let write = written.write;
    if !WRITES.contains(&write.as_str()) {
        return Err(format!("'{write}' is no write: one of {} expected", WRITES.join(", ")));
    }
    let key = match written.key {
        Some(key) => key.parse()?,
        None => derived_op_id(CAUSE, &format!("import\n{name}\n{text}\n{seen}")),
    };
    Ok(Line { number, write, key, body: written.body.get().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::read;
    use std::fs;

    const PAYMENT: &str = r#"{"write":"payments","body":{"amount":5}}"#;

    #[test]
    fn keys_are_the_files_or_derived_and_each_line_has_its_own() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("old.jsonl");
        let key = "3f0e5c7a-90ab-4b7d-9f66-5b7a2f6f0a11";
        let with_key = format!(r#"{{"write":"reads","key":"{key}","body":{{}}}}"#);
        fs::write(&path, format!("{PAYMENT}\n\n{PAYMENT}\n{with_key}\n")).expect("written");
        let (one, again) = (read(&path).expect("it is right"), read(&path).expect("it is right"));
        assert_eq!(one.lines, again.lines);
        assert_eq!(one.digest, again.digest);
        let numbers: Vec<u64> = one.lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 3, 4], "as an editor counts");
        assert_ne!(one.lines[0].key, one.lines[1].key, "two equal lines are two payments");
        assert_eq!(one.lines[2].key.to_string(), key);
        assert_eq!(one.lines[0].body, r#"{"amount":5}"#);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("old.jsonl");
        let keyed = r#"{"write":"reads","key":"3f0e5c7a-90ab-4b7d-9f66-5b7a2f6f0a11","body":{}}"#;
        for (second, why) in [
            ("{", ":2: EOF"),
            (r#"{"write":"paiments","body":{}}"#, ":2: 'paiments' is no write"),
            (r#"{"write":"payments","key":"x","body":{}}"#, ":2: "),
            (r#"{"write":"payments","boddy":{}}"#, "unknown field `boddy`"),
            (keyed, ":2: the key of line 1"),
        ] {
            fs::write(&path, format!("{keyed}\n{second}\n")).expect("written");
            let error = read(&path).expect_err("it is wrong").to_string();
            assert!(error.contains(why) && error.contains("nothing was sent"), "{error}");
        }
    }
}
