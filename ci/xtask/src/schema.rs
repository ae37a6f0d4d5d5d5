//! The published schemas under `scenarios/schema/` are what `billsim schema` prints: generated
//! from the types that read the files, so they cannot drift unseen.

use crate::files::{read, root};
use std::fs;
use std::process::Command;
use thiserror::Error;

/// Where the schemas are published.
const DIRECTORY: &str = "scenarios/schema";
/// Documents that have one.
const DOCUMENTS: &[&str] =
    &["scenario", "plan", "outcome", "manifest", "events", "conclusion", "checkpoint", "simfail"];

/// Why the schemas are not what they should be.
#[derive(Debug, Error)]
pub(crate) enum SchemaError {
    /// The command line could not print one.
    #[error("billsim schema {document} failed:\n{said}")]
    Print {
        /// Which.
        document: &'static str,
        /// What it said.
        said: String,
    },
    /// The published file differs.
    #[error("{DIRECTORY}/{0}.json is not what the types say: run `cargo xtask schema`")]
    Drift(&'static str),
}

/// Writes every schema.
pub(crate) fn write() -> Result<String, Box<dyn std::error::Error>> {
    fs::create_dir_all(root().join(DIRECTORY))?;
    for document in DOCUMENTS {
        fs::write(root().join(DIRECTORY).join(format!("{document}.json")), generate(document)?)?;
    }
    Ok(format!("schema: {} written", DOCUMENTS.len()))
}

/// Compares every schema.
pub(crate) fn check() -> Result<String, Box<dyn std::error::Error>> {
    for document in DOCUMENTS {
        let published = read(&root().join(DIRECTORY).join(format!("{document}.json")))?;
        if published != generate(document)? {
            return Err(SchemaError::Drift(document).into());
        }
    }
    Ok(format!("schema: {} as published", DOCUMENTS.len()))
}

fn generate(document: &'static str) -> Result<String, Box<dyn std::error::Error>> {
    let output = Command::new("cargo")
        .args(["run", "--quiet", "--release", "--package", "billsim", "--", "schema", document])
        .current_dir(root())
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(SchemaError::Print { document, said }.into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
