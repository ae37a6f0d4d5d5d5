//! What clients look up: mostly what they asked before, so that an answer can be wrong.

use super::generator::Generator;
use billing_wire::limits::HISTORY_PAGE_MAX;
use billing_wire::{AccountId, Query, Read, ReadLevel};

impl Generator {
    /// A look-up: 0 balance, 1 history, 2 operation, 3 trial balance.
    pub(super) fn query(&mut self, kind: usize) -> Read {
        let query = match kind {
            0 => Query::Balance { account: self.account_to_read() },
            1 => Query::History {
                account: self.account_to_read(),
                after: self.stream.log_uniform(0, 200),
                limit: self.stream.log_uniform(1, HISTORY_PAGE_MAX.into()) as u16,
            },
            2 => {
                let known = self.memory.recent(&mut self.stream).map(|s| s.op_id);
                let op_id = match known {
                    Some(op_id) if self.stream.below(8) != 0 => op_id,
                    _ => self.new_op_id(),
                };
                Query::Operation { op_id }
            }
            _ => Query::TrialBalance,
        };
        let level = match self.stream.below(8) {
            0..2 => ReadLevel::Local,
            2..5 => ReadLevel::Session,
            _ => ReadLevel::Final,
        };
        Read { query, level, token: None }
    }

    fn account_to_read(&mut self) -> AccountId {
        match self.stream.below(16) {
            0 => self.memory.unknown_account(&mut self.stream),
            _ => self.memory.account(&mut self.stream),
        }
    }
}
