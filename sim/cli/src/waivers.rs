//! Which known failures a run may let pass: read once at its start, and kept in its manifest.

use crate::corpus::Corpus;
use crate::tool_error::ToolError;
use crate::wall_clock;
use billsim_gate::Waivers;
use std::fs;
use std::path::Path;

/// The waivers of a list, or of `ci/waivers.toml` where there is one; none may be over.
pub(crate) fn read(asked: Option<&Path>, corpus: &Corpus) -> Result<Waivers, ToolError> {
    let default = corpus.beside("ci/waivers.toml");
    let path = match asked {
        Some(path) => path,
        None if default.is_file() => &default,
        None => return Ok(Waivers::default()),
    };
    let text = fs::read_to_string(path).map_err(|error| ToolError::read(path, &error))?;
    let shown = path.display().to_string();
    let waivers = Waivers::parse(&shown, &text).map_err(ToolError::usage)?;
    if let Some(over) = waivers.expired(wall_clock::today()).next() {
        return Err(ToolError::usage(format!(
            "{shown}: the waiver of {} was good until {}: mend the failure, or decide anew; \
             --without-waivers goes on and lets nothing pass",
            over.failure, over.expires
        )));
    }
    Ok(waivers)
}
