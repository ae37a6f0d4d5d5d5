//! `billsim schema`: JSON Schema of the documents that people write and tools read.

use crate::arguments::Schema;
use crate::context::say;
use crate::tool_error::ToolError;
use billsim_record::event::EventsHead;
use billsim_record::{
    Checkpoint, Conclusion, ExitCode, FaultPlan, Manifest, Outcome, RunEvent, SimFail,
};
use schemars::JsonSchema;

/// A line of `events.jsonl`: the first is the head, each other one an event.
#[derive(JsonSchema)]
#[serde(untagged)]
// It is the schema of what others read and write.
#[expect(dead_code)]
enum EventsLine {
    Head(EventsHead),
    Event(RunEvent),
}

pub(crate) fn schema(arguments: &Schema) -> Result<ExitCode, ToolError> {
    let of = |schema: schemars::Schema| format!("{:#}\n", schema.as_value());
    say(&match arguments.document.as_str() {
        "scenario" => billsim_engine::scenario::scenario_schema(),
        "plan" => of(schemars::schema_for!(FaultPlan)),
        "outcome" => of(schemars::schema_for!(Outcome)),
        "manifest" => of(schemars::schema_for!(Manifest)),
        "events" => of(schemars::schema_for!(EventsLine)),
        "conclusion" => of(schemars::schema_for!(Conclusion)),
        "checkpoint" => of(schemars::schema_for!(Checkpoint)),
        "simfail" => of(schemars::schema_for!(SimFail)),
        other => return Err(ToolError::usage(format!("no document '{other}'"))),
    });
    Ok(ExitCode::Held)
}
