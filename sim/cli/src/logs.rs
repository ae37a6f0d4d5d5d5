//! The nodes' own logs on stderr, stamped with simulated time and the node that speaks.

use crate::tool_error::ToolError;
use billsim_engine::speaker;
use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Simulated time and node of the thread that logs.
struct Simulated;

impl FormatTime for Simulated {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        let (at, slot) = speaker::now();
        write!(out, "{:>12.6} s", at as f64 / 1e9)?;
        match slot {
            Some(slot) => write!(out, " node {}", slot + 1),
            None => out.write_str(" world "),
        }
    }
}

/// How many want silence just now.
static HUSHED: AtomicU32 = AtomicU32::new(0);

/// Silence until it is dropped.
pub(crate) struct Hushed;

impl Drop for Hushed {
    fn drop(&mut self) {
        HUSHED.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A run that was shown once is not shown again while the result lives.
pub(crate) fn hush() -> Hushed {
    HUSHED.fetch_add(1, Ordering::Relaxed);
    Hushed
}

fn writer() -> Box<dyn Write> {
    if HUSHED.load(Ordering::Relaxed) > 0 { Box::new(io::sink()) } else { Box::new(io::stderr()) }
}

/// Shows logs that pass a filter.
pub(crate) fn show(filter: &str) -> Result<(), ToolError> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        ToolError::usage(format!("'{filter}' is no log filter: {error}; try `info`"))
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(Simulated)
        .with_writer(writer)
        .with_ansi(false)
        .try_init()
        .map_err(ToolError::tool)
}
