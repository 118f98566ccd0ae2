//! `info`: the relay proves who it is on this connection, and tells its limits. Everything else comes after it.

use sotto_outer::{Answer, Info, InfoAnswer, RefusedReason, Terms, VERSION};

use crate::core::{Asker, Core, Turn};

pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, info: &Info) {
    if info.version != VERSION {
        return turn.refuse(asker, RefusedReason::Version);
    }
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return };
    if let Err(retry_after_secs) = connection.infos.take(turn.now, core.config.info_rate, 1) {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    let token_keys = core.tokens.good(turn.now).map(|key| *key.id()).collect();
    let (work, forwards) = (core.work_bits(turn.now), core.config.forwards);
    let blob_bytes_max = core.config.blobs.map(|quota| quota.blob_bytes_max);
    let terms = Terms { token_keys, work, forwards, blob_bytes_max, ..core.config.terms.clone() };
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return };
    connection.greeted = true;
    let (place, exporter) = (&core.config.place, connection.exporter.as_deref());
    let answer = InfoAnswer {
        version: VERSION,
        identity: *core.identity.public(),
        nonce: connection.nonce,
        signature: core.identity.welcome(place, &info.nonce, &connection.nonce, exporter, &terms),
        limits: core.config.limits.clone(),
        terms,
    };
    turn.answer(asker, Answer::Info(answer));
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signature, VerifyingKey};
    use sotto_outer::{Command, ConnectionNonce, Fetch, signed};

    use super::*;
    use crate::{command::testing::House, core::Input};

    fn ask(version: u8) -> Command {
        Command::Info(Info { version, nonce: ConnectionNonce::from([9; 32]) })
    }

    #[test]
    fn the_relay_signs_both_nonces() {
        let mut house = House::new();
        let conn = house.open();
        let Answer::Info(answer) = house.ask(conn, ask(VERSION)) else { panic!("no info") };
        let client = ConnectionNonce::from([9; 32]);
        let bytes = signed::welcome(&answer.identity, b"", &client, &answer.nonce, None, &answer.terms);
        let key = VerifyingKey::from_bytes(answer.identity.as_bytes()).unwrap();
        assert!(key.verify_strict(&bytes, &Signature::from_bytes(answer.signature.as_bytes())).is_ok());
    }

    #[test]
    fn the_proof_covers_the_tls_that_ends_here() {
        let mut house = House::new();
        let conn = house.open();
        house.input(Input::Bound(conn, Box::new([5; 32])));
        let Answer::Info(answer) = house.ask(conn, ask(VERSION)) else { panic!("no info") };
        let key = VerifyingKey::from_bytes(answer.identity.as_bytes()).unwrap();
        for (exporter, covered) in [(Some(&[5; 32]), true), (Some(&[6; 32]), false), (None, false)] {
            let nonce = ConnectionNonce::from([9; 32]);
            let bytes = signed::welcome(&answer.identity, b"", &nonce, &answer.nonce, exporter, &answer.terms);
            let verified = key.verify_strict(&bytes, &Signature::from_bytes(answer.signature.as_bytes()));
            assert_eq!(verified.is_ok(), covered);
        }
    }

    #[test]
    fn each_connection_has_its_own_nonce() {
        let mut house = House::new();
        let (first, second) = (house.open(), house.open());
        let (Answer::Info(first), Answer::Info(second)) =
            (house.ask(first, ask(VERSION)), house.ask(second, ask(VERSION)))
        else {
            panic!("no info")
        };
        assert_ne!(first.nonce, second.nonce);
    }

    #[test]
    fn who_asks_again_and_again_waits() {
        let mut house = House::new();
        let conn = house.open();
        for _ in 0..8 {
            assert!(matches!(house.ask(conn, ask(VERSION)), Answer::Info(_)));
        }
        assert_eq!(house.ask(conn, ask(VERSION)), Answer::Busy { retry_after_secs: 10 });
        let other = house.open();
        assert!(matches!(house.ask(other, ask(VERSION)), Answer::Info(_)));
    }

    #[test]
    fn another_version_is_refused() {
        let mut house = House::new();
        let conn = house.open();
        assert_eq!(house.ask(conn, ask(VERSION + 1)), Answer::Refused { reason: RefusedReason::Version });
        let fetch = Command::Fetch(Fetch { bundle: [1; 16].into(), proof: None });
        assert_eq!(house.ask(conn, fetch), Answer::Refused { reason: RefusedReason::Order });
    }

    #[test]
    fn nothing_goes_before_info() {
        let mut house = House::new();
        let conn = house.open();
        let fetch = Command::Fetch(Fetch { bundle: [1; 16].into(), proof: None });
        assert_eq!(house.ask(conn, fetch.clone()), Answer::Refused { reason: RefusedReason::Order });
        house.ask(conn, ask(VERSION));
        assert_eq!(house.ask(conn, fetch), Answer::Denied);
    }
}
