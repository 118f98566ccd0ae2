//! Tokens: asked for in a batch on a line of their own, kept as rows, and spent on the line for our own things, where its signed
//! terms list the same key. [REL-75] [REL-77]
//!
//! What is to be signed is durable before it leaves, and so is which mailbox a token is for: whoever crashes in between asks for
//! the same again.

use std::collections::BTreeSet;

use sotto_crypto::{Blinding, TokenKey};
use sotto_outer::{
    Answer, Command, ListedKey, Proof, RefusedReason, RelayIdentity, ShownToken, SignTokens, SignedTokens, Terms,
    TokenKeyId, TokenPurpose, TokenRequest, Tokens, limits::TOKENS_MAX, work::Purpose,
};

use crate::{
    Admission, Line, Order, Range, Rows, RowsError, Table, Timestamp,
    admission::{BATCH, Haste},
    memory::Pending,
    record::{AdmissionRow, BatchRow, BlindedRow, OwnMailbox, Record, SecretBytes, TokenRow},
    timers::Timer,
    work::Work,
};

const DAY_SECS: u64 = 86_400;
const WEEK_SECS: u64 = 7 * DAY_SECS;
/// A token is not spent in its last day: the relay's clock may be ahead of ours.
const MARGIN_SECS: u64 = DAY_SECS;
/// How long a relay that has no tokens now is left alone, the first time; it doubles with each.
const RETRY_SECS_MIN: u64 = 3;
/// How often in a row a relay may have none before its person is told that they wait.
const TRIES_UNTOLD: u32 = 4;
/// The longest pause.
const RETRY_SECS_MAX: u64 = 3_600;
/// How often in a row one token is denied before the credential is given up: once may be a week's turn.
const DENIALS_MAX: u32 = 2;
/// Tokens that a relay may turn away in a row on one connection.
const REFUSALS_MAX: u8 = 3;
/// Keys that a relay has at a time: for each purpose that of this week and of the last.
const KEYS_MAX: usize = 2 * TokenPurpose::ALL.len();

type Result<T> = std::result::Result<T, RowsError>;

/// What a `create` shows.
pub(crate) enum Fare {
    /// Nothing: admission is open.
    Nothing,
    /// This token.
    Token(Box<ShownToken>),
    /// There is none yet.
    Missing,
}

