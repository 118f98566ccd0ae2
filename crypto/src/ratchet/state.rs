//! The stored form of a session. Its own format: it never leaves the device, and another version is refused.
//!
//! CBOR (RFC 8949), deterministic, integer keys ascending; every key is present, absent values are null. A state decodes
//! only if encoding it again gives the same bytes.
//!
//! | key | field | value |
//! |---|---|---|
//! | 0 | format version | 1 |
//! | 1 | session id | 32 bytes |
//! | 2 | associated data | 97 bytes: version ‖ initiator's root ‖ responder's root ‖ initiator's device ‖ responder's device |
//! | 3 | root key | 32 bytes |
//! | 4 | our private ratchet key, X25519 | 32 bytes |
//! | 5 | our public ratchet key | 32 bytes |
//! | 6 | peer's public ratchet key | 32 bytes or null |
//! | 7 | sending chain | chain or null |
//! | 8 | header key of the next sending chain | 32 bytes |
//! | 9 | receiving chain | chain with runs, or null |
//! | 10 | header key of the next receiving chain | 32 bytes |
//! | 11 | packets in the previous sending chain (`PN`) | unsigned, 32 bits |
//! | 12 | old receiving chains, oldest first | array of {0: header key, 1: runs} |
//! | 13 | next chain id | unsigned |
//! | 14 | packets sealed over the session's life | unsigned |
//! | 15 | the last of them that the peer is known to have | unsigned, at most key 14 |
//! | 16 | how many of them came before the sending chain | unsigned, at most key 14 |
//! | 17 | whether a sending step is due before the next seal | boolean |
//! | 18 | epoch chains | see below |
//! | 19 | the Braid | array, see `braid/state.rs`; null once the other side broke it |
//!
//! A chain is {0: header key, 1: chain key, 2: number of the next packet, 3: ephemeral key}, the receiving one with 4: runs.
//! Runs are an array of [chain id, first number, keys kept, Unix seconds], ascending.
//!
//! Epoch chains are {0: root, 1: whether this side began the session, 2: sending chain, 3: packets in the one before,
//! 4: receiving chain, 5: its runs, 6: sending chain key of the epoch ahead or null, 7: the receiving one, 8: old epochs as
//! an array of {0: epoch, 1: runs}}; an epoch's chain is {0: epoch, 1: chain key, 2: number of the next packet}.

use std::collections::BTreeSet;

use minicbor::{Decoder, Encoder, decode, encode::Write};
use sotto_inner::{
    AgreementKey,
    limits::{SKIPPED_CHAINS_MAX, SKIPPED_KEYS_MAX},
};
use zeroize::Zeroizing;

use super::{
    associated_data::AssociatedData,
    braid::{BRAID_BYTES_MAX, Braid, Stage},
    chain::{Chain, OldChain, ReceivingChain},
    chain_key::ChainKey,
    ephemeral_key::EphemeralKey,
    epoch_key::{EpochChainKey, EpochRoot},
    epochs::{EpochChain, Epochs, OldEpoch},
    header_key::HeaderKey,
    root_key::RootKey,
    session::Session,
    skipped::{ChainId, Run, Runs},
};
use crate::{error::StateError, secret::Secret32, session_id::SessionId, x25519::PrivateKey};

/// The one format this program reads and writes.
const FORMAT: u64 = 1;
/// Entries of the outer map.
const FIELDS: u64 = 20;
/// Length of a state without runs and old chains at most, and of one of each: encoding allocates once, so that no part
/// of a secret stays behind in a buffer that was outgrown.
const FIXED_BYTES_MAX: usize = 768 + EPOCHS_BYTES_MAX + BRAID_BYTES_MAX;
const EPOCHS_BYTES_MAX: usize = 256;
const OLD_CHAIN_BYTES_MAX: usize = 48;
const RUN_BYTES_MAX: usize = 32;

type EncodeResult<W> = Result<(), minicbor::encode::Error<<W as Write>::Error>>;

