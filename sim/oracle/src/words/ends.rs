//! What became of an operation, as people of a billing office say it: grades, outcomes and places.
//! Only for the details of a violation: nothing is compared by words.

use billing_wire::{
    CommandClass, DenyReason, Disposition, Grade, NodeId, Position, RedirectReason, Term,
};

/// How far an acknowledgement reaches.
pub fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Region => "region",
        Grade::Geo => "geo",
        Grade::Final => "final",
    }
}

/// What became of it, and why.
pub(crate) fn disposition(disposition: &Disposition) -> String {
    match disposition {
        Disposition::Applied => "applied".to_owned(),
        Disposition::Duplicate { of } => format!("a duplicate of what stands at {of}"),
        Disposition::Redirected { reason } => {
            format!("booked elsewhere ({})", redirect_reason(*reason))
        }
        Disposition::Denied { reason } => format!("denied ({})", deny_reason(*reason)),
        Disposition::Compensated { by } => format!("negated by what stands at {by}"),
    }
}

/// Where it stands, and what became of it.
pub(crate) fn end((position, end): &(Position, Disposition)) -> String {
    format!("{} at {position}", disposition(end))
}

/// The same, or that there is nothing.
pub(crate) fn end_or_none(found: Option<&(Position, Disposition)>) -> String {
    found.map_or_else(|| "nothing of it".to_owned(), end)
}

/// What kind of command it is.
pub(crate) fn class(class: Option<CommandClass>) -> &'static str {
    match class {
        Some(CommandClass::Fact) => "a fact, which is never denied",
        Some(CommandClass::Intent) => "a request, which is never booked elsewhere",
        None => "no command that can be read",
    }
}

/// A vote: for whom, and in which term.
pub(crate) fn vote((term, candidate): &(Term, NodeId)) -> String {
    format!("node {candidate} in term {term}")
}

fn redirect_reason(reason: RedirectReason) -> &'static str {
    use RedirectReason as R;
    match reason {
        R::UnknownAccount => "the account is not open yet",
        R::ClosedAccount => "the account is closed",
        R::OutOfRange => "a value is out of range",
        R::Overflow => "the balance would overflow",
        R::FingerprintMismatch => "the operation came before with another content",
        R::PaymentNotSeen => "its payment has not appeared",
        R::NotThatPayment => "it names no such payment",
        R::Malformed => "it cannot be read",
        R::NotThatRefund => "no such refund waits",
    }
}

fn deny_reason(reason: DenyReason) -> &'static str {
    use DenyReason as D;
    match reason {
        D::AccountExists => "the account exists",
        D::ServicePointTaken => "the service point is taken",
        D::UnknownAccount => "there is no such account",
        D::AccountClosed => "the account is closed",
        D::OverLimit => "it is more than is allowed at once",
        D::OutOfRange => "a value is out of range",
        D::FingerprintMismatch => "the operation came before with another content",
        D::Overflow => "the balance would overflow",
        D::FinalBillMissing => "the final bill is missing",
        D::NoSuchPayment => "there is no such payment",
        D::OverPaid => "it is more than is left of the payment",
    }
}

#[cfg(test)]
mod tests {
    use super::{DenyReason, Disposition, Position, RedirectReason, end, end_or_none};

    #[test]
    fn an_end_says_what_why_and_where() {
        let at = Position { index: 7, ..Position::default() };
        let denied = Disposition::Denied { reason: DenyReason::OverPaid };
        let said = end(&(at, denied));
        assert_eq!(said, "denied (it is more than is left of the payment) at 0.0/0/7+0");
        let parked = Disposition::Redirected { reason: RedirectReason::PaymentNotSeen };
        let said = end_or_none(Some(&(at, parked)));
        assert_eq!(said, "booked elsewhere (its payment has not appeared) at 0.0/0/7+0");
        let again = end(&(at, Disposition::Duplicate { of: at }));
        assert_eq!(again, "a duplicate of what stands at 0.0/0/7+0 at 0.0/0/7+0");
        assert_eq!(end_or_none(None), "nothing of it");
    }
}
