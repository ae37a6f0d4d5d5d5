//! Keys and values of the ledger's rows as bytes. Keys are big-endian, so that byte order is key
//! order; values are little-endian. Every byte is checked when it is read.

use super::cache::{TableCache, Tables};
use super::rows::{
    AccountRow, HistoryRow, MeterDay, MeterReadRow, OperationRow, ParkedRow, PaymentEffect, Place,
    Row, ServicePointRow, SuspenseRow,
};
use super::store::Table;
use crate::canary;
use billing_wire::codec::Reader;
use billing_wire::{
    AccountId, Date, DecodeError, Disposition, MeterId, OpId, Position, ReadQuality, ServicePointId,
};

pub(super) fn out_of_range(
    what: &'static str,
    field: &'static str,
    found: u8,
    limit: u8,
) -> DecodeError {
    DecodeError::OutOfRange { what, field, found: found.into(), limit: limit.into() }
}

macro_rules! cached_in {
    ($field:ident) => {
        fn cache(tables: &Tables) -> &TableCache<Self> {
            &tables.$field
        }
        fn cache_mut(tables: &mut Tables) -> &mut TableCache<Self> {
            &mut tables.$field
        }
    };
}

pub(super) use cached_in;

impl Row for AccountRow {
    type Key = AccountId;
    const TABLE: Table = Table::Account;
    cached_in!(accounts);

    fn encode_key(key: &AccountId, out: &mut Vec<u8>) {
        out.extend_from_slice(&key.0.to_be_bytes());
    }
    fn decode_key(r: &mut Reader<'_>) -> Result<AccountId, DecodeError> {
        Ok(AccountId(big_endian(r)?))
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.balance.to_le_bytes());
        out.extend_from_slice(&self.items.to_le_bytes());
        out.extend_from_slice(&self.service_point.0.to_le_bytes());
        out.extend_from_slice(&self.opened.0.to_le_bytes());
        out.push(self.closed.is_some().into());
        if let Some(closed) = self.closed {
            out.extend_from_slice(&closed.0.to_le_bytes());
        }
        out.extend_from_slice(&self.documents.to_le_bytes());
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            balance: r.i64()?,
            items: r.u64()?,
            service_point: ServicePointId(r.u64()?),
            opened: Date(r.u32()?),
            closed: option(r, "closing", |r| Ok(Date(r.u32()?)))?,
            documents: r.u64()?,
        })
    }
}

impl Row for ServicePointRow {
    type Key = ServicePointId;
    const TABLE: Table = Table::ServicePoint;
    cached_in!(service_points);

    fn encode_key(key: &ServicePointId, out: &mut Vec<u8>) {
        out.extend_from_slice(&key.0.to_be_bytes());
    }
    fn decode_key(r: &mut Reader<'_>) -> Result<ServicePointId, DecodeError> {
        Ok(ServicePointId(big_endian(r)?))
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.account.0.to_le_bytes());
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { account: AccountId(r.u64()?) })
    }
}

impl Place {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match r.u8()? {
            0 => Ok(Self::Account),
            1 => Ok(Self::SuspenseWaiting),
            2 => Ok(Self::Suspense),
            other => Err(out_of_range("operation row", "place", other, 2)),
        }
    }
}

impl PaymentEffect {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.account.0.to_le_bytes());
        out.extend_from_slice(&self.amount.to_le_bytes());
        out.push(self.place as u8);
        out.push(self.reversed_by.is_some().into());
        if let Some(position) = self.reversed_by {
            position.encode(out);
        }
        out.extend_from_slice(&self.granted.to_le_bytes());
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            account: AccountId(r.u64()?),
            amount: r.i64()?,
            place: Place::decode(r)?,
            reversed_by: option(r, "reversal", Position::decode)?,
            granted: r.i64()?,
        })
    }
}

impl Row for OperationRow {
    type Key = OpId;
    const TABLE: Table = Table::Operation;
    cached_in!(operations);

