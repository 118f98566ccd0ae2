//! `token`: which keys there are, and blind signatures for whoever is admitted.
//!
//! What must hold:
//! - What a credential is good for is counted, durably, before anything is signed for it. A batch whose answer is lost is lost.
//! - What is signed nobody here can see, and nothing of it is kept: a token that is shown later could be anyone's.

use std::sync::Arc;

use sotto_outer::{
    AdmissionKind, Answer, BlindToken, RefusedReason, SignTokens, SignedTokens, TokenKeys, TokenRequest, Tokens,
    limits::{CREDENTIAL_BYTES_MAX, TOKENS_MAX},
    work::Purpose,
};

use super::{BUSY, mismatch};
use crate::{
    access::{Job, TokenKey},
    core::{self, Asker, Core, Turn, Work},
    storage::{Op, Outcome, TokenOp},
};

/// Tokens that are being counted.
#[derive(Debug)]
pub(crate) struct Awaiting {
    asker: Asker,
    key: Arc<TokenKey>,
    blinded: Vec<BlindToken>,
}

/// Takes the frame.
pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, request: TokenRequest) {
    match request {
        TokenRequest::Keys => {
            let keys = core.tokens.good(turn.now).map(|key| key.listed().clone()).collect();
            turn.answer(asker, Answer::Tokens(Tokens::Keys(TokenKeys { keys })));
        }
        TokenRequest::Sign(sign) => handle_sign(core, turn, asker, sign),
    }
}

fn handle_sign(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, sign: SignTokens) {
    let SignTokens { key, credential, blinded, proof } = sign;
    let credential_fits = credential.as_ref().is_none_or(|bytes| bytes.len() <= CREDENTIAL_BYTES_MAX);
    if !credential_fits || !(1..=TOKENS_MAX).contains(&blinded.len()) {
        return turn.refuse(asker, RefusedReason::Limit);
    }
    if let Err(retry_after_secs) = let_in(core, turn, asker) {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    let Some(signing) = core.tokens.signing(turn.now, &key).cloned() else {
        // Not `refused`: a client that looked a moment before the week turned looks again.
        return turn.answer(asker, Answer::Denied);
    };
    match core.config.terms.admission {
        AdmissionKind::Open => match core.owed(turn.now, asker.conn, &Purpose::Token(key), proof.as_ref()) {
            Some(bits) => turn.answer(asker, Answer::Work { bits }),
            None => core.work(turn, Job::Sign { key: signing, blinded }, core::Awaiting::Signed(asker)),
        },
        AdmissionKind::Minted | AdmissionKind::Oidc => {
            let credential = credential.unwrap_or_default();
            let admitted = core.config.mint.as_ref().and_then(|mint| mint.admit(&credential, turn.now));
            let Some(admitted) = admitted else { return turn.answer(asker, Answer::Denied) };
            let op = TokenOp::Count {
                holder: admitted.holder,
                purpose: signing.listed().purpose,
                count: u32::try_from(blinded.len()).unwrap_or(u32::MAX),
                uses: admitted.uses,
                forget_at: admitted.until,
            };
            let awaiting = Awaiting { asker, key: signing, blinded };
            core.store(turn, Op::Token(op), core::Awaiting::Counted(awaiting));
        }
    }
}

fn let_in(core: &mut Core, turn: &mut Turn<'_>, asker: Asker) -> Result<(), u32> {
    core.admit(turn, Work::Create)?;
    if !core.has_room_for_a_job() {
        return Err(core::BUSY_RETRY_SECS);
    }
    core.take_from_origin(turn.now, asker.conn)?;
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return Ok(()) };
    connection.tokens.take(turn.now, core.config.token_rate, 1)
}