impl Work<'_> {
    /// The terms of the line for our own things.
    pub(crate) fn reading_terms(&self, relay: &RelayIdentity) -> Option<&Terms> {
        let line = Line::reading(*relay);
        self.nonce(line)?;
        self.memory.lines.get(&line).map(|memory| &memory.terms)
    }

    /// How many tokens there are whose keys the line for our own things lists, and how many others.
    pub(crate) fn tokens(&self, relay: &RelayIdentity, purpose: TokenPurpose) -> Result<(usize, usize)> {
        let tokens = self.shown_tokens(relay, purpose)?;
        let listed = tokens.iter().filter(|(_, token)| self.is_listed(relay, token)).count();
        Ok((listed, tokens.len() - listed))
    }

    fn shown_tokens(&self, relay: &RelayIdentity, purpose: TokenPurpose) -> Result<Vec<(Vec<u8>, ShownToken)>> {
        let rows = self.records::<TokenRow>(&Range::prefix(&TokenRow::prefix(relay, purpose)), usize::MAX)?;
        rows.into_iter().map(|(key, row)| Ok((key, shown(&row.token)?))).collect()
    }

    fn is_listed(&self, relay: &RelayIdentity, token: &ShownToken) -> bool {
        let lists = |terms: &Terms| terms.token_keys.len() <= KEYS_MAX && terms.token_keys.contains(&token.key());
        self.reading_terms(relay).is_some_and(lists)
    }

    /// What the `create` of this mailbox shows. A token is its own from then on: a repeat shows the same one.
    pub(crate) fn fare(&mut self, id: &sotto_outer::ReceiveId, mailbox: &mut OwnMailbox) -> Result<Fare> {
        let relay = *mailbox.relay.identity();
        if self.reading_terms(&relay).is_none_or(|terms| terms.admission == sotto_outer::AdmissionKind::Open) {
            return Ok(Fare::Nothing);
        }
        if let Some(token) = &mailbox.token {
            let token = shown(token)?;
            if self.is_listed(&relay, &token) {
                return Ok(Fare::Token(Box::new(token)));
            }
            if self.lists_no_key(&relay) {
                self.wait_for_keys(&relay)?;
                return Ok(Fare::Missing);
            }
            // One whose key is listed no more buys nothing any more.
            mailbox.token = None;
            self.save(id.as_bytes(), mailbox);
        }
        self.drop_old_tokens(&relay)?;
        let tokens = self.shown_tokens(&relay, TokenPurpose::Mailbox)?;
        let found = tokens.into_iter().find(|(_, token)| self.is_listed(&relay, token));
        let Some((key, token)) = found else { return Ok(Fare::Missing) };
        self.delete(Table::Meta, &key);
        mailbox.token = Some(token.as_bytes().to_vec().into());
        self.save(id.as_bytes(), mailbox);
        Ok(Fare::Token(Box::new(token)))
    }

    /// A relay turned a token away: it is spent or over, and another one is shown.
    pub(crate) fn on_token_refused(&mut self, relay: &RelayIdentity, id: &sotto_outer::ReceiveId) -> Result<()> {
        let Some(mut mailbox) = self.load::<OwnMailbox>(id.as_bytes())? else { return Ok(()) };
        mailbox.token = None;
        self.save(id.as_bytes(), &mailbox);
        let Some(memory) = self.memory.lines.get_mut(&Line::reading(*relay)) else { return Ok(()) };
        memory.refusals += 1;
        if memory.refusals <= REFUSALS_MAX {
            // It may ask for tokens since a moment ago.
            return if memory.terms.admission == sotto_outer::AdmissionKind::Open {
                self.renew_terms(relay);
                Ok(())
            } else {
                self.create_at_relay(id)?;
                self.look_after_tokens(relay, Haste::IfNeeded)
            };
        }
        self.retry_relay_later(relay, &Answer::Busy { retry_after_secs: u32::MAX });
        self.enter_admission(relay, Admission::Busy)
    }

    /// Tokens that are good no more, by the calendar, go.
    pub(crate) fn drop_old_tokens(&mut self, relay: &RelayIdentity) -> Result<()> {
        for purpose in TokenPurpose::ALL {
            let prefix = Range::prefix(&TokenRow::prefix(relay, purpose));
            for (key, _) in self.scan(TokenRow::TABLE, &prefix, Order::Ascending, usize::MAX)? {
                let week = TokenRow::week(&key).ok_or_else(|| RowsError("a token's key is damaged".to_owned()))?;
                if self.now.secs() + MARGIN_SECS >= (u64::from(week) + 2) * WEEK_SECS {
                    self.delete(Table::Meta, &key);
                }
            }
        }
        Ok(())
    }

    /// There are tokens whose key the line for our own things does not list: it may have been proven before there was that key,
    /// and so it is asked once more. A relay that then lists another one knows us by it, or wants to.
    pub(crate) fn compare_keys(&mut self, relay: &RelayIdentity) -> Result<()> {
        self.stop_asking(relay);
        if self.memory.lines.get(&Line::reading(*relay)).is_some_and(|memory| memory.terms_outdated) {
            self.renew_terms(relay);
            return Ok(());
        }
        if self.lists_no_key(relay) {
            return self.wait_for_keys(relay);
        }
        self.enter_admission(relay, Admission::KeysDiffer)
    }

    /// Where a mailbox has its token and the relay listed no key, nothing else asks again.
    pub(crate) fn renew_outdated_terms(&mut self, relay: &RelayIdentity) {
        let outdated = self.memory.lines.get(&Line::reading(*relay)).is_some_and(|memory| memory.terms_outdated);
        if outdated && self.lists_no_key(relay) {
            self.renew_terms(relay);
        }
    }

    /// A relay that has just started may not have its keys at hand.
    fn lists_no_key(&self, relay: &RelayIdentity) -> bool {
        self.reading_terms(relay).is_some_and(|terms| terms.token_keys.is_empty())
    }

    fn wait_for_keys(&mut self, relay: &RelayIdentity) -> Result<()> {
        if let Some(memory) = self.memory.lines.get_mut(&Line::reading(*relay)) {
            memory.terms_outdated = true;
        }
        let until = self.pause_tokens(relay, 0);
        self.set_timer(until, &Timer::Tokens(*relay));
        let patient = self.memory.token_tries.get(relay).is_none_or(|tries| *tries < TRIES_UNTOLD);
        if patient { Ok(()) } else { self.enter_admission(relay, Admission::Busy) }
    }

    /// Until when a relay is left alone that has no tokens now: longer with each time.
    fn pause_tokens(&mut self, relay: &RelayIdentity, asked_secs: u64) -> Timestamp {
        let tries = self.memory.token_tries.entry(*relay).or_default();
        let wait = RETRY_SECS_MIN << (*tries).min(10);
        *tries += 1;
        let millis = wait.max(asked_secs).min(RETRY_SECS_MAX) * 1_000;
        let jitter = self.jitter(millis / 2);
        self.now.plus_millis(millis + jitter)
    }

    /// Asks which keys there are, where the line for that stands and nothing is asked yet.
    pub(crate) fn ask_for_tokens(&mut self, relay: &RelayIdentity) -> Result<()> {
        let line = Line::admission(*relay);
        let asked = |pending: &Pending| matches!(pending, Pending::TokenKeys | Pending::Tokens(_));
        let waits = self.memory.lines.get(&line).is_some_and(|memory| memory.pending.values().any(asked));
        if self.memory.asking.contains(relay) && self.nonce(line).is_some() && !waits {
            self.transmit(relay, Command::Token(TokenRequest::Keys), Pending::TokenKeys);
        }
        Ok(())
    }

    /// A relay listed its keys: it is asked to sign under the one of this week, if its signed terms name it.
    pub(crate) fn on_token_keys(&mut self, relay: &RelayIdentity, answer: &Answer) -> Result<()> {
        let Answer::Tokens(Tokens::Keys(keys)) = answer else { return self.ask_later(relay, answer) };
        let Some((key, listed)) = self.signing_key(relay, &keys.keys) else { return self.ask_later(relay, answer) };
        match self.batch(relay, &key, listed)? {
            Some(batch) => self.ask_to_sign(relay, &batch, None),
            None => self.ask_later(relay, answer),
        }
    }

    fn signing_key(&self, relay: &RelayIdentity, keys: &[ListedKey]) -> Option<(TokenKey, ListedKey)> {
        let terms = &self.memory.lines.get(&Line::admission(*relay))?.terms;
        let week = self.now.secs() / WEEK_SECS;
        let near = |key: &TokenKey| u64::from(key.week()).abs_diff(week) <= 1;
        let read = keys.iter().map(|listed| TokenKey::read(listed).ok().map(|key| (key, listed.clone())));
        let read = read.collect::<Option<Vec<_>>>()?;
        let kinds = read.iter().map(|(key, _)| (key.purpose(), key.week(), *key.id())).collect::<Vec<_>>();
        if !is_all_that_is_signed(&kinds, &terms.token_keys) {
            return None;
        }
        let good = read.into_iter().filter(|(key, _)| key.purpose() == TokenPurpose::Mailbox && near(key));
        good.max_by_key(|(key, _)| key.week())
    }

    /// The batch that was asked for under this key and not answered, or a new one.
    fn batch(&mut self, relay: &RelayIdentity, key: &TokenKey, listed: ListedKey) -> Result<Option<BatchRow>> {
        let row_key = BatchRow::key(relay);
        if let Some(batch) = self.load::<BatchRow>(&row_key)?
            && batch.id == *key.id()
        {
            return Ok(Some(batch));
        }
        let Some(row) = self.load::<AdmissionRow>(&AdmissionRow::key(relay))? else { return Ok(None) };
        let count = row.batch.min(row.uses.saturating_sub(row.given)).clamp(1, TOKENS_MAX as u32);
        let mut blinded = Vec::new();
        for _ in 0..count {
            let Ok((asked, blinding)) = key.blind(self.rng) else { return Ok(None) };
            blinded.push(BlindedRow { asked, blinding: blinding.to_bytes().into() });
        }
        let batch = BatchRow { id: *key.id(), key: listed, blinded };
        // Durable before it leaves: the same batch is asked for again.
        self.save(&row_key, &batch);
        Ok(Some(batch))
    }

    fn ask_to_sign(&mut self, relay: &RelayIdentity, batch: &BatchRow, proof: Option<Proof>) -> Result<()> {
        let row = self.load::<AdmissionRow>(&AdmissionRow::key(relay))?;
        let credential = row.and_then(|row| row.credential).map(|credential| credential.as_slice().to_vec());
        let blinded = batch.blinded.iter().map(|row| row.asked).collect();
        let sign = SignTokens { key: batch.id, credential, blinded, proof };
        self.transmit(relay, Command::Token(TokenRequest::Sign(sign)), Pending::Tokens(batch.id));
        Ok(())
    }

    /// A relay signed a batch, or did not.
    pub(crate) fn on_tokens(
        &mut self,
        relay: &RelayIdentity,
        of: &sotto_outer::TokenKeyId,
        answer: &Answer,
    ) -> Result<()> {
        let batch = self.load::<BatchRow>(&BatchRow::key(relay))?.filter(|batch| batch.id == *of);
        let Some(batch) = batch else { return self.look_after_tokens(relay, Haste::IfNeeded) };
        match answer {
            Answer::Tokens(Tokens::Signed(SignedTokens { signatures })) => {
                self.delete(Table::Meta, &BatchRow::key(relay));
                let count = self.keep_tokens(relay, &batch, signatures)?;
                if count == 0 { self.ask_later(relay, answer) } else { self.on_admitted(relay, count) }
            }
            Answer::Denied => self.on_tokens_denied(relay, &batch),
            Answer::Work { bits } => {
                let (line, purpose) = (Line::admission(*relay), Purpose::Token(*of));
                if !self.accept_toll(line, &purpose, *bits) {
                    return self.ask_later(relay, answer);
                }
                let proof = self.prove(line, &purpose);
                self.ask_to_sign(relay, &batch, proof)
            }
            Answer::Refused { reason: RefusedReason::Token | RefusedReason::Limit } => {
                // Of these it signs none.
                self.delete(Table::Meta, &BatchRow::key(relay));
                self.ask_later(relay, answer)
            }
            _ => self.ask_later(relay, answer),
        }
    }

    /// Keeps what verifies as tokens, and says how many those are.
    fn keep_tokens(
        &mut self,
        relay: &RelayIdentity,
        batch: &BatchRow,
        signatures: &[sotto_outer::BlindToken],
    ) -> Result<u32> {
        let Ok(key) = TokenKey::read(&batch.key) else { return Ok(0) };
        let mut count = 0;
        for (row, signed) in batch.blinded.iter().zip(signatures) {
            let blinding = Blinding::from_bytes(row.blinding.as_slice());
            let blinding = blinding.map_err(|_| RowsError("a batch of tokens is damaged".to_owned()))?;
            let Ok(token) = key.finish(&blinding, signed) else { continue };
            let row_key = TokenRow::key(relay, key.purpose(), key.week(), &token.nonce());
            self.save(&row_key, &TokenRow { token: token.as_bytes().to_vec().into() });
            count += 1;
        }
        Ok(count)
    }

    fn on_admitted(&mut self, relay: &RelayIdentity, count: u32) -> Result<()> {
        let key = AdmissionRow::key(relay);
        let mut row = self.load::<AdmissionRow>(&key)?.unwrap_or_default();
        row.given = row.given.saturating_add(count);
        row.batch = BATCH;
        self.save(&key, &row);
        self.memory.token_tries.remove(relay);
        self.memory.token_denials.remove(relay);
        self.stop_asking(relay);
        self.enter_admission(relay, Admission::Admitted)?;
        if let Some(memory) = self.memory.lines.get_mut(&Line::reading(*relay)) {
            memory.terms_outdated = true;
        }
        self.create_wanted(relay)
    }

    /// A credential is good for fewer, or for none: half as many are asked for, down to one.
    fn on_tokens_denied(&mut self, relay: &RelayIdentity, batch: &BatchRow) -> Result<()> {
        self.delete(Table::Meta, &BatchRow::key(relay));
        let key = AdmissionRow::key(relay);
        let Some(mut row) = self.load::<AdmissionRow>(&key)? else { return Ok(()) };
        let count = batch.blinded.len() as u32;
        if count <= 1 {
            let denials = self.memory.token_denials.entry(*relay).or_default();
            *denials += 1;
            if *denials >= DENIALS_MAX {
                self.memory.token_denials.remove(relay);
                self.stop_asking(relay);
                let state = if row.given > 0 { Admission::UsedUp } else { Admission::Refused };
                return self.enter_admission(relay, state);
            }
        }
        row.batch = (count / 2).max(1);
        self.save(&key, &row);
        // The week may have turned meanwhile: which key signs is asked again.
        self.ask_for_tokens(relay)
    }

    /// A relay has no tokens now: it is asked again later, and later with each time.
    fn ask_later(&mut self, relay: &RelayIdentity, answer: &Answer) -> Result<()> {
        let asked = match answer {
            Answer::Busy { retry_after_secs } | Answer::Full { retry_after_secs } => u64::from(*retry_after_secs),
            _ => 0,
        };
        let until = self.pause_tokens(relay, asked);
        self.set_timer(until, &Timer::Tokens(*relay));
        self.stop_asking(relay);
        let state = self.load::<AdmissionRow>(&AdmissionRow::key(relay))?.unwrap_or_default().state;
        // Where nothing waits nobody is told.
        if state == Admission::Asking || self.mailboxes_without_token(relay)? > 0 {
            self.enter_admission(relay, Admission::Busy)?;
        }
        Ok(())
    }
}