impl Session {
    /// Its stored form.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let capacity = self.encoded_bytes_max();
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        self.write(&mut Encoder::new(&mut *bytes)).expect("writing to a Vec cannot fail");
        debug_assert!(bytes.len() <= capacity, "a secret lay in a buffer that was outgrown");
        bytes
    }

    /// Reads what [`Session::encode`] wrote.
    ///
    /// # Errors
    /// [`StateError::Version`] for another format, [`StateError::Malformed`] for anything that is not a state's one encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        let mut decoder = Decoder::new(bytes);
        let version = read_version(&mut decoder).map_err(|_| StateError::Malformed)?;
        if version != FORMAT {
            return Err(StateError::Version(version));
        }
        let session = Self::read(&mut decoder).map_err(|_| StateError::Malformed)?;
        let strict = session.holds_together() && *session.encode() == bytes;
        strict.then_some(session).ok_or(StateError::Malformed)
    }

    fn encoded_bytes_max(&self) -> usize {
        let receiving = self.receiving.iter().map(|receiving| &receiving.runs);
        let runs: usize = self.old.iter().map(|chain| &chain.runs).chain(receiving).map(|runs| runs.0.len()).sum();
        let epochs = self.epochs.old.iter().map(|old| &old.runs).chain([&self.epochs.receiving_runs]);
        let runs = runs + epochs.map(|runs| runs.0.len()).sum::<usize>();
        let old = self.old.len() + self.epochs.old.len();
        FIXED_BYTES_MAX + old * OLD_CHAIN_BYTES_MAX + runs * RUN_BYTES_MAX
    }

    fn write<W: Write>(&self, e: &mut Encoder<W>) -> EncodeResult<W> {
        e.map(FIELDS)?.u8(0)?.u64(FORMAT)?;
        e.u8(1)?.bytes(self.id.as_bytes())?;
        e.u8(2)?.bytes(self.associated.as_bytes())?;
        e.u8(3)?.bytes(self.root_key.as_bytes())?;
        e.u8(4)?.bytes(self.private.secret().as_bytes())?;
        e.u8(5)?.bytes(self.private.public().as_bytes())?;
        e.u8(6)?;
        match &self.peer {
            Some(peer) => e.bytes(peer.as_bytes())?,
            None => e.null()?,
        };
        e.u8(7)?;
        match &self.sending {
            Some(chain) => write_chain(e.map(4)?, chain)?,
            None => e.null()?.ok()?,
        }
        e.u8(8)?.bytes(self.next_sending_header_key.as_bytes())?;
        e.u8(9)?;
        match &self.receiving {
            Some(ReceivingChain { chain, runs }) => {
                write_chain(e.map(5)?, chain)?;
                write_runs(e.u8(4)?, runs)?;
            }
            None => e.null()?.ok()?,
        }
        e.u8(10)?.bytes(self.next_receiving_header_key.as_bytes())?;
        e.u8(11)?.u32(self.previous)?;
        e.u8(12)?.array(self.old.len() as u64)?;
        for OldChain { header_key, runs } in &self.old {
            e.map(2)?.u8(0)?.bytes(header_key.as_bytes())?;
            write_runs(e.u8(1)?, runs)?;
        }
        e.u8(13)?.u64(self.next_run)?;
        e.u8(14)?.u64(self.sealed)?;
        e.u8(15)?.u64(self.receipted)?;
        e.u8(16)?.u64(self.sealed_before_chain)?;
        e.u8(17)?.bool(self.step_due)?;
        write_epochs(e.u8(18)?, &self.epochs)?;
        e.u8(19)?;
        match &self.braid {
            Some(braid) => braid.write(e),
            None => e.null()?.ok(),
        }
    }

    /// Everything behind the version. Fields are read in the order in which they are written.
    fn read(d: &mut Decoder<'_>) -> Result<Self, decode::Error> {
        let session = Self {
            id: SessionId::from(*read_array(at(d, 1)?)?),
            associated: AssociatedData::from_slice(at(d, 2)?.bytes()?).ok_or_else(malformed)?,
            root_key: RootKey::new(read_secret(at(d, 3)?)?),
            private: PrivateKey::from_parts(read_secret(at(d, 4)?)?, read_key(at(d, 5)?)?),
            peer: read_or_null(at(d, 6)?, read_key)?,
            sending: read_or_null(at(d, 7)?, |d| read_chain(d, 4))?,
            next_sending_header_key: HeaderKey::new(read_secret(at(d, 8)?)?),
            receiving: read_or_null(at(d, 9)?, |d| {
                Ok(ReceivingChain { chain: read_chain(d, 5)?, runs: read_runs(at(d, 4)?)? })
            })?,
            next_receiving_header_key: HeaderKey::new(read_secret(at(d, 10)?)?),
            previous: at(d, 11)?.u32()?,
            old: read_list(at(d, 12)?, |d| {
                sized_map(d, 2)?;
                Ok(OldChain { header_key: HeaderKey::new(read_secret(at(d, 0)?)?), runs: read_runs(at(d, 1)?)? })
            })?,
            next_run: at(d, 13)?.u64()?,
            sealed: at(d, 14)?.u64()?,
            receipted: at(d, 15)?.u64()?,
            sealed_before_chain: at(d, 16)?.u64()?,
            step_due: at(d, 17)?.bool()?,
            epochs: read_epochs(at(d, 18)?)?,
            braid: read_or_null(at(d, 19)?, Braid::read)?,
        };
        Ok(session)
    }

    /// What every session's fields have in common, whatever has happened to it.
    fn holds_together(&self) -> bool {
        let receiving = self.receiving.as_ref().map(|receiving| &receiving.runs);
        let runs: Vec<&Runs> = self.old.iter().map(|chain| &chain.runs).chain(receiving).collect();
        let epochs: Vec<&Runs> =
            self.epochs.old.iter().map(|old| &old.runs).chain([&self.epochs.receiving_runs]).collect();
        let begun = self.peer.is_some();
        self.receipted <= self.sealed
            && self.sealed_before_chain <= self.sealed
            && (self.sending.is_some() || self.step_due) == begun
            && (!self.step_due || self.receiving.is_some())
            && (begun || self.receiving.is_none())
            && self.old.len() <= SKIPPED_CHAINS_MAX
            && self.old.iter().all(|chain| !chain.runs.is_empty())
            && self.hold_together(&runs)
            && self.hold_together(&epochs)
            && share_no_run(&runs, &epochs)
            && self.epochs_fit()
    }

    /// What the runs of one ratchet have in common.
    fn hold_together(&self, runs: &[&Runs]) -> bool {
        let all = || runs.iter().flat_map(|runs| &runs.0);
        let kept = all().fold(0_u32, |kept, run| kept.saturating_add(run.kept));
        kept <= SKIPPED_KEYS_MAX
            && all().all(|run| run.kept > 0 && run.id.0 < self.next_run)
            && all().is_sorted_by(|run, next| run.id < next.id)
            && runs.iter().all(|runs| runs.0.is_sorted_by(|run, next| run.from < next.from))
    }

    /// Whether the epoch chains stand where the Braid's state lets them.
    fn epochs_fit(&self) -> bool {
        let Epochs { initiator, sending, receiving, ahead_sending, ahead_receiving, old, .. } = &self.epochs;
        let old_fit = old.len() <= SKIPPED_CHAINS_MAX
            && old.iter().all(|old| !old.runs.is_empty() && old.epoch < receiving.epoch)
            && old.is_sorted_by(|one, next| one.epoch < next.epoch);
        let Some(braid) = &self.braid else { return old_fit };
        let before = braid.epoch().before().0;
        let first = before == 0;
        // On the chain of the epoch before, with or without the epoch's own waiting; or a chain further back.
        let at = |chain: &EpochChain, ahead: &Option<EpochChainKey>| chain.epoch == before && ahead.is_none();
        let waits = |chain: &EpochChain, ahead: &Option<EpochChainKey>| chain.epoch == before && ahead.is_some();
        let behind = |chain: &EpochChain, ahead: &Option<EpochChainKey>| {
            chain.epoch.checked_add(1) == Some(before) && ahead.is_some()
        };
        let (sends, receives) = ((sending, ahead_sending), (receiving, ahead_receiving));
        let fits = match braid.stage() {
            Stage::KeysUnsampled if first => at(sends.0, sends.1) && at(receives.0, receives.1),
            Stage::KeysUnsampled => behind(sends.0, sends.1) && at(receives.0, receives.1),
            Stage::Offering => at(sends.0, sends.1) && at(receives.0, receives.1),
            Stage::NoHeaderReceived => {
                (at(sends.0, sends.1) || behind(sends.0, sends.1))
                    && (at(receives.0, receives.1) || behind(receives.0, receives.1))
            }
            Stage::HeaderReceived => (at(sends.0, sends.1) || behind(sends.0, sends.1)) && at(receives.0, receives.1),
            Stage::SecretKnown => waits(sends.0, sends.1) && waits(receives.0, receives.1),
        };
        let offers = matches!(braid.stage(), Stage::KeysUnsampled | Stage::Offering);
        old_fit && fits && offers == (*initiator == (braid.epoch().0 % 2 == 1))
    }
}

