//! Planted bugs of the node: which there are, and which one is selected for this process.

use billing_core::canary;

/// Name of each, and the bug in words.
pub fn catalogue() -> impl Iterator<Item = (&'static str, &'static str)> {
    canary::CATALOGUE.iter().copied()
}

/// Selects one, or none. `false`: there is no such canary.
pub fn select(name: Option<&str>) -> bool {
    let Some(name) = name else {
        canary::select(None);
        return true;
    };
    let place = canary::CATALOGUE.iter().position(|(known, _)| *known == name);
    if place.is_some() {
        canary::select(place);
    }
    place.is_some()
}
