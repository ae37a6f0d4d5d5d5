//! Weaves many mutants of a file into one text, of which a running process chooses one: a function
//! with mutants becomes a `match` over whole copies of its body. Each copy is exactly what the
//! patch would have made of it, so that one build stands for hundreds of patches.

use super::listing::{Mutant, Span};
use std::collections::BTreeMap;
use std::ops::Range;

/// A file with its mutants woven in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Woven {
    /// The text.
    pub(crate) text: String,
    /// Which lines, from 1, are whose copy.
    pub(crate) lines: Vec<(Range<usize>, u32)>,
}

/// Why a mutant cannot be woven in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Nothing can be chosen at compile time.
    Const,
    /// Its bodies would have different types.
    Opaque,
    /// The source is not where the list says.
    NotFound,
}

/// Byte offset of a line and a column, both from 1; columns count characters.
fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let start = match line {
        1 => 0,
        _ => text.match_indices('\n').nth(line.checked_sub(2)?)?.0 + 1,
    };
    let rest = &text[start..];
    let column = column.checked_sub(1)?;
    let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.clone().nth(column).map(|at| start + at)
}

fn range(text: &str, span: &Span) -> Option<Range<usize>> {
    let start = offset(text, span.start.line, span.start.column)?;
    let end = offset(text, span.end.line, span.end.column)?;
    (start <= end).then_some(start..end)
}

/// The body of a function with its braces: from the first brace that belongs to no type.
fn body(text: &str, function: &Range<usize>) -> Option<Range<usize>> {
    let whole = &text[function.clone()];
    let mut depth = 0_usize;
    let mut skipped_until = 0;
    for (at, character) in whole.char_indices() {
        if at < skipped_until {
            continue;
        }
        match character {
            '/' if whole[at..].starts_with("//") => {
                skipped_until = whole[at..].find('\n').map_or(whole.len(), |end| at + end);
            }
            '"' => skipped_until = at + 2 + whole[at + 1..].find('"')?,
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.checked_sub(1)?,
            '{' if depth == 0 => {
                let body = function.start + at..function.end;
                return text[body.clone()].ends_with('}').then_some(body);
            }
            _ => {}
        }
    }
    None
}

/// Whether a mutant can be one of many in a file.
pub(crate) fn fits(text: &str, mutant: &Mutant) -> Result<(), Unfit> {
    let function = mutant.function.as_ref().ok_or(Unfit::NotFound)?;
    let whole = range(text, &function.span).ok_or(Unfit::NotFound)?;
    let body = body(text, &whole).ok_or(Unfit::NotFound)?;
    let inside = range(text, &mutant.span).ok_or(Unfit::NotFound)?;
    if inside.start < body.start || inside.end > body.end {
        return Err(Unfit::NotFound);
    }
    let signature = &text[whole.start..body.start];
    let has_word = |word: &str| signature.split(|c: char| !c.is_alphanumeric()).any(|w| w == word);
    if has_word("const") {
        return Err(Unfit::Const);
    }
    let returned = signature.rsplit_once("->").map_or("", |(_, returned)| returned);
    if returned.contains("impl ") {
        return Err(Unfit::Opaque);
    }
    Ok(())
}

/// The changes of each function's body, by where it begins and ends.
type Changes<'a> = BTreeMap<(usize, usize), Vec<(u32, Range<usize>, &'a str)>>;