/// A run's rows belong to one ratchet.
fn share_no_run(one: &[&Runs], other: &[&Runs]) -> bool {
    let ids = |runs: &[&Runs]| -> BTreeSet<u64> { runs.iter().flat_map(|runs| &runs.0).map(|run| run.id.0).collect() };
    ids(one).is_disjoint(&ids(other))
}

fn write_chain<W: Write>(e: &mut Encoder<W>, chain: &Chain) -> EncodeResult<W> {
    let Chain { header_key, chain_key, number, ephemeral_key } = chain;
    e.u8(0)?.bytes(header_key.as_bytes())?;
    e.u8(1)?.bytes(chain_key.as_bytes())?;
    e.u8(2)?.u32(*number)?;
    e.u8(3)?.bytes(ephemeral_key.as_bytes())?.ok()
}

fn write_epochs<W: Write>(e: &mut Encoder<W>, epochs: &Epochs) -> EncodeResult<W> {
    let Epochs { root, initiator, sending, previous, receiving, receiving_runs, ahead_sending, ahead_receiving, old } =
        epochs;
    e.map(9)?.u8(0)?.bytes(root.as_bytes())?.u8(1)?.bool(*initiator)?;
    write_epoch_chain(e.u8(2)?, sending)?;
    e.u8(3)?.u32(*previous)?;
    write_epoch_chain(e.u8(4)?, receiving)?;
    write_runs(e.u8(5)?, receiving_runs)?;
    for (key, ahead) in [(6, ahead_sending), (7, ahead_receiving)] {
        e.u8(key)?;
        match ahead {
            Some(ahead) => e.bytes(ahead.as_bytes())?,
            None => e.null()?,
        };
    }
    e.u8(8)?.array(old.len() as u64)?;
    for OldEpoch { epoch, runs } in old {
        write_runs(e.map(2)?.u8(0)?.u32(*epoch)?.u8(1)?, runs)?;
    }
    e.ok()
}

