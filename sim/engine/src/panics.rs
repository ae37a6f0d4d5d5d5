//! Panics of the node under test: caught where the node is called, described with their place.
//! The process-wide hook stays silent on threads that simulate and leaves all others alone.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static SIMULATES: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

static INSTALL: Once = Once::new();

/// Marks this thread as one that simulates.
pub fn watch() {
    INSTALL.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |info| {
            if !SIMULATES.get() {
                return others(info);
            }
            let place = info.location().map(|l| format!("{}:{}", l.file(), l.line()));
            PLACE.set(place);
        }));
    });
    SIMULATES.set(true);
}

/// What a caught panic said, and where.
pub fn describe(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "a panic without words".to_owned());
    match PLACE.take() {
        Some(place) => format!("{text} ({place})"),
        None => text,
    }
}

/// The place in what [`describe`] said: it names a cause, where the words may hold figures.
pub(crate) fn place(described: &str) -> Option<&str> {
    let (_, place) = described.strip_suffix(')')?.rsplit_once(" (")?;
    Some(place)
}
