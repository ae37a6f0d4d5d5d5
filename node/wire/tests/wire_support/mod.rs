//! Strategies for everything that has a codec: each draws any legal value, edges included.

use billing_wire::answer::Unavailable;
use billing_wire::{
    AccountId, AdjustmentReason, BillingPeriod, ClusterId, Command, Date, DenyReason, Disposition,
    FrameHeader, FrameKind, Frontier, Genesis, Grade, Hlc, Incarnation, MeterId, MeterRead, NodeId,
    OnUnmet, OpId, Position, ReadQuality, Receipt, Record, RecordHeader, RecordKind,
    RedirectReason, Refusal, RegionId, RegionMembers, RegionMode, ReversalReason, ServicePointId,
    Submission, Token, WriteAnswer, WriteOptions,
};
use proptest::array::{uniform3, uniform5, uniform16, uniform32};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// An integer that is often at an edge.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0..4_u64,
        Just(u64::MAX),
        Just(1 << 63),
        (0..64_u32).prop_map(|b| 1 << b)
    ]
}

fn op_id() -> impl Strategy<Value = OpId> {
    (word(), word()).prop_map(|(high, low)| OpId(u128::from(high) << 64 | u128::from(low)))
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zéß€ ]{0,30}", Just("x".repeat(128)), Just(String::new())]
}

fn read() -> impl Strategy<Value = MeterRead> {
    let quality = select(vec![ReadQuality::Estimated, ReadQuality::Customer, ReadQuality::Actual]);
    (word(), any::<u32>(), word(), quality).prop_map(|(meter, date, register, quality)| MeterRead {
        meter: MeterId(meter),
        date: Date(date),
        register,
        quality,
    })
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    use AdjustmentReason::{BadDebt, Goodwill, LateFee};
    use ReversalReason::{Bounced, ChargeBack};
    let money = || word().prop_map(|amount| amount as i64);
    let date = || any::<u32>().prop_map(Date);
    let account = || word().prop_map(AccountId);
    prop_oneof![
        (account(), word(), date()).prop_map(|(account, service_point, date)| {
            Command::OpenAccount { account, service_point: ServicePointId(service_point), date }
        }),
        (account(), money(), date(), text(), text()).prop_map(
            |(account, amount, date, provider, external_ref)| {
                Command::RecordPayment { account, amount, date, provider, external_ref }
            }
        ),
        vec(read(), 0..=100).prop_map(|reads| Command::RecordRead { reads }),
        (account(), money(), select(vec![Goodwill, LateFee, BadDebt]), date()).prop_map(
            |(account, amount, reason, date)| {
                Command::PostAdjustment { account, amount, reason, date }
            }
        ),
        (op_id(), money(), select(vec![Bounced, ChargeBack]), date()).prop_map(
            |(payment, amount, reason, date)| {
                Command::ReversePayment { payment, amount, reason, date }
            }
        ),
        (account(), date()).prop_map(|(account, date)| Command::CloseAccount { account, date }),
        (op_id(), money(), date()).prop_map(|(payment, amount, date)| Command::RequestRefund {
            payment,
            amount,
            date
        }),
        (account(), any::<u16>().prop_map(BillingPeriod), date())
            .prop_map(|(account, period, date)| Command::IssueInvoice { account, period, date }),
        (op_id(), money(), date()).prop_map(|(refund, amount, date)| Command::ConfirmPayout {
            refund,
            amount,
            date
        }),
    ]
}

pub(crate) fn submission() -> impl Strategy<Value = Submission> {
    (op_id(), command()).prop_map(|(op_id, command)| Submission { op_id, command })
}

pub(crate) fn options() -> impl Strategy<Value = WriteOptions> {
    let grades = vec![None, Some(Grade::Region), Some(Grade::Geo), Some(Grade::Final)];
    (select(grades), select(vec![OnUnmet::Degrade, OnUnmet::FailFast]))
        .prop_map(|(min_durability, on_unmet)| WriteOptions { min_durability, on_unmet })
}

fn region() -> impl Strategy<Value = RegionId> {
    (0..5_u8).prop_map(RegionId)
}

pub(crate) fn record() -> impl Strategy<Value = Record> {
    let kinds = vec![
        RecordKind::Noop,
        RecordKind::Submissions,
        RecordKind::CloseTs,
        RecordKind::ModeChanged,
        RecordKind::EpochChanged,
        RecordKind::ReleaseActivated,
        RecordKind::MembersChanged,
    ];
    let place = (select(kinds), region(), any::<u32>(), word(), word(), word());
    let mode = select(vec![RegionMode::Geo, RegionMode::Degraded]);
    let header = (place, uniform32(any::<u8>()), word(), mode).prop_map(
        |((kind, region, incarnation, index, term, hlc), prev_hash, geo_index, mode)| {
            RecordHeader {
                kind,
                region,
                incarnation: Incarnation(incarnation),
                index,
                term,
                hlc: Hlc(hlc),
                geo_index,
                mode,
                prev_hash,
                hash: [0; 32],
            }
        },
    );
    (header, vec(submission(), 0..6))
        .prop_map(|(header, submissions)| Record { header, submissions })
}