    fn encode_key(key: &OpId, out: &mut Vec<u8>) {
        out.extend_from_slice(&key.0.to_be_bytes());
    }
    fn decode_key(r: &mut Reader<'_>) -> Result<OpId, DecodeError> {
        Ok(OpId(r.u128()?.swap_bytes()))
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.fingerprint);
        self.position.encode(out);
        self.disposition.encode(out);
        out.push(self.payment.is_some().into());
        if let Some(payment) = &self.payment {
            payment.encode(out);
        }
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut row = Self {
            fingerprint: r.hash()?,
            position: Position::decode(r)?,
            disposition: Disposition::decode(r)?,
            payment: option(r, "payment", PaymentEffect::decode)?,
        };
        if canary!("operation-row-loses-its-offset") {
            row.position.offset = 0;
        }
        Ok(row)
    }
}

impl Row for HistoryRow {
    type Key = (AccountId, u64);
    const TABLE: Table = Table::History;
    cached_in!(history);

    fn encode_key((account, sequence): &Self::Key, out: &mut Vec<u8>) {
        out.extend_from_slice(&account.0.to_be_bytes());
        out.extend_from_slice(&sequence.to_be_bytes());
    }
    fn decode_key(r: &mut Reader<'_>) -> Result<Self::Key, DecodeError> {
        Ok((AccountId(big_endian(r)?), big_endian(r)?))
    }
    fn encode(&self, out: &mut Vec<u8>) {
        self.position.encode(out);
        out.extend_from_slice(&self.op_id.0.to_le_bytes());
        out.extend_from_slice(&self.date.0.to_le_bytes());
        out.extend_from_slice(&self.amount.to_le_bytes());
        out.extend_from_slice(&self.balance.to_le_bytes());
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            position: Position::decode(r)?,
            op_id: OpId(r.u128()?),
            date: Date(r.u32()?),
            amount: r.i64()?,
            balance: r.i64()?,
        })
    }
}

impl Row for SuspenseRow {
    type Key = (AccountId, Position);
    const TABLE: Table = Table::Suspense;
    cached_in!(suspense);

    fn encode_key((account, position): &Self::Key, out: &mut Vec<u8>) {
        out.extend_from_slice(&account.0.to_be_bytes());
        position.encode(out);
    }
    fn decode_key(r: &mut Reader<'_>) -> Result<Self::Key, DecodeError> {
        Ok((AccountId(big_endian(r)?), Position::decode(r)?))
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.op_id.0.to_le_bytes());
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { op_id: OpId(r.u128()?) })
    }
}

impl Row for ParkedRow {
    type Key = OpId;
    const TABLE: Table = Table::Parked;
    cached_in!(parked);

    fn encode_key(key: &OpId, out: &mut Vec<u8>) {
        OperationRow::encode_key(key, out);
    }
    fn decode_key(r: &mut Reader<'_>) -> Result<OpId, DecodeError> {
        OperationRow::decode_key(r)
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.op_id.0.to_le_bytes());
        self.position.encode(out);
        out.extend_from_slice(&self.amount.to_le_bytes());
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { op_id: OpId(r.u128()?), position: Position::decode(r)?, amount: r.i64()? })
    }
}

impl Row for MeterReadRow {
    type Key = MeterDay;
    const TABLE: Table = Table::MeterRead;
    cached_in!(meter_reads);

    fn encode_key(key: &MeterDay, out: &mut Vec<u8>) {
        out.extend_from_slice(&key.meter.0.to_be_bytes());
        out.extend_from_slice(&key.days_left.to_be_bytes());
    }
    fn decode_key(r: &mut Reader<'_>) -> Result<MeterDay, DecodeError> {
        Ok(MeterDay { meter: MeterId(big_endian(r)?), days_left: r.u32()?.swap_bytes() })
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.register.to_le_bytes());
        out.push(self.quality as u8);
        out.push(self.flagged.into());
        self.position.encode(out);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            register: r.u64()?,
            quality: match r.u8()? {
                0 => ReadQuality::Estimated,
                1 => ReadQuality::Customer,
                2 => ReadQuality::Actual,
                other => return Err(out_of_range("meter read row", "quality", other, 2)),
            },
            flagged: flag(r, "flagged")?,
            position: Position::decode(r)?,
        })
    }
}

