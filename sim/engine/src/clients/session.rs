//! A session of a client: whom it talks to, what it has seen, what it is busy with.

use super::operation::Operation;
use billing_wire::Token;
use billsim_oracle::history::CallId;

/// A session: one operation at a time.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Whom it talks to, by its place.
    pub(super) endpoint: usize,
    /// What it has seen.
    pub(super) token: Option<Token>,
    /// What it is busy with.
    pub(super) operation: Option<Operation>,
    /// The sending that it waits for; none while it pauses before a retry.
    pub(super) call: Option<CallId>,
    /// It has sent something.
    pub(super) took_part: bool,
}

impl Session {
    /// Keeps the token of an answer: it covers the one that was sent.
    pub(super) fn see(&mut self, token: Token) {
        self.token = Some(token);
    }
}