fn write_epoch_chain<W: Write>(e: &mut Encoder<W>, chain: &EpochChain) -> EncodeResult<W> {
    let EpochChain { epoch, key, number } = chain;
    e.map(3)?.u8(0)?.u32(*epoch)?.u8(1)?.bytes(key.as_bytes())?.u8(2)?.u32(*number)?.ok()
}

fn read_epochs(d: &mut Decoder<'_>) -> Result<Epochs, decode::Error> {
    sized_map(d, 9)?;
    Ok(Epochs {
        root: EpochRoot::new(read_secret(at(d, 0)?)?),
        initiator: at(d, 1)?.bool()?,
        sending: read_epoch_chain(at(d, 2)?)?,
        previous: at(d, 3)?.u32()?,
        receiving: read_epoch_chain(at(d, 4)?)?,
        receiving_runs: read_runs(at(d, 5)?)?,
        ahead_sending: read_or_null(at(d, 6)?, read_secret)?.map(EpochChainKey::new),
        ahead_receiving: read_or_null(at(d, 7)?, read_secret)?.map(EpochChainKey::new),
        old: read_list(at(d, 8)?, |d| {
            sized_map(d, 2)?;
            Ok(OldEpoch { epoch: at(d, 0)?.u32()?, runs: read_runs(at(d, 1)?)? })
        })?,
    })
}

