//! Errors of scenario files: where, what, the line itself, and what was perhaps meant.

use std::fmt;
use toml::de::{DeTable, DeValue};

/// A scenario or profile file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} cannot be used: {detail}")]
pub struct ScenarioError {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub detail: SourceError,
}

/// What is wrong in a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceError {
    /// What is wrong.
    pub problem: String,
    /// A known name that is near the one found.
    pub perhaps: Option<String>,
    /// Line from 1, column from 1 in characters, text of the line, width to underline.
    pub place: Option<(usize, usize, String, usize)>,
}

impl std::error::Error for SourceError {}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problem)?;
        if let Some(perhaps) = &self.perhaps {
            write!(f, "; did you mean `{perhaps}`?")?;
        }
        if let Some((line, column, text, width)) = &self.place {
            let margin = line.to_string().len();
            write!(f, "\n{:margin$}--> line {line}, column {column}", "")?;
            write!(f, "\n{line} | {text}")?;
            write!(f, "\n{:margin$} | {:>column$}{:^<rest$}", "", "^", "", rest = width - 1)?;
        }
        Ok(())
    }
}

/// A value outside its bounds: its keys from the top, and what was expected.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) path: Vec<String>,
    pub(super) problem: String,
}

impl ScenarioError {
    pub(super) fn from_toml(name: &str, text: &str, error: &toml::de::Error) -> Self {
        let problem = error.message().trim_end().replace('\n', ", ");
        let detail = SourceError {
            perhaps: nearest_name(&problem),
            problem,
            place: error.span().map(|span| place(text, span.start, span.end)),
        };
        Self { name: name.to_owned(), detail }
    }

    pub(super) fn from_bound(name: &str, text: &str, wrong: &Wrong) -> Self {
        let detail = SourceError {
            problem: format!("{}: {}", wrong.path.join("."), wrong.problem),
            perhaps: None,
            place: span_of(text, &wrong.path).map(|(start, end)| place(text, start, end)),
        };
        Self { name: name.to_owned(), detail }
    }
}

/// Line, column, the line, and how much of it to underline.
fn place(text: &str, start: usize, end: usize) -> (usize, usize, String, usize) {
    let start = text.floor_char_boundary(start);
    let begin = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[begin..].lines().next().unwrap_or_default();
    let stop = text.floor_char_boundary(end.min(begin + line.len())).max(start);
    let number = text[..begin].matches('\n').count() + 1;
    let column = text[begin..start].chars().count() + 1;
    (number, column, line.to_owned(), text[start..stop].chars().count().max(1))
}

/// Where the value under the keys stands, or as much of the path as the text has.
fn span_of(text: &str, path: &[String]) -> Option<(usize, usize)> {
    let top = DeTable::parse(text).ok()?;
    let mut table = top.get_ref();
    let mut found = None;
    for key in path {
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == key) else {
            break;
        };
        match value.get_ref() {
            DeValue::Table(inner) => {
                found = Some(name.span());
                table = inner;
            }
            _ => return Some((value.span().start, value.span().end)),
        }
    }
    found.map(|span| (span.start, span.end))
}

/// The expected name that is nearest to an unknown one. The parser states both in its message:
/// the unknown name first, then what it expected, each between back-ticks.
fn nearest_name(message: &str) -> Option<String> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    nearest(unknown, names).map(str::to_owned)
}

/// The name that somebody may have meant who wrote another one.
pub fn nearest<'a>(unknown: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, nearest) = names.map(|name| (edit_distance(unknown, name), name)).min()?;
    // Of a short name, half replaced is another name.
    let is_near = distance <= 2.max(unknown.len() / 3) && 2 * distance < unknown.len();
    is_near.then_some(nearest)
}

/// Insertions, deletions and replacements between two words (Wagner and Fischer).
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
