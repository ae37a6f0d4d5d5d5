//! Numbers and paragraphs as people read them on an 80-column screen.

/// Columns of a screen that nobody asked about.
pub(crate) const COLUMNS: usize = 80;

/// Characters of what was seen that a list of failures repeats; `outcomes.jsonl` has all of them.
pub(crate) const SEEN_MAX: usize = 480;

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 seed`, `2 seeds`.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

/// Breaks a text at spaces into lines of at most `width` characters; a longer word stays whole.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// As [`wrap`], but at most `lines_max` lines; what is left out shows as `…`.
pub(crate) fn wrap_within(text: &str, width: usize, lines_max: usize) -> Vec<String> {
    let mut lines = wrap(text, width);
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            last.push_str(" …");
        }
    }
    lines
}

/// The first words of a long text, at most so many characters; the record has all of them.
pub(crate) fn shortened(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    let start: String = text.chars().take(characters_max).collect();
    format!("{} …", start.rsplit_once(' ').map_or(start.as_str(), |(words, _)| words))
}

#[cfg(test)]
mod tests {
    use super::{count, plural, wrap, wrap_within};

    #[test]
    fn thousands_are_set_apart() {
        let shown = [0, 7, 999, 1_000, 123_456, 1_234_567].map(count);
        assert_eq!(shown, ["0", "7", "999", "1,000", "123,456", "1,234,567"]);
        assert_eq!(plural(1, "seed"), "1 seed");
        assert_eq!(plural(2_000, "seed"), "2,000 seeds");
    }

    #[test]
    fn paragraphs_stay_inside_their_width() {
        assert_eq!(wrap("a bc  def", 4), ["a bc", "def"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("enormous", 4), ["enormous"]);
        assert_eq!(wrap_within("a b c d", 1, 2), ["a", "b …"]);
    }
}
