//! Pages of HTML: templates with named holes, and text that cannot break out of its place. A page
//! is one file: style, script and data stand in it, and it fetches nothing.

/// How every page begins.
const HEAD: &str = include_str!("../templates/head.html");

/// The look that all pages share.
const PAGE_CSS: &str = include_str!("../templates/page.css");

/// What the buttons of all pages do.
pub(crate) const PAGE_JS: &str = include_str!("../templates/page.js");

/// The beginning of a page: up to the words that say what it is about. All of it is plain text.
pub(crate) struct Head<'a> {
    /// Of the window.
    pub(crate) title: &'a str,
    /// The look of this page alone.
    pub(crate) css: &'a str,
    /// The colour of the verdict: a class of the shared look.
    pub(crate) tone: &'a str,
    /// In a word.
    pub(crate) verdict: &'a str,
    /// In a sentence.
    pub(crate) headline: &'a str,
    /// What stands below it.
    pub(crate) lead: &'a str,
}

impl Head<'_> {
    /// As HTML.
    pub(crate) fn html(&self) -> String {
        fill(
            HEAD,
            &[
                ("title", &escape(self.title)),
                ("page_css", PAGE_CSS),
                ("own_css", self.css),
                ("tone", self.tone),
                ("verdict", self.verdict),
                ("headline", &escape(self.headline)),
                ("lead", &escape(self.lead)),
            ],
        )
    }
}

/// Text for an element or an attribute in double quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // No document of XML may hold it.
            control if control < ' ' && !matches!(control, '\n' | '\t') => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

/// JSON for a `script` element: nothing in it can end that element.
pub(crate) fn script_json(json: &str) -> String {
    json.replace('<', "\\u003c")
}

/// A template with its holes filled, `{{name}}` each.
///
/// # Panics
/// When the template has a hole that is not filled, or not closed.
pub(crate) fn fill(template: &str, holes: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once("{{") {
        let (name, after) = behind.split_once("}}").expect("every hole is closed");
        let filling = holes.iter().find(|(known, _)| *known == name);
        let (_, filling) = filling.unwrap_or_else(|| panic!("nothing fills the hole {name}"));
        out.push_str(before);
        out.push_str(filling);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A command with a button that copies it.
pub(crate) fn command(command: &str) -> String {
    let command = escape(command);
    format!(
        "<div class=\"command\"><code>{command}</code>\
         <button type=\"button\" data-copy=\"{command}\">copy</button></div>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::{command, escape, fill, script_json};

    #[test]
    fn text_stays_in_its_place() {
        assert_eq!(escape("a<b>&\"c\"\u{1}"), "a&lt;b&gt;&amp;&quot;c&quot;\u{fffd}");
        assert_eq!(script_json("\"</script>\""), "\"\\u003c/script>\"");
        assert!(command("x \"y\"").contains("data-copy=\"x &quot;y&quot;\""));
    }

    #[test]
    fn holes_are_filled_once() {
        let page = fill("<{{a}}|{{b}}|{{a}}>", &[("a", "{{b}}"), ("b", "2")]);
        assert_eq!(page, "<{{b}}|2|{{b}}>", "what fills a hole is not a template");
    }

    #[test]
    #[should_panic(expected = "nothing fills the hole c")]
    fn a_hole_that_nothing_fills_is_a_mistake_here() {
        fill("{{c}}", &[]);
    }
}