pub(super) fn big_endian(r: &mut Reader<'_>) -> Result<u64, DecodeError> {
    Ok(r.u64()?.swap_bytes())
}

pub(super) fn flag(r: &mut Reader<'_>, field: &'static str) -> Result<bool, DecodeError> {
    match r.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(out_of_range("ledger row", field, other, 1)),
    }
}

pub(super) fn option<T>(
    r: &mut Reader<'_>,
    field: &'static str,
    decode: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if flag(r, field)? { decode(r).map(Some) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::super::row_round_trips::{keys_order_as_bytes, position, survives};
    use super::*;
    use billing_wire::RedirectReason;
    use proptest::prelude::*;

    fn payment() -> impl Strategy<Value = Option<PaymentEffect>> {
        let place =
            prop::sample::select(vec![Place::Account, Place::SuspenseWaiting, Place::Suspense]);
        let effect = (any::<u64>(), any::<i64>(), place, prop::option::of(position())).prop_map(
            |(account, amount, place, reversed_by)| PaymentEffect {
                account: AccountId(account),
                amount,
                place,
                reversed_by,
                granted: amount / 3,
            },
        );
        prop::option::of(effect)
    }

    proptest! {
        #[test]
        fn rows_survive(p in position(), q in position(), payment in payment(),
            a: u64, b: u64, op: u128, amount: i64, balance: i64, day: u32, flagged: bool)
        {
            let (account, op_id) = (AccountId(a), OpId(op));
            let opened = Date(day);
            survives(account, AccountRow {
                balance, items: b, service_point: ServicePointId(b), opened,
                closed: flagged.then_some(Date(day / 2)), documents: a,
            });
            survives(ServicePointId(a), ServicePointRow { account });
            for disposition in [
                Disposition::Applied,
                Disposition::Duplicate { of: q },
                Disposition::Redirected { reason: RedirectReason::Overflow },
            ] {
                let fingerprint = [a as u8; 32];
                survives(op_id, OperationRow { fingerprint, position: p, disposition, payment });
            }
            survives((account, b), HistoryRow {
                position: p, op_id, date: opened, amount, balance,
            });
            survives((account, p), SuspenseRow { op_id });
            survives(op_id, ParkedRow { op_id, position: p, amount });
            let quality = ReadQuality::Customer;
            survives(MeterDay::new(MeterId(a), opened), MeterReadRow {
                register: b, quality, flagged, position: p,
            });
        }

        #[test]
        fn byte_order_is_key_order(p in position(), q in position(),
            a in 0..3_u64, b in 0..3_u64, x: u64, y: u64, u: u128, v: u128, d: u32, e: u32)
        {
            keys_order_as_bytes::<AccountRow>(AccountId(x), AccountId(y));
            keys_order_as_bytes::<ServicePointRow>(ServicePointId(x), ServicePointId(y));
            keys_order_as_bytes::<OperationRow>(OpId(u), OpId(v));
            keys_order_as_bytes::<ParkedRow>(OpId(u), OpId(v));
            keys_order_as_bytes::<HistoryRow>((AccountId(a), x), (AccountId(b), y));
            keys_order_as_bytes::<SuspenseRow>((AccountId(a), p), (AccountId(b), q));
            let day = MeterDay::new(MeterId(a), Date(d));
            let other = MeterDay::new(MeterId(b), Date(e));
            keys_order_as_bytes::<MeterReadRow>(day, other);
        }
    }

    #[test]
    fn later_days_come_first() {
        let day = |day| MeterDay::new(MeterId(1), Date(day));
        assert!(day(5) < day(4) && day(4) < day(0));
        assert_eq!(day(5).day_before(), Some(day(4)));
        assert_eq!(day(0).day_before(), None);
        assert_eq!(day(5).first_day(), day(0));
    }
}
