//! Minimising delta debugging, `ddmin` of Zeller and Hildebrandt, "Simplifying and Isolating
//! Failure-Inducing Input", IEEE Transactions on Software Engineering 28(2), 2002, section 3.
//!
//! The result is 1-minimal: it fails, and without any single one of its items it does not. That
//! holds for any test that gives the same answer to the same items, monotone or not.

/// The items that a failure needs. `first_failing` gets a number of candidates and a function that
/// makes each, and says which is the first that fails; all of `items` do.
///
/// Candidates come in a fixed order: nothing at all, then each part, from the front, then all but
/// one part, from the back. So of two small enough answers the one with earlier items is found.
///
/// # Errors
/// Whatever `first_failing` gave up with. What it said to fail last is the smallest known.
pub fn ddmin<T: Clone, E>(
    mut items: Vec<T>,
    mut first_failing: impl FnMut(usize, &dyn Fn(usize) -> Vec<T>) -> Result<Option<usize>, E>,
) -> Result<Vec<T>, E> {
    if items.is_empty() || first_failing(1, &|_| Vec::new())?.is_some() {
        return Ok(Vec::new());
    }
    let mut parts = 2;
    while items.len() > 1 {
        parts = parts.min(items.len());
        // With two parts, all but one of them is the other one.
        let count = if parts == 2 { 2 } else { 2 * parts };
        let candidate = |number| candidate(&items, parts, number);
        match first_failing(count, &candidate)? {
            Some(number) => {
                items = candidate(number);
                parts = if number < parts { 2 } else { parts - 1 };
            }
            None if parts == items.len() => break,
            None => parts *= 2,
        }
    }
    Ok(items)
}

/// One of `parts` parts of nearly the same size, or everything but one.
fn candidate<T: Clone>(items: &[T], parts: usize, number: usize) -> Vec<T> {
    let bound = |part: usize| part * items.len() / parts;
    if number < parts {
        return items[bound(number)..bound(number + 1)].to_vec();
    }
    let without = 2 * parts - 1 - number;
    [&items[..bound(without)], &items[bound(without + 1)..]].concat()
}