/// Weaves in mutants that fit, each with its number; `active` is the path of the function that
/// says which one is chosen.
pub(crate) fn weave(text: &str, mutants: &[(u32, &Mutant)], active: &str) -> Woven {
    let mut functions = Changes::new();
    for (number, mutant) in mutants {
        let whole = mutant.function.as_ref().and_then(|function| range(text, &function.span));
        let found = whole.and_then(|whole| body(text, &whole)).zip(range(text, &mutant.span));
        let Some((body, inside)) = found else { continue };
        let change = (*number, inside, mutant.replacement.as_str());
        functions.entry((body.start, body.end)).or_default().push(change);
    }
    // A function within a function is copied with the outer one.
    let outer: Vec<(usize, usize)> = functions.keys().copied().collect();
    let home = |body: (usize, usize)| {
        let holds = |other: &&(usize, usize)| other.0 <= body.0 && body.1 <= other.1;
        *outer.iter().find(holds).unwrap_or(&body)
    };
    let mut homes = Changes::new();
    for (body, changes) in functions {
        homes.entry(home(body)).or_default().extend(changes);
    }
    let mut out = Woven { text: String::with_capacity(text.len() * 4), lines: Vec::new() };
    let (mut done, mut line) = (0, 1);
    let mut push = |out: &mut Woven, piece: &str| {
        out.text.push_str(piece);
        line += piece.matches('\n').count();
        line
    };
    for ((start, end), changes) in homes {
        push(&mut out, &text[done..start]);
        push(&mut out, &format!("{{ match {active}() {{\n"));
        for (number, inside, replacement) in changes {
            let first = push(&mut out, &format!("{number} => "));
            let copy =
                format!("{}{replacement}{}", &text[start..inside.start], &text[inside.end..end]);
            let last = push(&mut out, &copy);
            push(&mut out, "\n");
            out.lines.push((first..last + 1, number));
        }
        push(&mut out, &format!("_ => {}\n}} }}", &text[start..end]));
        done = end;
    }
    push(&mut out, &text[done..]);
    out
}

#[cfg(test)]
mod tests {
    use super::{Unfit, fits, weave};
    use crate::mutation::listing::{Function, Mutant, Place, Span};

    const SOURCE: &str = "\
//! A file.
/// Says {nothing}.
fn less(a: [u8; 2], b: u8) -> bool // {
{
    let é = a[0] < b;
    é
}

const fn one() -> u8 {
    1
}

fn all(n: u8) -> impl Iterator<Item = u8> {
    0..n
}
";

    fn span(from: (usize, usize), to: (usize, usize)) -> Span {
        let place = |(line, column)| Place { line, column };
        Span { start: place(from), end: place(to) }
    }

    fn mutant(function: Span, span: Span, replacement: &str) -> Mutant {
        Mutant {
            name: "a.rs:1:1: replace".to_owned(),
            file: "a.rs".to_owned(),
            function: Some(Function { span: function }),
            span,
            replacement: replacement.to_owned(),
        }
    }

    #[test]
    fn each_copy_is_what_the_patch_would_make_of_the_function() {
        let function = span((3, 1), (7, 2));
        let less = mutant(function.clone(), span((5, 18), (5, 19)), "<=");
        let whole = mutant(function, span((5, 5), (6, 6)), "true");
        assert_eq!((fits(SOURCE, &less), fits(SOURCE, &whole)), (Ok(()), Ok(())));
        let woven = weave(SOURCE, &[(3, &less), (8, &whole)], "crate::chosen");
        let expected = "\
//! A file.
/// Says {nothing}.
fn less(a: [u8; 2], b: u8) -> bool // {
{ match crate::chosen() {
3 => {
    let é = a[0] <= b;
    é
}
8 => {
    true
}
_ => {
    let é = a[0] < b;
    é
}
} }
";
        assert!(woven.text.starts_with(expected), "{}", woven.text);
        assert!(woven.text.ends_with(&SOURCE[SOURCE.find("\nconst").unwrap()..]));
        assert_eq!(woven.lines, [(5..9, 3), (9..12, 8)]);
    }

    #[test]
    fn what_cannot_be_chosen_at_run_time_is_left_out() {
        let one = mutant(span((9, 1), (11, 2)), span((10, 5), (10, 6)), "0");
        assert_eq!(fits(SOURCE, &one), Err(Unfit::Const));
        let all = mutant(span((13, 1), (15, 2)), span((14, 5), (14, 9)), "::std::iter::empty()");
        assert_eq!(fits(SOURCE, &all), Err(Unfit::Opaque));
        let far = mutant(span((13, 1), (15, 2)), span((5, 5), (5, 6)), "0");
        assert_eq!(fits(SOURCE, &far), Err(Unfit::NotFound));
        let beyond = mutant(span((13, 1), (150, 2)), span((5, 5), (5, 6)), "0");
        assert_eq!(fits(SOURCE, &beyond), Err(Unfit::NotFound));
    }
}
