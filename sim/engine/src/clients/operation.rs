//! One operation of a session, from its first sending to a definite answer.

use super::MILLISECOND_NS;
use super::generator::Draft;
use super::mistakes::changed;
use billing_wire::{OpId, Read, Submission, Token, WriteOptions};
use billsim_oracle::history::Request;

/// How the last sending ended without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// No sending has ended yet.
    NotYet,
    /// Nothing came back in time.
    Nothing,
    /// The node says that it does not know.
    Unknown,
    /// The node says that it did not append.
    Unavailable,
    /// The same, because it cannot reach the grade that was asked for.
    GradeUnreachable,
    /// The node refused the session's token.
    ForeignToken,
    /// The connection was refused.
    Refused,
}

#[derive(Debug)]
enum Content {
    Write(Submission),
    Read(Read),
}

/// An operation and how far it got.
#[derive(Debug)]
pub(super) struct Operation {
    content: Content,
    /// Sendings by this session.
    attempts: u32,
    /// How many of them had another body.
    body_since: u32,
    /// Some other session sent the same.
    echo: bool,
    /// Some sending may have been logged without our hearing of it.
    unknown: bool,
    /// It was acknowledged.
    acknowledged: bool,
    heard: Heard,
    /// Its client was refused the grade that it asked for, and takes any now.
    takes_any_grade: bool,
    /// A second session is to send it at once.
    twin: bool,
    /// Sendings to come with next to no patience, and how much that is in milliseconds.
    hurried: u32,
    hurried_ms: u64,
    /// Sendings to come after it was acknowledged.
    more: u32,
}

impl Operation {
    pub(super) fn new(draft: Draft) -> Self {
        Self {
            content: match draft.request {
                Request::Write(submission, ..) => Content::Write(submission),
                Request::Read(read) => Content::Read(read),
            },
            attempts: 0,
            body_since: 0,
            echo: draft.echo,
            unknown: false,
            acknowledged: false,
            heard: Heard::NotYet,
            takes_any_grade: false,
            twin: draft.twin,
            hurried: draft.hurried,
            hurried_ms: draft.hurried_ms,
            more: draft.more,
        }
    }

    /// The same for another session, if this one is to be sent twice at once.
    pub(super) fn twin(&self) -> Option<Self> {
        let Content::Write(submission) = &self.content else { return None };
        self.twin.then(|| Self {
            content: Content::Write(submission.clone()),
            attempts: 0,
            body_since: 0,
            echo: true,
            unknown: false,
            acknowledged: false,
            heard: Heard::NotYet,
            takes_any_grade: false,
            twin: false,
            hurried: 0,
            hurried_ms: 0,
            more: 0,
        })
    }

    /// The operation's name; `None`: a read.
    pub(super) fn op_id(&self) -> Option<OpId> {
        match &self.content {
            Content::Write(submission) => Some(submission.op_id),
            Content::Read(_) => None,
        }
    }

    /// What to send, with what the session has seen.
    pub(super) fn request(&self, token: Option<Token>, options: WriteOptions) -> Request {
        match &self.content {
            Content::Write(submission) => Request::Write(submission.clone(), token, options),
            Content::Read(read) => Request::Read(Read { token, ..*read }),
        }
    }

    /// Whether it may be acknowledged with whatever grade.
    pub(super) fn takes_any_grade(&self) -> bool {
        self.takes_any_grade
    }

    pub(super) fn is_write(&self) -> bool {
        matches!(self.content, Content::Write(_))
    }

    /// Whether the next sending repeats one.
    pub(super) fn is_repeated(&self) -> bool {
        self.echo || self.attempts > self.body_since
    }

    /// Whether it may have been logged without our knowing.
    pub(super) fn is_unknown(&self) -> bool {
        self.unknown && self.is_write()
    }

    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Counts a sending; how long to wait for its answer, if less than usual.
    pub(super) fn next_patience_ns(&mut self) -> Option<u64> {
        self.attempts += 1;
        self.hurried = self.hurried.checked_sub(1)?;
        Some(self.hurried_ms * MILLISECOND_NS)
    }

    /// Whether the next sending does not even pause.
    pub(super) fn is_hurried(&self) -> bool {
        self.hurried > 0
    }

    /// A sending ended without a result.
    pub(super) fn hear(&mut self, heard: Heard) {
        self.heard = heard;
        self.takes_any_grade |= heard == Heard::GradeUnreachable;
        self.unknown |= matches!(heard, Heard::Nothing | Heard::Unknown);
    }

    /// The client makes its request anew before it repeats it, and gets it wrong.
    pub(super) fn change_body(&mut self) {
        if let Content::Write(submission) = &mut self.content {
            submission.command = changed(submission.command.clone());
            (self.body_since, self.echo) = (self.attempts, false);
        }
    }

    /// It was logged; whether that counts as a new acknowledgement.
    pub(super) fn acknowledge(&mut self) -> bool {
        let counts = !self.echo && !self.acknowledged;
        self.acknowledged = true;
        self.unknown = false;
        counts
    }

    /// Whether an acknowledged operation is sent once more.
    pub(super) fn wants_more(&mut self) -> bool {
        let wants = self.more > 0;
        self.more = self.more.saturating_sub(1);
        wants
    }

    /// What is known of it, for people.
    pub(super) fn sentence(&self) -> String {
        let Content::Write(submission) = &self.content else { return "a read".to_owned() };
        let heard = match self.heard {
            Heard::NotYet => "no answer is due yet",
            Heard::Nothing => "the last sending was not answered in time",
            Heard::Unknown => "the node last said that the outcome is unknown",
            Heard::GradeUnreachable => "the node last said that it cannot reach the grade",
            Heard::Unavailable => "the node last said that it did not append it",
            Heard::ForeignToken => "the node last refused the session's token",
            Heard::Refused => "the node last refused the connection",
        };
        format!(
            "{} {} was sent {} times: {heard}; {}",
            submission.command.name(),
            submission.op_id,
            self.attempts,
            match (self.acknowledged, self.unknown) {
                (true, _) => "an earlier sending was acknowledged",
                (false, true) => "it may or may not be logged",
                (false, false) => "no earlier sending of this session was logged",
            }
        )
    }
}
