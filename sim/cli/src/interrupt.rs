//! Ctrl-C: the first one asks for an orderly end, the second one ends at once.

use crate::tool_error::ToolError;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A flag that the first signal sets.
pub(crate) fn watch() -> Result<Arc<AtomicBool>, ToolError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the second signal finds the flag set.
        flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .map_err(ToolError::tool)?;
        flag::register(signal, Arc::clone(&stop)).map_err(ToolError::tool)?;
    }
    Ok(stop)
}

/// A flag that SIGUSR1 sets: somebody wants to know how far it is.
pub(crate) fn asked() -> Result<Arc<AtomicBool>, ToolError> {
    let asked = Arc::new(AtomicBool::new(false));
    flag::register(SIGUSR1, Arc::clone(&asked)).map_err(ToolError::tool)?;
    Ok(asked)
}
