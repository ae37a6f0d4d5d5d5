//! Reads: answered at once from what this node has folded, with the frame of reference that the
//! answer claims.

use super::Node;
use crate::canary;
use crate::consensus::{Consensus, RegionLog};
use crate::io::{HaltReason, Output, Outputs, RequestId, Role};
use crate::sometimes;
use crate::time::Now;
use billing_wire::{Hlc, QueryResult, Read, ReadAnswer, ReadLevel, Token};

impl Node {
    pub(super) fn read(&mut self, now: Now, request: RequestId, read: &Read, out: &mut Outputs) {
        let is_final = read.level == ReadLevel::Final && !canary!("final-read-shows-provisional");
        // What is shown may change yet: it is shown again once this is answered.
        let aside = if is_final { self.ledger.set_aside() } else { None };
        self.answer_read(now, request, read, out);
        if let Some(aside) = aside {
            sometimes!("final-read-below-the-provisional");
            self.ledger.put_back(aside);
        }
    }

    /// Answers from what is shown.
    fn answer_read(&mut self, now: Now, request: RequestId, read: &Read, out: &mut Outputs) {
        let secret = &self.config.genesis.secret;
        let result = match &read.token {
            Some(token) if !token.verify(secret) => Ok(QueryResult::BadToken),
            _ => self.ledger.query(&read.query),
        };
        let result = match result {
            Ok(result) => result,
            Err(_) => {
                self.halt(HaltReason::Ledger, out);
                return;
            }
        };
        let mut frontier = self.ledger.shown();
        if canary!("reply-ahead-of-frontier") {
            frontier.set(self.region, self.own_log().window().last_index());
        }
        let watermark = self.ledger.watermark();
        let seen = read.token.unwrap_or_default();
        let is_behind = !frontier.covers(&seen.frontier) || watermark < seen.watermark;
        let is_told = match read.level {
            ReadLevel::Local => false,
            ReadLevel::Session => !canary!("session-read-hides-its-gap"),
            ReadLevel::Final => !canary!("final-read-hides-its-gap"),
        };
        let session_gap = is_told && is_behind;
        if session_gap {
            sometimes!("session-gap");
        }
        let is_leader = self.own_log().role() == Role::Leader;
        let heard_at = self.heard_own_leader_at();
        let stale_ms = if is_leader { 0 } else { now.monotonic.ms_since(heard_at) };
        // A forged token must not be signed: it counts as none.
        let seen = if result == QueryResult::BadToken { Token::default() } else { seen };
        let stamp = self.shown_stamp();
        let shown = Token { frontier, watermark, stamp, mac: [0; 16] };
        let token = shown.join(&self.config.genesis.secret, &seen);
        let provisional = self.ledger.shows_provisional();
        let answer =
            ReadAnswer { result, frontier, watermark, provisional, stale_ms, session_gap, token };
        out.push(Output::AnswerRead { request, answer: Box::new(answer) });
    }

    /// Highest stamp among the entries that reads show: the fold goes in order of stamps.
    pub(super) fn shown_stamp(&self) -> Hlc {
        let shown = self.ledger.shown();
        let stamp = |log: &RegionLog| {
            let shown = shown.of(log.region());
            // Of a record that is missing the next one's stamp is an upper bound.
            let next = || log.is_damaged().then(|| log.last_stamp());
            let stamp = log.slot(shown).map(|last| last.header.hlc);
            stamp.or_else(next).unwrap_or(Hlc::ZERO)
        };
        self.logs.iter().map(stamp).max().unwrap_or(Hlc::ZERO)
    }

    /// What a session has seen that is shown what this node shows now.
    pub(super) fn token(&self) -> Token {
        let secret = &self.config.genesis.secret;
        Token::sign(secret, self.ledger.shown(), self.ledger.watermark(), self.shown_stamp())
    }
}