/// Whether keys are one for each purpose and week, and the signed terms list those and no others: among many that it signs
/// for, a relay could give each client a key of its own, and know it again by that.
fn is_all_that_is_signed(keys: &[(TokenPurpose, u32, TokenKeyId)], signed: &[TokenKeyId]) -> bool {
    let kinds = keys.iter().map(|(purpose, week, _)| (purpose, week)).collect::<BTreeSet<_>>();
    let ids = keys.iter().map(|(_, _, id)| id).collect::<BTreeSet<_>>();
    let is_one_each = kinds.len() == keys.len() && ids.len() == keys.len() && keys.len() <= KEYS_MAX;
    is_one_each && signed.len() == keys.len() && signed.iter().collect::<BTreeSet<_>>() == ids
}

fn shown(token: &SecretBytes) -> Result<ShownToken> {
    ShownToken::try_from(token.as_slice()).map_err(|_| RowsError("a token is damaged".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_that_signs_for_more_keys_than_it_has_gets_no_credential() {
        use TokenPurpose::{Blob, Mailbox};
        let id = |fill: u8| TokenKeyId::from([fill; 32]);
        let (this, last, blob) = ((Mailbox, 8, id(1)), (Mailbox, 7, id(2)), (Blob, 8, id(3)));
        assert!(is_all_that_is_signed(&[this, last, blob], &[id(3), id(1), id(2)]));
        assert!(!is_all_that_is_signed(&[this], &[id(1), id(2)]), "others are signed for, for others");
        assert!(!is_all_that_is_signed(&[this, last], &[id(1)]), "one is not signed for");
        assert!(!is_all_that_is_signed(&[this, (Mailbox, 8, id(2))], &[id(1), id(2)]), "two of one week");
        assert!(!is_all_that_is_signed(&[this, last], &[id(1), id(1)]));
    }
}
