//! Blind tokens of a real relay, as a client gets them (RFC 9474).

use blind_rsa_signatures::{BlindSignature, PublicKeySha384PSSRandomized};
use rand::rngs::SysRng;
use rand_core::{Rng, UnwrapErr};
use sha2::{Digest, Sha256};
use sotto_outer::{
    Answer, BlindToken, Command, ListedKey, ShownToken, SignTokens, SignedTokens, TokenKeyId, TokenKeys, TokenPurpose,
    TokenRequest, Tokens,
    token::{key_id_input, message},
};

use crate::client::Client;

/// What stands before a modulus and after it in an RSA-2048 key with the exponent 65,537 (RFC 8017 §A.1.1, DER).
const KEY_HEAD: [u8; 9] = [0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00];
const KEY_TAIL: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];

/// The relay's key for mailboxes in this week, once it has made one.
pub(crate) async fn mailbox_key(client: &mut Client) -> ListedKey {
    loop {
        let answer = client.ask(Command::Token(TokenRequest::Keys)).await.unwrap();
        let Answer::Tokens(Tokens::Keys(TokenKeys { keys })) = answer else { panic!("no keys: {answer:?}") };
        if let Some(key) = keys.into_iter().rfind(|key| key.purpose == TokenPurpose::Mailbox) {
            return key;
        }
    }
}

/// As many tokens for mailboxes as asked, or what the relay says instead.
pub(crate) async fn fetch(client: &mut Client, credential: &str, count: usize) -> Result<Vec<ShownToken>, Answer> {
    let key = mailbox_key(client).await;
    let id =
        TokenKeyId::from(<[u8; 32]>::from(Sha256::digest(key_id_input(key.purpose, key.week, key.modulus.as_bytes()))));
    let der = [&KEY_HEAD, &key.modulus.as_bytes()[..], &KEY_TAIL].concat();
    let public = PublicKeySha384PSSRandomized::from_der(&der).unwrap();
    let mut rng = UnwrapErr(SysRng);
    let mut made = vec![];
    for _ in 0..count {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let message = message(TokenPurpose::Mailbox, &nonce);
        let blinding = public.blind(&mut rng, &message).unwrap();
        made.push((nonce, message, blinding));
    }
    let blinded = made.iter().map(|(_, _, blinding)| BlindToken::try_from(&blinding.blind_message[..]).unwrap());
    let credential = Some(credential.as_bytes().to_vec());
    let sign = SignTokens { key: id, credential, blinded: blinded.collect(), proof: None };
    let signatures = match client.ask(Command::Token(TokenRequest::Sign(sign))).await.unwrap() {
        Answer::Tokens(Tokens::Signed(SignedTokens { signatures })) => signatures,
        other => return Err(other),
    };
    let tokens = made.into_iter().zip(signatures).map(|((nonce, message, blinding), signed)| {
        let signed = BlindSignature(signed.as_bytes().to_vec());
        let signature = public.finalize(&signed, &blinding, &message).unwrap();
        ShownToken::new(&id, &blinding.msg_randomizer.unwrap().0, &nonce, &signature).unwrap()
    });
    Ok(tokens.collect())
}
