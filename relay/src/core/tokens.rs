//! Keys for tokens through the weeks, and tokens shown for what they buy.
//!
//! ```text
//!  Tick ──► stored keys ──► none of this week, or none of a week that is near? ──► a job makes one ──► stored ──► listed
//!  create with a token ──► a job checks it ──► one operation spends it and makes the mailbox
//! ```

use std::sync::Arc;

use sha2::{Digest, Sha256};
use sotto_outer::{AdmissionKind, Answer, RefusedReason, ShownToken, TokenKeyId, TokenPurpose};

use super::{Asker, Awaiting, BUSY_RETRY_SECS, Core, Turn};
use crate::{
    access::{Job, NewKey, TokenKey, week},
    storage::{Op, Outcome, Spend, StoredKey, TokenOp, TokenOutcome},
    time::Timestamp,
};

/// Jobs that may wait before who asks for more is told to come again.
const JOBS_MAX: usize = 64;
/// How long before a week its keys are made.
const AHEAD_SECS: u32 = 86_400;

/// What is remembered of tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    keys: Vec<Arc<TokenKey>>,
    loading: bool,
    loaded: bool,
    making: bool,
    /// Whether a key is being made right now: nobody waits for that.
    pub(crate) making_job: bool,
    /// Jobs on their way.
    pub(crate) jobs: usize,
}

/// What a key is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewKeyOf {
    purpose: TokenPurpose,
    week: u32,
}

/// A token that is being checked, and what it buys.
#[derive(Debug)]
pub(crate) struct Shown {
    asker: Asker,
    op: Op,
    /// What the operation's outcome is awaited with.
    pub(crate) then: Box<Awaiting>,
}

impl Tokens {
    pub(crate) const NONE: Self =
        Self { keys: vec![], loading: false, loaded: false, making: false, making_job: false, jobs: 0 };

    /// The keys whose tokens are good now, those of the last week first.
    pub(crate) fn good(&self, now: Timestamp) -> impl Iterator<Item = &Arc<TokenKey>> {
        let week = week(now.day());
        self.keys.iter().filter(move |key| key.listed().week == week || key.listed().week + 1 == week)
    }

    /// The key of this id, if it signs now.
    pub(crate) fn signing(&self, now: Timestamp, id: &TokenKeyId) -> Option<&Arc<TokenKey>> {
        self.good(now).find(|key| key.id() == id && key.listed().week == week(now.day()))
    }

    fn has(&self, of: NewKeyOf) -> bool {
        self.keys.iter().any(|key| key.listed().purpose == of.purpose && key.listed().week == of.week)
    }

    fn take_in(&mut self, stored: &StoredKey) {
        let StoredKey { purpose, week, secret } = stored;
        if let Some(key) = TokenKey::read(*purpose, *week, &secret.0) {
            self.keys.push(Arc::new(key));
            self.keys.sort_by_key(|key| (key.listed().week, key.listed().purpose));
        }
    }
}

impl Core {
    /// Whether one more job may be given away.
    pub(crate) const fn has_room_for_a_job(&self) -> bool {
        self.tokens.jobs < JOBS_MAX
    }

    /// Loads the stored keys once, and has those made that are missing, one at a time.
    pub(super) fn look_after_tokens(&mut self, turn: &mut Turn<'_>) {
        if !self.config.gives_tokens || self.tokens.loading || self.tokens.making {
            return;
        }
        let this_week = week(turn.now.day());
        if !self.tokens.loaded {
            self.tokens.loading = true;
            let op = TokenOp::Keys { from_week: this_week.saturating_sub(1) };
            self.store(turn, Op::Token(op), Awaiting::TokenKeys);
            return;
        }
        self.tokens.keys.retain(|key| key.ends_at() > turn.now);
        let soon = week(turn.now.plus_secs(AHEAD_SECS).day());
        let wanted = [this_week, soon].into_iter().flat_map(|week| TokenPurpose::ALL.map(|purpose| (purpose, week)));
        let mut wanted = wanted.map(|(purpose, week)| NewKeyOf { purpose, week });
        if let Some(missing) = wanted.find(|of| !self.tokens.has(*of)) {
            self.tokens.making = true;
            self.tokens.making_job = true;
            self.work(turn, Job::MakeKey, Awaiting::NewKey(missing));
        }
    }

    pub(super) fn tokens_loaded(&mut self, outcome: Outcome) {
        self.tokens.loading = false;
        if let Outcome::Token(TokenOutcome::Keys(keys)) = outcome {
            self.tokens.loaded = true;
            keys.iter().for_each(|key| self.tokens.take_in(key));
        }
    }

    /// A key is listed when it is stored and not before: what it signed must be good after a restart.
    pub(super) fn key_made(&mut self, turn: &mut Turn<'_>, of: NewKeyOf, key: Option<NewKey>) {
        self.tokens.making_job = false;
        let Some(secret) = key else {
            self.tokens.making = false;
            return;
        };
        let stored = StoredKey { purpose: of.purpose, week: of.week, secret: secret.clone() };
        self.store(turn, Op::Token(TokenOp::KeepKey(stored)), Awaiting::KeptKey(of, secret));
    }

    pub(super) fn key_kept(&mut self, of: NewKeyOf, secret: &NewKey, outcome: &Outcome) {
        self.tokens.making = false;
        match outcome {
            Outcome::Done => {
                self.tokens.take_in(&StoredKey { purpose: of.purpose, week: of.week, secret: secret.clone() });
            }
            // Another node was first: its key is the one.
            Outcome::Denied => self.tokens.loaded = false,
            _ => {}
        }
    }

    /// Stores an operation that makes something: at once where admission is open, else once the token that was shown for it is
    /// checked. The operation spends it.
    pub(crate) fn store_for_token(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Asker,
        (purpose, token): (TokenPurpose, Option<Box<ShownToken>>),
        op: impl FnOnce(Option<Spend>) -> Op,
        then: Awaiting,
    ) {
        match self.config.terms.admission {
            AdmissionKind::Open => {
                self.store(turn, op(None), then);
                return;
            }
            AdmissionKind::Minted | AdmissionKind::Oidc => {}
        }
        let key = |token: &ShownToken| {
            self.tokens.good(turn.now).find(|key| *key.id() == token.key() && key.listed().purpose == purpose).cloned()
        };
        let Some((token, key)) = token.and_then(|token| key(&token).map(|key| (token, key))) else {
            return turn.refuse(asker, RefusedReason::Token);
        };
        if !self.has_room_for_a_job() {
            return turn.answer(asker, Answer::Busy { retry_after_secs: BUSY_RETRY_SECS });
        }
        let nonce_hash = Sha256::digest(token.nonce()).into();
        let spend = Spend { key: *key.id(), nonce_hash, forget_at: key.ends_at() };
        let shown = Shown { asker, op: op(Some(spend)), then: Box::new(then) };
        self.work(turn, Job::Verify { key, token }, Awaiting::Shown(shown));
    }

    pub(super) fn token_checked(&mut self, turn: &mut Turn<'_>, shown: Shown, valid: bool) {
        let Shown { asker, op, then } = shown;
        if valid {
            self.store(turn, op, *then);
        } else {
            turn.refuse(asker, RefusedReason::Token);
        }
    }
}
