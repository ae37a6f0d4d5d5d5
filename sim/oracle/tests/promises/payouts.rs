//! Histories of refunds and the bank that pays them, for A3, A5 and S3, and of invoices of which
//! customers are told, for S3 and L4.

use crate::Case;
use crate::stage::{NODES, Stage, open, pay, submission};
use billing_wire::{
    AccountId, BillingPeriod, Command, Date, DocumentKind, DocumentNumber, Incarnation, LedgerCode,
    OpId, Query, QueryResult, RegionId, Tariff, derived_op_id,
};
use billsim_oracle::{CallId, Payout};

const REFUND: u128 = 3;
const TODAY: Date = Date(20_001);
/// What an invoice asks for where nothing was read.
const BASE_FEE: i64 = Tariff::STANDARD.base_fee;

pub(crate) const CASES: &[Case] = &[
    ("S3", "a payout was called for before its refund was final", |s, broken| {
        let (_, record) = asked(s);
        if broken {
            s.jury.payout_leaves(s.now, NODES[0], &payout(REFUND));
        }
        s.commit(&record);
        s.jury.payout_leaves(s.now, NODES[0], &payout(REFUND));
    }),
    ("S3", "a payout was called for that nobody granted", |s, broken| {
        granted(s);
        let amount = if broken { 21 } else { 20 };
        s.jury.payout_leaves(s.now, NODES[0], &Payout { amount, ..payout(REFUND) });
    }),
    ("S3", "a customer was told of an invoice before it was final", |s, broken| {
        s.write(1, 1, open(1));
        let call = s.invoke_write(1, REFUND, invoice());
        let record = s.log(vec![submission(REFUND, invoice())]);
        if broken {
            told(s, BASE_FEE);
        }
        s.commit(&record);
        let receipt = s.receipt(REFUND);
        s.done(call, receipt);
        told(s, BASE_FEE);
    }),
    ("S3", "a customer was told of an invoice before it was final", |s, broken| {
        s.write(1, 1, open(1));
        s.write(1, REFUND, invoice());
        told(s, BASE_FEE + i64::from(broken));
    }),
    ("L4", "a customer was never told of an invoice", |s, broken| {
        s.jury.mail_opens();
        s.write(1, 1, open(1));
        s.write(1, REFUND, invoice());
        if !broken {
            s.jury.mailed(OpId(REFUND));
        }
        s.quiesce(|_| {});
    }),
    ("A5", "a refund was paid out again", |s, broken| {
        granted(s);
        s.jury.paid_out(s.now, &payout(REFUND), TODAY);
        if broken {
            s.jury.paid_out(s.now, &payout(77), TODAY);
        }
    }),
    ("A5", "what was paid out is not what was granted", |s, broken| {
        let (_, record) = asked(s);
        if broken {
            s.jury.paid_out(s.now, &payout(REFUND), TODAY);
        }
        s.commit(&record);
        if !broken {
            s.jury.paid_out(s.now, &payout(REFUND), TODAY);
        }
    }),
    ("A5", "a refund was never paid out", |s, broken| {
        granted(s);
        if !broken {
            s.jury.paid_out(s.now, &payout(REFUND), TODAY);
            confirm(s, TODAY);
        }
        s.quiesce(|_| {});
    }),
    ("A5", "a refund is not booked as paid out", |s, broken| {
        granted(s);
        s.jury.paid_out(s.now, &payout(REFUND), TODAY);
        if !broken {
            confirm(s, TODAY);
        }
        s.quiesce(|_| {});
    }),
    ("A3", "cash is not what the bank has", |s, broken| {
        granted(s);
        s.jury.paid_out(s.now, &payout(REFUND), TODAY);
        confirm(s, TODAY);
        s.lies(NODES[0], Query::TrialBalance, |answer| {
            let QueryResult::TrialBalance(view) = answer else { panic!("{answer:?}") };
            // It balances all the same.
            let off = i128::from(broken);
            for (code, sum) in &mut view.sums {
                match *code {
                    LedgerCode::CASH => *sum += off,
                    LedgerCode::SUSPENSE => *sum -= off,
                    _ => {}
                }
            }
        });
        s.quiesce(|_| {});
    }),
    ("A3", "cash is not what the bank has", |s, broken| {
        granted(s);
        s.jury.paid_out(s.now, &payout(REFUND), TODAY);
        confirm(s, TODAY);
        if broken {
            s.jury.paid_out(s.now, &payout(77), TODAY);
        }
        s.quiesce(|_| {});
    }),
    ("D4", "an operation that no client sent", |s, broken| {
        granted(s);
        if !broken {
            s.jury.paid_out(s.now, &payout(REFUND), TODAY);
        }
        confirm(s, TODAY);
    }),
    ("D4", "a body that no client sent", |s, broken| {
        granted(s);
        s.jury.paid_out(s.now, &payout(REFUND), TODAY);
        confirm(s, if broken { Date(20_002) } else { TODAY });
    }),
];

/// The operation that is a refund above issues an invoice here.
fn invoice() -> Command {
    let (period, date) = (BillingPeriod(657), Date(20_000));
    Command::IssueInvoice { account: AccountId(1), period, date }
}

fn told(s: &mut Stage, total: i64) {
    let (region, incarnation, kind) = (RegionId(0), Incarnation(0), DocumentKind::Invoice);
    let number = DocumentNumber { region, incarnation, kind, ordinal: 1 };
    s.jury.notice_leaves(s.now, NODES[0], OpId(REFUND), number, total);
}

fn payout(key: u128) -> Payout {
    Payout { key: OpId(key), refund: OpId(REFUND), account: AccountId(1), amount: 20 }
}

/// A refund that is logged and that no oracle knows of yet.
fn asked(s: &mut Stage) -> (CallId, Vec<u8>) {
    s.jury.bank_opens();
    s.write(1, 1, open(1));
    s.write(1, 2, pay(1, 50));
    let command = Command::RequestRefund { payment: OpId(2), amount: 20, date: Date(20_000) };
    let call = s.invoke_write(1, REFUND, command.clone());
    (call, s.log(vec![submission(REFUND, command)]))
}

/// A refund that is final.
fn granted(s: &mut Stage) {
    let (call, record) = asked(s);
    s.commit(&record);
    let receipt = s.receipt(REFUND);
    s.acknowledge(&receipt);
    s.done(call, receipt);
}

/// A node logs that the refund was paid.
fn confirm(s: &mut Stage, date: Date) {
    let op_id = derived_op_id(OpId(REFUND), "paid");
    let command = Command::ConfirmPayout { refund: OpId(REFUND), amount: 20, date };
    let record = s.log(vec![submission(op_id.0, command)]);
    s.commit(&record);
}
