//! A scenario with one of its values changed, as `--vary network.latency_us=[500,900]` says.

use crate::tool_error::ToolError;

/// The text of a scenario with `NAME=VALUE` put in, each by its dotted path.
pub(crate) fn vary(text: &str, changes: &[String]) -> Result<String, ToolError> {
    let mut scenario: toml::Table = text.parse().map_err(ToolError::usage)?;
    for change in changes {
        let wrong = |why: &str| ToolError::usage(format!("--vary {change}: {why}"));
        let (name, value) = change
            .split_once('=')
            .ok_or_else(|| wrong("NAME=VALUE expected, as in load.clients=8"))?;
        let line: toml::Table = format!("value = {value}").parse().map_err(|_| {
            wrong("the value is none of TOML: a number, a [list], true or \"text\" expected")
        })?;
        let value = line.get("value").cloned().ok_or_else(|| wrong("a value expected"))?;
        put(&mut scenario, name, value).ok_or_else(|| {
            wrong("its scenario has no such table; the keys are those of the scenario file")
        })?;
    }
    toml::to_string(&scenario).map_err(ToolError::tool)
}

/// Puts a value to its place; `None` where the path leads through something that is no table.
fn put(table: &mut toml::Table, name: &str, value: toml::Value) -> Option<()> {
    match name.split_once('.') {
        None => {
            table.insert(name.to_owned(), value);
            Some(())
        }
        Some((first, rest)) => put(table.get_mut(first)?.as_table_mut()?, rest, value),
    }
}

#[cfg(test)]
mod tests {
    use super::vary;

    #[test]
    fn a_value_is_put_to_its_place() {
        let text = "about = \"x\"\n[load]\nclients = 64\n";
        let varied = vary(text, &["load.clients=8".to_owned()]).unwrap();
        assert_eq!(varied, "about = \"x\"\n\n[load]\nclients = 8\n");
    }

    #[test]
    fn what_cannot_be_put_is_told() {
        for (change, why) in [
            ("load.clients", "NAME=VALUE expected"),
            ("load.clients=many", "none of TOML"),
            ("zebra.stripes=1", "no such table"),
        ] {
            let told = vary("[load]\n", &[change.to_owned()]).unwrap_err().to_string();
            assert!(told.contains(why), "{told}");
        }
    }
}
