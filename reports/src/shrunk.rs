//! A shrunk failure: how much smaller it is, and why it happens, in billing words.

use crate::layout::{count, plural, shortened};
use billsim_record::{Failure, FaultPlan, PlannedFault};

/// Characters of what was seen that an explanation repeats.
const DETAIL_MAX: usize = 240;
/// Faults, the last ones, and operations that an explanation names; all stand in the plan.
const NAMED_MAX: usize = 12;

/// How large a run was until it failed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// Planned faults.
    pub faults: u64,
    /// Operations that clients sent.
    pub operations: u64,
    /// Clients that sent something.
    pub clients: u64,
    /// Simulated seconds until the failure.
    pub simulated_seconds: f64,
}

/// A failure with the smallest plan that shows it.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// What broke.
    pub failure: &'a Failure,
    /// The transaction, from its sending to its acknowledgement.
    pub told: &'a str,
    /// The plan.
    pub plan: &'a FaultPlan,
    /// Whether each fault, each operation and each action of the operator was left out in turn,
    /// and the failure was gone.
    pub is_minimal: bool,
    /// Whether it was seen behind the safety phase, where every run goes through the same.
    pub is_late: bool,
    /// Whether the same fails without any of the faults when all operations are sent.
    pub is_bare: bool,
}

/// What is said of a failure whose faults are needed only because operations were left out.
pub const BARE: &str = "With all operations of the load it happens without any planned fault, \
                        too: then the end of every run is enough, where a node is lost and comes \
                        back.";

/// A table of before and after.
pub fn comparison(before: Size, after: Size) -> String {
    let mut text = format!("  {:<20}{:>10}{:>10}\n", "", "before", "after");
    let rows = [
        ("faults", before.faults, after.faults),
        ("operations", before.operations, after.operations),
        ("clients", before.clients, after.clients),
    ];
    for (name, before, after) in rows {
        text.push_str(&format!("  {name:<20}{:>10}{:>10}\n", count(before), count(after)));
    }
    let (before, after) = (before.simulated_seconds, after.simulated_seconds);
    text.push_str(&format!("  {:<20}{before:>10.3}{after:>10.3}\n", "simulated seconds"));
    text
}

/// Three lines: the promise, the transaction, what it takes.
pub fn explanation(cause: &Cause<'_>) -> String {
    let Failure { oracle, promise, detail, at_ns, .. } = cause.failure;
    let at = *at_ns as f64 / 1e9;
    format!(
        "Broken promise {oracle}: {promise}. Seen at {at:.3} s: {}.\n{}.\n{}\n",
        shortened(detail, DETAIL_MAX),
        capitalised(cause.told.trim_end_matches('.')),
        needs(cause)
    )
}

fn needs(cause: &Cause<'_>) -> String {
    let unnamed = cause.plan.faults.len().saturating_sub(NAMED_MAX);
    let mut parts = Vec::new();
    if unnamed > 0 {
        parts.push(format!("{} of the plan", plural(unnamed as u64, "earlier fault")));
    }
    parts.extend(cause.plan.faults.iter().skip(unnamed).map(of_fault));
    parts.extend(cause.plan.operator.iter().map(ToString::to_string));
    match &cause.plan.load.only {
        None => parts.push("the whole load".to_owned()),
        Some(only) if only.is_empty() => {}
        Some(only) => {
            let named = only.iter().take(NAMED_MAX);
            let numbers: Vec<String> = named.map(u64::to_string).collect();
            let rest = if only.len() > NAMED_MAX { ", and on" } else { "" };
            let operations = plural(only.len() as u64, "operation");
            parts.push(format!("{operations} of the load ({}{rest})", numbers.join(", ")));
        }
    }
    if cause.is_late {
        parts
            .push("the end of every run: a node is lost, clients finish, it comes back".to_owned());
    }
    if parts.is_empty() {
        return "It needs no fault and no operation: it happens by itself.".to_owned();
    }
    let parts = parts.join("; ");
    let bare = if cause.is_bare { format!(" {BARE}") } else { String::new() };
    if cause.is_minimal {
        format!(
            "It takes exactly this, and without any part of it it does not happen: {parts}.{bare}"
        )
    } else {
        format!("This is enough, but not all of it is proved to be necessary: {parts}.{bare}")
    }
}

/// A fault with its strength.
fn of_fault(planned: &PlannedFault) -> String {
    match planned.fault.strength() {
        Some(strength) => format!("{planned} ({strength})"),
        None => planned.to_string(),
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().collect::<String>());
    first.unwrap_or_default() + characters.as_str()
}
