//! `billsim schema`: JSON Schema of the documents that people write and tools read.

use crate::arguments::Schema;
use crate::context::say;
use crate::tool_error::ToolError;
use billsim_record::{ExitCode, FaultPlan, Manifest, Outcome};

pub(crate) fn schema(arguments: &Schema) -> Result<ExitCode, ToolError> {
    let of = |schema: schemars::Schema| format!("{:#}\n", schema.as_value());
    say(&match arguments.document.as_str() {
        "scenario" => billsim_engine::scenario::scenario_schema(),
        "plan" => of(schemars::schema_for!(FaultPlan)),
        "outcome" => of(schemars::schema_for!(Outcome)),
        "manifest" => of(schemars::schema_for!(Manifest)),
        other => return Err(ToolError::usage(format!("no document '{other}'"))),
    });
    Ok(ExitCode::Held)
}