pub(crate) fn frame() -> impl Strategy<Value = (FrameHeader, Vec<u8>)> {
    use FrameKind::{Forward, ForwardAnswer, Hello, Raft};
    let kind = select(vec![Raft, Forward, ForwardAnswer, Hello]);
    let header = (kind, any::<u16>(), any::<u16>(), region(), word(), word()).prop_map(
        |(kind, from, to, region, cluster, wall_ms)| FrameHeader {
            kind,
            from: NodeId(from),
            to: NodeId(to),
            region,
            cluster,
            wall_ms,
        },
    );
    (header, vec(any::<u8>(), 0..300))
}

pub(crate) fn position() -> impl Strategy<Value = Position> {
    (word(), region(), word(), any::<u16>()).prop_map(|(hlc, region, index, offset)| Position {
        hlc: Hlc(hlc),
        region,
        index,
        offset,
    })
}

pub(crate) fn frontier() -> impl Strategy<Value = Frontier> {
    uniform5(word()).prop_map(Frontier)
}

pub(crate) fn token() -> impl Strategy<Value = Token> {
    (frontier(), word(), word(), uniform16(any::<u8>())).prop_map(
        |(frontier, watermark, stamp, mac)| Token {
            frontier,
            watermark: Hlc(watermark),
            stamp: Hlc(stamp),
            mac,
        },
    )
}

pub(crate) fn disposition() -> impl Strategy<Value = Disposition> {
    use DenyReason as D;
    use RedirectReason as R;
    let redirects = vec![
        R::UnknownAccount,
        R::ClosedAccount,
        R::OutOfRange,
        R::Overflow,
        R::FingerprintMismatch,
        R::PaymentNotSeen,
        R::NotThatPayment,
        R::Malformed,
        R::NotThatRefund,
    ];
    let denials = vec![
        D::AccountExists,
        D::ServicePointTaken,
        D::UnknownAccount,
        D::AccountClosed,
        D::OverLimit,
        D::OutOfRange,
        D::FingerprintMismatch,
        D::Overflow,
        D::FinalBillMissing,
        D::NoSuchPayment,
        D::OverPaid,
    ];
    prop_oneof![
        Just(Disposition::Applied),
        position().prop_map(|of| Disposition::Duplicate { of }),
        select(redirects).prop_map(|reason| Disposition::Redirected { reason }),
        select(denials).prop_map(|reason| Disposition::Denied { reason }),
        position().prop_map(|by| Disposition::Compensated { by }),
    ]
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let grade = select(vec![Grade::Region, Grade::Geo, Grade::Final]);
    (op_id(), grade, disposition(), position(), any::<bool>(), token()).prop_map(
        |(op_id, grade, disposition, position, replayed, token)| Receipt {
            op_id,
            grade,
            disposition,
            position,
            replayed,
            token,
        },
    )
}

pub(crate) fn write_answer() -> impl Strategy<Value = WriteAnswer> {
    use Unavailable as U;
    let reason = select(vec![
        U::NoLeader,
        U::Overloaded,
        U::GradeUnreachable,
        U::DiskFull,
        U::ClockSkew,
        U::Stopping,
        U::TokenAhead,
    ]);
    prop_oneof![
        receipt().prop_map(WriteAnswer::Done),
        op_id().prop_map(|op_id| WriteAnswer::Conflict { op_id }),
        (text(), text())
            .prop_map(|(field, detail)| WriteAnswer::Refused(Refusal { field, detail })),
        (reason, any::<u32>()).prop_map(|(reason, retry_after_ms)| WriteAnswer::Unavailable {
            reason,
            retry_after_ms
        }),
        Just(WriteAnswer::Unknown),
    ]
}

pub(crate) fn genesis() -> impl Strategy<Value = Genesis> {
    let nodes = vec(any::<u16>().prop_map(NodeId), 0..=7);
    let region =
        (region(), text(), any::<u32>(), nodes).prop_map(|(region, name, incarnation, nodes)| {
            RegionMembers { region, name, incarnation: Incarnation(incarnation), nodes }
        });
    let currency = uniform3(any::<u8>());
    (op_id(), currency, uniform32(any::<u8>()), vec(region, 0..=5)).prop_map(
        |(cluster, currency, secret, regions)| Genesis {
            cluster: ClusterId(cluster.0),
            currency,
            secret,
            regions,
        },
    )
}
