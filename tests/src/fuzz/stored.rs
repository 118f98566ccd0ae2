//! A session's stored form, read by its description in `crypto/src/ratchet/state.rs`: what an owner, or whoever has stolen the
//! profile, can see of it.

use minicbor::{Decoder, data::Type, decode::Error};
use sotto_crypto::Session;

/// A key.
pub type Key = [u8; 32];

/// The part of a stored session that the targets look at.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What each body is bound to.
    pub associated: Vec<u8>,
    /// Seals our packets of the Double Ratchet.
    pub sending: Option<Sending>,
    /// Skipped keys that the Double Ratchet knows of, and chains that have ended with some missing.
    pub ratchet: Kept,
    /// The root of the epoch chains.
    pub root: Key,
    /// The epoch chain that seals our packets.
    pub epoch: EpochChain,
    /// The sending chain of the epoch after it, if that is known.
    pub ahead: Option<Key>,
    /// Skipped keys of the epoch chains, and epochs that have ended with some missing.
    pub epochs: Kept,
    /// None once the other side has broken it.
    pub braid: Option<Braid>,
    /// Where in the stored form the Braid begins; it is its end.
    pub braid_at: usize,
}

/// Where a Braid is.
#[derive(Clone, Copy, Debug)]
pub struct Braid {
    /// Its state, by number.
    pub state: u8,
    /// Its epoch.
    pub epoch: u32,
    /// Vouches for what this side offers.
    pub mac_key: Key,
}

/// The sending chain of the Double Ratchet.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// Seals the headers.
    pub header_key: Key,
    /// At the next packet.
    pub chain_key: Key,
    /// Number of the next packet.
    pub number: u32,
    /// Seals ephemeral packets.
    pub ephemeral_key: Key,
}

/// A chain of an epoch.
#[derive(Clone, Copy, Debug)]
pub struct EpochChain {
    /// Its epoch.
    pub epoch: u32,
    /// At the next packet.
    pub key: Key,
    /// Number of the next packet.
    pub number: u32,
}

/// What is kept for packets that have not come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Keys.
    pub keys: u64,
    /// Chains that have ended.
    pub ended: u64,
}

impl Stored {
    /// Reads a session as it would be stored.
    pub fn of(session: &Session) -> Self {
        Self::read(&session.encode())
    }

    /// Reads a stored session.
    ///
    /// # Panics
    /// If it is not encoded as described.
    pub fn read(bytes: &[u8]) -> Self {
        Self::try_read(bytes).expect("a session is stored as its description says")
    }

    /// The newest epoch whose chains are known.
    pub fn newest(&self) -> u32 {
        self.epoch.epoch + u32::from(self.ahead.is_some())
    }

    fn try_read(bytes: &[u8]) -> Result<Self, Error> {
        let d = &mut Decoder::new(bytes);
        d.map()?;
        skip(d, 2)?;
        let associated = at(d)?.bytes()?.to_vec();
        skip(d, 4)?;
        let sending = or_null(at(d)?, |d| {
            d.map()?;
            let (header_key, chain_key) = (key(at(d)?)?, key(at(d)?)?);
            Ok(Sending { header_key, chain_key, number: at(d)?.u32()?, ephemeral_key: key(at(d)?)? })
        })?;
        skip(d, 1)?;
        let running = or_null(at(d)?, |d| {
            d.map()?;
            skip(d, 4)?;
            runs(at(d)?)
        })?;
        skip(d, 2)?;
        let old = ended(at(d)?)?;
        let ratchet = Kept { keys: old.keys + running.unwrap_or(0), ..old };
        skip(d, 5)?;
        at(d)?.map()?;
        let root = key(at(d)?)?;
        skip(d, 1)?;
        let epoch = epoch_chain(at(d)?)?;
        skip(d, 2)?;
        let running = runs(at(d)?)?;
        let ahead = or_null(at(d)?, key)?;
        skip(d, 1)?;
        let old = ended(at(d)?)?;
        let epochs = Kept { keys: old.keys + running, ..old };
        let braid_at = at(d)?.position();
        let braid = or_null(d, |d| {
            d.array()?;
            let (state, epoch) = (d.u8()?, d.u32()?);
            d.skip()?;
            Ok(Braid { state, epoch, mac_key: key(d)? })
        })?;
        Ok(Self { associated, sending, ratchet, root, epoch, ahead, epochs, braid, braid_at })
    }
}

/// Passes over a key of a map, and stands at its value.
fn at<'d, 'b>(d: &'d mut Decoder<'b>) -> Result<&'d mut Decoder<'b>, Error> {
    d.u8()?;
    Ok(d)
}

/// Passes over entries of a map.
fn skip(d: &mut Decoder<'_>, entries: u32) -> Result<(), Error> {
    (0..2 * entries).try_for_each(|_| d.skip())
}

fn key(d: &mut Decoder<'_>) -> Result<Key, Error> {
    d.bytes()?.try_into().map_err(|_| Error::message("no key"))
}

fn epoch_chain(d: &mut Decoder<'_>) -> Result<EpochChain, Error> {
    d.map()?;
    Ok(EpochChain { epoch: at(d)?.u32()?, key: key(at(d)?)?, number: at(d)?.u32()? })
}

/// How many keys some runs keep.
fn runs(d: &mut Decoder<'_>) -> Result<u64, Error> {
    let count = d.array()?.unwrap_or(0);
    let mut keys = 0;
    for _ in 0..count {
        d.array()?;
        d.skip()?;
        d.skip()?;
        keys += d.u64()?;
        d.skip()?;
    }
    Ok(keys)
}

/// What chains that have ended keep; each is a map of what names it and its runs.
fn ended(d: &mut Decoder<'_>) -> Result<Kept, Error> {
    let ended = d.array()?.unwrap_or(0);
    let mut keys = 0;
    for _ in 0..ended {
        d.map()?;
        skip(d, 1)?;
        keys += runs(at(d)?)?;
    }
    Ok(Kept { keys, ended })
}

fn or_null<'b, T>(
    d: &mut Decoder<'b>,
    read: impl FnOnce(&mut Decoder<'b>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    if d.datatype()? == Type::Null { d.null().map(|()| None) } else { read(d).map(Some) }
}
