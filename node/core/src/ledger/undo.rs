//! Rows of one kind as they were before provisional entries changed them. What an entry changed is
//! taken back from the end or kept from the start, so one queue serves them all.

use super::rows::Row;
use std::collections::VecDeque;

/// What provisional entries changed, in order: number of the entry, key, and the row before it.
#[derive(Debug)]
pub(super) struct Before<R: Row>(VecDeque<(u64, R::Key, Option<R>)>);

impl<R: Row> Default for Before<R> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<R: Row> Before<R> {
    /// Notes what a row was before the entry of this number changed it.
    pub(super) fn note(&mut self, entry: u64, key: R::Key, row: Option<R>) {
        self.0.push_back((entry, key, row));
    }

    /// Passes the changes to `put`, the last one first, and keeps what that gives back: rows are as
    /// they were before, and the changes are what leads forth again.
    pub(super) fn swap_back(&mut self, mut put: impl FnMut(R::Key, Option<R>) -> Option<R>) {
        self.0.iter_mut().rev().for_each(|(_, key, row)| *row = put(*key, *row));
    }

    /// Undoes [`Self::swap_back`].
    pub(super) fn swap_forth(&mut self, mut put: impl FnMut(R::Key, Option<R>) -> Option<R>) {
        self.0.iter_mut().for_each(|(_, key, row)| *row = put(*key, *row));
    }

    /// The last change, if it is of this entry; it is forgotten.
    pub(super) fn take_last(&mut self, entry: u64) -> Option<(R::Key, Option<R>)> {
        self.0.pop_back_if(|(of, ..)| *of == entry).map(|(_, key, row)| (key, row))
    }

    /// Forgets the changes of the first entry, which has this number.
    pub(super) fn forget_first(&mut self, entry: u64) {
        while self.0.pop_front_if(|(of, ..)| *of == entry).is_some() {}
    }
}
