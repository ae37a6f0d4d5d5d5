//! `outcomes.jsonl`: one outcome a line, in the order in which seeds ended. A line is written
//! whole or, by a power cut or a full disk, torn at the very end of the file.

use billsim_record::document::{self, ReadError};
use billsim_record::{Document, Outcome};
use std::fmt;

/// Which line could not be read, and why.
#[derive(Debug)]
pub struct LineError {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub source: ReadError,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.source)
    }
}

impl std::error::Error for LineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// One line with its newline.
pub fn line(outcome: &Outcome) -> String {
    document::line(outcome)
}

/// Every outcome of a file. A last line without its newline was torn and is left out.
///
/// # Errors
/// The first whole line that is no outcome of this release's format.
pub fn read(text: &str) -> Result<Vec<Outcome>, LineError> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines = whole.lines().enumerate().filter(|(_, line)| !line.is_empty());
    lines.map(|(i, line)| read_line(i + 1, line)).collect()
}

fn read_line<D: Document>(line: usize, text: &str) -> Result<D, LineError> {
    document::read(text).map_err(|source| LineError { line, source })
}
