//! Things that wait, in merged order, each with the steps between which it did.

use crate::Step;
use billing_wire::Position;
use billing_wire::limits::HISTORY_PAGE_MAX;
use std::collections::BTreeMap;

/// What waits, or waited.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    items: BTreeMap<Position, Stay<T>>,
}

#[derive(Debug)]
struct Stay<T> {
    item: T,
    from: Step,
    /// The step that took it away.
    until: Step,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { items: BTreeMap::new() }
    }
}

impl<T: Copy> Waiting<T> {
    pub(crate) fn put(&mut self, step: Step, position: Position, item: T) {
        self.items.insert(position, Stay { item, from: step, until: Step::MAX });
    }

    /// It waits no longer.
    pub(crate) fn take(&mut self, step: Step, position: Position) {
        let stay = self.items.get_mut(&position).expect("only what waits is taken");
        stay.until = step;
    }

    /// What waited when the fold stood at `step`, ascending.
    pub(crate) fn at(&self, step: Step) -> impl Iterator<Item = (Position, T)> + '_ {
        let here = move |stay: &Stay<T>| stay.from <= step && step < stay.until;
        self.items.iter().filter(move |(_, stay)| here(stay)).map(|(at, stay)| (*at, stay.item))
    }

    /// A page of it, and `after` of the next one.
    pub(crate) fn page(
        &self,
        step: Step,
        after: Position,
        limit: u16,
    ) -> (Vec<T>, Option<Position>) {
        let length = usize::from(limit.clamp(1, HISTORY_PAGE_MAX));
        let mut rest = self.at(step).filter(|(at, _)| *at > after).peekable();
        let (mut items, mut last) = (Vec::new(), None);
        while items.len() < length
            && let Some((at, item)) = rest.next()
        {
            items.push(item);
            last = Some(at);
        }
        (items, last.filter(|_| rest.peek().is_some()))
    }
}
