//! Tokens in memory.

use sotto_outer::{TokenKeyId, TokenPurpose};

use super::State;
use crate::{
    storage::{Outcome, Spend, StoredKey, TokenOp, TokenOutcome},
    time::Timestamp,
};

/// What is known of tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    keys: std::collections::BTreeMap<(u32, TokenPurpose), StoredKey>,
    counts: std::collections::BTreeMap<([u8; 32], TokenPurpose), (u32, Timestamp)>,
    spent: std::collections::BTreeMap<(TokenKeyId, [u8; 32]), Timestamp>,
}

impl Tokens {
    /// Spends a token, where one is asked for. False where it was spent before.
    pub(super) fn buys(&mut self, spend: Option<&Spend>) -> bool {
        let Some(spend) = spend else { return true };
        let is_new = !self.spent.contains_key(&(spend.key, spend.nonce_hash));
        if is_new {
            self.spent.insert((spend.key, spend.nonce_hash), spend.forget_at);
        }
        is_new
    }
}

impl State {
    pub(super) fn token(&mut self, op: &TokenOp) -> Outcome {
        let tokens = &mut self.tokens;
        match op {
            TokenOp::Keys { from_week } => {
                let keys = tokens.keys.range((*from_week, TokenPurpose::Mailbox)..);
                Outcome::Token(TokenOutcome::Keys(keys.map(|(_, key)| key.clone()).collect()))
            }
            TokenOp::KeepKey(key) => match tokens.keys.entry((key.week, key.purpose)) {
                std::collections::btree_map::Entry::Occupied(_) => Outcome::Denied,
                std::collections::btree_map::Entry::Vacant(vacant) => {
                    vacant.insert(key.clone());
                    Outcome::Done
                }
            },
            TokenOp::Count { holder, purpose, count, uses, forget_at } => {
                let known = tokens.counts.get(&(*holder, *purpose)).copied();
                let (given, ends) = known.unwrap_or((0, *forget_at));
                if given.saturating_add(*count) > *uses {
                    return Outcome::Denied;
                }
                tokens.counts.insert((*holder, *purpose), (given + count, ends.max(*forget_at)));
                Outcome::Done
            }
        }
    }

    pub(super) fn forget_tokens(&mut self, now: Timestamp) {
        self.tokens.counts.retain(|_, (_, forget_at)| *forget_at > now);
        self.tokens.spent.retain(|_, forget_at| *forget_at > now);
        let week = crate::access::week(now.day());
        self.tokens.keys.retain(|(of, _), _| of + 2 > week);
    }
}