fn read_epoch_chain(d: &mut Decoder<'_>) -> Result<EpochChain, decode::Error> {
    sized_map(d, 3)?;
    Ok(EpochChain {
        epoch: at(d, 0)?.u32()?,
        key: EpochChainKey::new(read_secret(at(d, 1)?)?),
        number: at(d, 2)?.u32()?,
    })
}

fn write_runs<W: Write>(e: &mut Encoder<W>, runs: &Runs) -> EncodeResult<W> {
    e.array(runs.0.len() as u64)?;
    for Run { id, from, kept, at } in &runs.0 {
        e.array(4)?.u64(id.0)?.u32(*from)?.u32(*kept)?.u64(*at)?;
    }
    e.ok()
}

fn read_version(d: &mut Decoder<'_>) -> Result<u64, decode::Error> {
    let _fields = d.map()?;
    at(d, 0)?.u64()
}

fn read_chain(d: &mut Decoder<'_>, fields: u64) -> Result<Chain, decode::Error> {
    sized_map(d, fields)?;
    Ok(Chain {
        header_key: HeaderKey::new(read_secret(at(d, 0)?)?),
        chain_key: ChainKey::new(read_secret(at(d, 1)?)?),
        number: at(d, 2)?.u32()?,
        ephemeral_key: EphemeralKey::new(read_secret(at(d, 3)?)?),
    })
}

fn read_runs(d: &mut Decoder<'_>) -> Result<Runs, decode::Error> {
    let run = |d: &mut Decoder<'_>| match d.array()? {
        Some(4) => Ok(Run { id: ChainId(d.u64()?), from: d.u32()?, kept: d.u32()?, at: d.u64()? }),
        _ => Err(malformed()),
    };
    read_list(d, run).map(Runs)
}

fn read_list<T>(
    d: &mut Decoder<'_>,
    read: impl Fn(&mut Decoder<'_>) -> Result<T, decode::Error>,
) -> Result<Vec<T>, decode::Error> {
    let length = d.array()?.ok_or_else(malformed)?;
    (0..length).map(|_| read(d)).collect()
}

fn read_or_null<T>(
    d: &mut Decoder<'_>,
    read: impl FnOnce(&mut Decoder<'_>) -> Result<T, decode::Error>,
) -> Result<Option<T>, decode::Error> {
    match d.datatype()? {
        minicbor::data::Type::Null => d.null().map(|()| None),
        _ => read(d).map(Some),
    }
}

fn read_secret(d: &mut Decoder<'_>) -> Result<Secret32, decode::Error> {
    read_array(d).map(Secret32::copied)
}

fn read_key(d: &mut Decoder<'_>) -> Result<AgreementKey, decode::Error> {
    read_array(d).map(|bytes| AgreementKey::from(*bytes))
}

fn read_array<'b>(d: &mut Decoder<'b>) -> Result<&'b [u8; 32], decode::Error> {
    d.bytes()?.try_into().map_err(|_| malformed())
}

/// The decoder behind key `key`, which must come next.
fn at<'d, 'b>(d: &'d mut Decoder<'b>, key: u8) -> Result<&'d mut Decoder<'b>, decode::Error> {
    if d.u8()? == key { Ok(d) } else { Err(malformed()) }
}

fn sized_map(d: &mut Decoder<'_>, fields: u64) -> Result<(), decode::Error> {
    if d.map()? == Some(fields) { Ok(()) } else { Err(malformed()) }
}

fn malformed() -> decode::Error {
    decode::Error::message("not a state")
}