/// They are counted, or are more than the credential is good for.
pub(crate) fn counted(core: &mut Core, turn: &mut Turn<'_>, awaiting: Awaiting, outcome: &Outcome) {
    let Awaiting { asker, key, blinded } = awaiting;
    match outcome {
        Outcome::Done => core.work(turn, Job::Sign { key, blinded }, core::Awaiting::Signed(asker)),
        Outcome::Denied => turn.answer(asker, Answer::Denied),
        Outcome::Failed => turn.answer(asker, BUSY),
        other => turn.answer(asker, mismatch(other)),
    }
}

/// They are signed, or one of them is no number below the modulus.
pub(crate) fn signed(turn: &mut Turn<'_>, asker: Asker, signed: Option<Vec<BlindToken>>) {
    match signed {
        Some(signatures) => turn.answer(asker, Answer::Tokens(Tokens::Signed(SignedTokens { signatures }))),
        None => turn.refuse(asker, RefusedReason::Token),
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use sotto_outer::{
        BlobCreate, Command, Create, CreateChannel, InfoAnswer, Proof, ShownToken, Terms, TokenKeyId, TokenPurpose,
        VERSION,
    };

    use super::*;
    use crate::{
        Identity, Timestamp,
        access::{Mint, tokens::tests::blind},
        command::{
            blob_create::tests::blob,
            testing::{House, Log, Owner, proof},
        },
        core::{Config, Conn, Input, Rate, Toll},
    };

    const REFUSED: Answer = Answer::Refused { reason: RefusedReason::Token };
    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn mint() -> Mint {
        Mint::from_secret(&[5; 32], Identity::from_secret(&[77; 32]).public())
    }

    /// A house that gives tokens, with its keys made, and a connection.
    fn setting(admission: AdmissionKind, toll: Toll) -> (House, Conn) {
        let terms = Terms { admission, ..Terms::default() };
        let token_rate = Rate { burst: 100, interval_millis: 1 };
        let config = Config { terms, toll, gives_tokens: true, mint: Some(mint()), token_rate, ..Config::default() };
        let mut house = House::with(config);
        // One to load what is stored, one for each key.
        for _ in 0..4 {
            house.input(Input::Tick);
        }
        let conn = house.greeted();
        (house, conn)
    }

    fn key(house: &mut House, conn: Conn, purpose: TokenPurpose) -> TokenKeyId {
        let info = sotto_outer::Info { version: VERSION, nonce: [1; 32].into() };
        let Answer::Info(InfoAnswer { terms, .. }) = house.ask(conn, Command::Info(info)) else { panic!("no info") };
        let Answer::Tokens(Tokens::Keys(TokenKeys { keys })) = house.ask(conn, Command::Token(TokenRequest::Keys))
        else {
            panic!("no keys")
        };
        let at = keys.iter().position(|key| key.purpose == purpose).expect("a key for each purpose");
        terms.token_keys[at]
    }

    fn sign(key: TokenKeyId, credential: Option<String>, blinded: Vec<BlindToken>, proof: Option<Proof>) -> Command {
        let credential = credential.map(String::into_bytes);
        Command::Token(TokenRequest::Sign(SignTokens { key, credential, blinded, proof }))
    }

    /// A token, from blinding to unblinding.
    fn token(house: &mut House, conn: Conn, purpose: TokenPurpose, credential: &str, seed: u64) -> ShownToken {
        let key = key(house, conn, purpose);
        let client = blind(&key, purpose, &mut ChaCha20Rng::seed_from_u64(seed));
        let command = sign(key, Some(credential.to_owned()), vec![client.asked], None);
        let Answer::Tokens(Tokens::Signed(SignedTokens { signatures })) = house.ask(conn, command) else {
            panic!("nothing was signed")
        };
        client.unblind(&signatures[0])
    }

    fn create(owner: &Owner, token: Option<ShownToken>) -> Command {
        let Command::Create(create) = owner.create() else { unreachable!("a create") };
        Command::Create(Create { token: token.map(Box::new), ..create })
    }

    #[test]
    fn a_token_makes_one_mailbox() {
        let (mut house, conn) = setting(AdmissionKind::Minted, Toll::NONE);
        let credential = mint().mint(&[1; 16], 5, NOW.plus_secs(60));
        let token = token(&mut house, conn, TokenPurpose::Mailbox, &credential, 1);
        let (alice, bob) = (Owner::new(1), Owner::new(2));
        assert_eq!(house.ask(conn, create(&alice, None)), REFUSED, "none was shown");
        assert_eq!(house.ask(conn, create(&alice, Some(token))), Answer::Done);
        assert_eq!(house.ask(conn, create(&alice, Some(token))), Answer::Done, "the same again costs nothing");
        assert_eq!(house.ask(conn, create(&bob, Some(token))), REFUSED, "spent");
        let mut forged = *token.as_bytes();
        forged[64] ^= 1;
        assert_eq!(house.ask(conn, create(&bob, Some(forged.into()))), REFUSED, "another nonce than was signed");
        let missing = bob.delete(&house, conn, sotto_outer::Target::Mailbox(bob.receive_id()));
        assert_eq!(house.ask(conn, missing), Answer::Denied, "nothing was made for it");
    }

    #[test]
    fn a_token_makes_one_blob_and_another_one_channel() {
        let (mut house, conn) = setting(AdmissionKind::Minted, Toll::NONE);
        let credential = mint().mint(&[1; 16], 5, NOW.plus_secs(60));
        let for_blobs = token(&mut house, conn, TokenPurpose::Blob, &credential, 1);
        let for_channels = token(&mut house, conn, TokenPurpose::Channel, &credential, 2);
        let create_blob = |name, token: Option<ShownToken>| {
            Command::BlobCreate(BlobCreate { token: token.map(Box::new), ..blob(name, 1) })
        };
        let create_channel = |seed, token: Option<ShownToken>| {
            Command::CreateChannel(CreateChannel { token: token.map(Box::new), ..Log::new(seed).create() })
        };
        for wrong in [None, Some(for_channels)] {
            assert_eq!(house.ask(conn, create_blob(1, wrong)), REFUSED);
        }
        for wrong in [None, Some(for_blobs)] {
            assert_eq!(house.ask(conn, create_channel(1, wrong)), REFUSED);
        }
        for _ in 0..2 {
            assert!(matches!(house.ask(conn, create_blob(1, Some(for_blobs))), Answer::Blob(_)), "and the same again");
            assert_eq!(house.ask(conn, create_channel(1, Some(for_channels))), Answer::Done);
        }
        assert_eq!(house.ask(conn, create_blob(2, Some(for_blobs))), REFUSED, "spent");
        assert_eq!(house.ask(conn, create_channel(2, Some(for_channels))), REFUSED, "spent");
    }

    #[test]
    fn a_token_is_good_for_its_purpose_alone() {
        let (mut house, conn) = setting(AdmissionKind::Minted, Toll::NONE);
        let credential = mint().mint(&[1; 16], 5, NOW.plus_secs(60));
        let token = token(&mut house, conn, TokenPurpose::Blob, &credential, 1);
        assert_eq!(house.ask(conn, create(&Owner::new(1), Some(token))), REFUSED);
    }

    #[test]
    fn a_token_is_good_in_its_week_and_the_next() {
        const WEEK: u32 = 7 * 86_400;
        let (mut house, conn) = setting(AdmissionKind::Minted, Toll::NONE);
        let credential = mint().mint(&[1; 16], 5, NOW.plus_secs(60));
        let [first, second] = [1, 2].map(|seed| token(&mut house, conn, TokenPurpose::Mailbox, &credential, seed));
        house.wait_secs(WEEK);
        house.input(Input::Tick);
        assert_eq!(house.ask(conn, create(&Owner::new(1), Some(first))), Answer::Done);
        house.wait_secs(WEEK);
        house.input(Input::Tick);
        assert_eq!(house.ask(conn, create(&Owner::new(2), Some(second))), REFUSED);
    }

    #[test]
    fn a_credential_is_good_for_so_many_tokens_of_each_purpose() {
        let (mut house, conn) = setting(AdmissionKind::Minted, Toll::NONE);
        let credential = mint().mint(&[1; 16], 3, NOW.plus_secs(60));
        let key_of_mailboxes = key(&mut house, conn, TokenPurpose::Mailbox);
        let key_of_blobs = key(&mut house, conn, TokenPurpose::Blob);
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let asked = blind(&key_of_mailboxes, TokenPurpose::Mailbox, &mut rng).asked;
        let mut ask = |key, count| house.ask(conn, sign(key, Some(credential.clone()), vec![asked; count], None));
        assert!(matches!(ask(key_of_mailboxes, 2), Answer::Tokens(_)));
        assert_eq!(ask(key_of_mailboxes, 2), Answer::Denied, "four are more than three");
        assert!(matches!(ask(key_of_mailboxes, 1), Answer::Tokens(_)));
        assert!(matches!(ask(key_of_blobs, 3), Answer::Tokens(_)));
    }

    #[test]
    fn without_a_good_credential_nothing_is_signed() {
        let (mut house, conn) = setting(AdmissionKind::Minted, Toll::NONE);
        let key = key(&mut house, conn, TokenPurpose::Mailbox);
        let asked = blind(&key, TokenPurpose::Mailbox, &mut ChaCha20Rng::seed_from_u64(1)).asked;
        let over = mint().mint(&[1; 16], 3, NOW);
        for credential in [None, Some("nonsense".to_owned()), Some(over)] {
            assert_eq!(house.ask(conn, sign(key, credential, vec![asked], None)), Answer::Denied);
        }
        let good = mint().mint(&[1; 16], 3, NOW.plus_secs(60));
        assert_eq!(house.ask(conn, sign([9; 32].into(), Some(good), vec![asked], None)), Answer::Denied, "no key");
    }

    #[test]
    fn where_admission_is_open_tokens_cost_work_and_mailboxes_cost_no_token() {
        let (mut house, conn) = setting(AdmissionKind::Open, Toll { token: 8, ..Toll::NONE });
        assert_eq!(house.ask(conn, Owner::new(1).create()), Answer::Done);
        let key = key(&mut house, conn, TokenPurpose::Mailbox);
        let asked = blind(&key, TokenPurpose::Mailbox, &mut ChaCha20Rng::seed_from_u64(1)).asked;
        assert_eq!(house.ask(conn, sign(key, None, vec![asked], None)), Answer::Work { bits: 8 });
        let proof = Some(proof(&house, conn, &Purpose::Token(key), 8, 0));
        assert!(matches!(house.ask(conn, sign(key, None, vec![asked], proof)), Answer::Tokens(_)));
        assert_eq!(house.ask(conn, sign(key, None, vec![asked], proof)), Answer::Work { bits: 8 }, "once");
    }

    #[test]
    fn a_batch_has_bounds() {
        let (mut house, conn) = setting(AdmissionKind::Minted, Toll::NONE);
        let refused = Answer::Refused { reason: RefusedReason::Limit };
        let asked = BlindToken::from([1; 256]);
        for command in [
            sign([1; 32].into(), None, vec![], None),
            sign([1; 32].into(), None, vec![asked; 33], None),
            sign([1; 32].into(), Some("a".repeat(4_097)), vec![asked], None),
        ] {
            assert_eq!(house.ask(conn, command), refused);
        }
    }

    #[test]
    fn a_relay_that_starts_again_has_the_same_keys() {
        let (mut house, conn) = setting(AdmissionKind::Minted, Toll::NONE);
        let before = key(&mut house, conn, TokenPurpose::Mailbox);
        house.restart();
        house.input(Input::Tick);
        let conn = house.greeted();
        assert_eq!(key(&mut house, conn, TokenPurpose::Mailbox), before);
    }
}
