//! The rows of money that waits, and their bytes: what lies in suspense and why, which refunds
//! were granted, and which of them are not paid out.

use super::cache::{TableCache, Tables};
use super::row_codec::{cached_in, option};
use super::rows::{OperationRow, Row};
use super::store::Table;
use billing_wire::codec::Reader;
use billing_wire::{AccountId, DecodeError, OpId, Position, RedirectReason};

/// Money in suspense, by position. The rows sum to what the general ledger has in suspense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SuspenseItemRow {
    /// Its operation.
    pub(super) op_id: OpId,
    /// The account that a payer named.
    pub(super) account: Option<AccountId>,
    /// Minor units: positive for money that came in, negative for money that left.
    pub(super) amount: i64,
    /// Why it lies there.
    pub(super) reason: RedirectReason,
}

/// A refund that was granted, by `op_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RefundRow {
    /// Where it was granted.
    pub(super) position: Position,
    /// Minor units, positive.
    pub(super) amount: i64,
    /// The confirmation of its payout.
    pub(super) paid_by: Option<Position>,
}

/// A refund that waits for its payout, by the position of the grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutboxRow {
    /// The refund.
    pub(super) refund: OpId,
    /// The payment that it pays back.
    pub(super) payment: OpId,
    /// The account that the payment lies on.
    pub(super) account: AccountId,
    /// Minor units, positive.
    pub(super) amount: i64,
}

impl Row for SuspenseItemRow {
    type Key = Position;
    const TABLE: Table = Table::SuspenseItem;
    cached_in!(suspense_items);

    fn encode_key(key: &Position, out: &mut Vec<u8>) {
        key.encode(out);
    }
    fn decode_key(r: &mut Reader<'_>) -> Result<Position, DecodeError> {
        Position::decode(r)
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.op_id.0.to_le_bytes());
        out.push(self.account.is_some().into());
        if let Some(account) = self.account {
            out.extend_from_slice(&account.0.to_le_bytes());
        }
        out.extend_from_slice(&self.amount.to_le_bytes());
        out.push(self.reason as u8);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            op_id: OpId(r.u128()?),
            account: option(r, "account", |r| Ok(AccountId(r.u64()?)))?,
            amount: r.i64()?,
            reason: RedirectReason::decode(r)?,
        })
    }
}

impl Row for RefundRow {
    type Key = OpId;
    const TABLE: Table = Table::Refund;
    cached_in!(refunds);

    fn encode_key(key: &OpId, out: &mut Vec<u8>) {
        OperationRow::encode_key(key, out);
    }
    fn decode_key(r: &mut Reader<'_>) -> Result<OpId, DecodeError> {
        OperationRow::decode_key(r)
    }
    fn encode(&self, out: &mut Vec<u8>) {
        self.position.encode(out);
        out.extend_from_slice(&self.amount.to_le_bytes());
        out.push(self.paid_by.is_some().into());
        if let Some(position) = self.paid_by {
            position.encode(out);
        }
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            position: Position::decode(r)?,
            amount: r.i64()?,
            paid_by: option(r, "payout", Position::decode)?,
        })
    }
}

impl Row for OutboxRow {
    type Key = Position;
    const TABLE: Table = Table::Outbox;
    cached_in!(outbox);

    fn encode_key(key: &Position, out: &mut Vec<u8>) {
        key.encode(out);
    }
    fn decode_key(r: &mut Reader<'_>) -> Result<Position, DecodeError> {
        Position::decode(r)
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.refund.0.to_le_bytes());
        out.extend_from_slice(&self.payment.0.to_le_bytes());
        out.extend_from_slice(&self.account.0.to_le_bytes());
        out.extend_from_slice(&self.amount.to_le_bytes());
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            refund: OpId(r.u128()?),
            payment: OpId(r.u128()?),
            account: AccountId(r.u64()?),
            amount: r.i64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::row_round_trips::{keys_order_as_bytes, position, survives};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_survive(p in position(), q in position(), a: u64, op: u128, amount: i64,
            some: bool)
        {
            let (account, op_id) = (AccountId(a), OpId(op));
            let reason = RedirectReason::NotThatRefund;
            let payer = some.then_some(account);
            survives(p, SuspenseItemRow { op_id, account: payer, amount, reason });
            survives(op_id, RefundRow { position: p, amount, paid_by: some.then_some(q) });
            survives(p, OutboxRow { refund: op_id, payment: OpId(!op), account, amount });
        }

        #[test]
        fn byte_order_is_key_order(p in position(), q in position(), u: u128, v: u128) {
            keys_order_as_bytes::<OutboxRow>(p, q);
            keys_order_as_bytes::<SuspenseItemRow>(p, q);
            keys_order_as_bytes::<RefundRow>(OpId(u), OpId(v));
        }
    }
}
