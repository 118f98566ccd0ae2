//! Where the bytes of blobs lie: one object a part, in a folder or at an S3-compatible store.
//!
//! An object appears whole and durable or not at all; what is written of it before is nowhere under its name. Its name is
//! [`ObjectKey`], which the relay draws, and the number of the part: who keeps the objects learns which belong together, and
//! of what size they are.

mod directory;
mod s3;

use std::ops::Range;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use tokio::sync::mpsc;

pub use self::{
    directory::Directory,
    s3::{S3, S3Settings},
};
use super::blob::ObjectKey;

/// Names of one page of a list, at most, where the store can count.
const PAGE_MAX: usize = 1_000;
/// Chunks of an object that wait for whoever reads it.
const CHUNKS_MAX: usize = 2;

/// Names one part of one blob.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// Of which blob.
    pub key: ObjectKey,
    /// Which part.
    pub part: u32,
}

/// Why an object was not written or read. Nothing of it can be seen after a write that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// There is none.
    #[error("missing")]
    Missing,
    /// More or fewer bytes came than were said.
    #[error("another length than was said")]
    Length,
    /// There is no room for it.
    #[error("no room")]
    Full,
    /// The folder or the store fails; it may work later.
    #[error("{0}")]
    Unavailable(&'static str),
}

/// The bytes of an object, piece by piece, of no more than some hundred KiB each.
pub type Chunks = mpsc::Receiver<Result<Bytes, ObjectError>>;

/// A place for objects.
#[derive(Clone, Debug)]
pub enum Objects {
    /// A folder on a disk of this machine.
    Directory(Directory),
    /// An S3-compatible store.
    S3(S3),
}

/// An object that is being written. Dropped before [`Self::finish`] it leaves nothing.
pub enum Writer {
    /// To a folder.
    Directory(directory::Writer),
    /// To a store.
    S3(s3::Writer),
}

impl Objects {
    /// Begins to write an object of this size.
    ///
    /// # Errors
    /// [`ObjectError::Unavailable`] where there is no memory for it now.
    pub fn begin(&self, name: ObjectName, bytes: u64) -> Result<Writer, ObjectError> {
        match self {
            Self::Directory(directory) => Ok(Writer::Directory(directory.begin(name, bytes))),
            Self::S3(s3) => s3.begin(name, bytes).map(Writer::S3),
        }
    }

    /// Reads some bytes of an object. What fails is the last that comes.
    pub fn read(&self, name: ObjectName, range: Range<u64>) -> Chunks {
        let (chunks, reader) = mpsc::channel(CHUNKS_MAX);
        match self {
            Self::Directory(directory) => directory.read(name, range, chunks),
            Self::S3(s3) => s3.read(name, range, chunks),
        }
        reader
    }

    /// Removes an object, if there is one.
    ///
    /// # Errors
    /// [`ObjectError::Unavailable`].
    pub async fn remove(&self, name: ObjectName) -> Result<(), ObjectError> {
        match self {
            Self::Directory(directory) => directory.remove(name).await,
            Self::S3(s3) => s3.remove(name).await,
        }
    }

    /// Some of the names behind this one, at least one unless there is none left. What is not named like an object is passed over.
    ///
    /// # Errors
    /// [`ObjectError::Unavailable`].
    pub async fn list(&self, after: Option<ObjectName>) -> Result<Vec<ObjectName>, ObjectError> {
        match self {
            Self::Directory(directory) => directory.list(after).await,
            Self::S3(s3) => s3.list(after).await,
        }
    }
}

impl Writer {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`ObjectError`]; the object is given up.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), ObjectError> {
        match self {
            Self::Directory(writer) => writer.write(chunk).await,
            Self::S3(writer) => writer.write(&chunk),
        }
    }

    /// Makes it durable under its name.
    ///
    /// # Errors
    /// [`ObjectError`]; there is no such object then, or it is whole.
    pub async fn finish(self) -> Result<(), ObjectError> {
        match self {
            Self::Directory(writer) => writer.finish().await,
            Self::S3(writer) => writer.finish().await,
        }
    }
}

impl ObjectName {
    /// 32 hexadecimal digits, `-`, and the part as four decimal ones.
    pub(crate) fn text(&self) -> String {
        format!("{}-{:04}", HEXLOWER.encode(&self.key.0), self.part)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (key, part) = text.split_once('-')?;
        let key = HEXLOWER.decode(key.as_bytes()).ok()?;
        let name = Self { key: ObjectKey(key.try_into().ok()?), part: part.parse().ok()? };
        (name.text() == text).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_and_no_other_file_is_an_object() {
        let name = ObjectName { key: ObjectKey([0xab; 16]), part: 7 };
        assert_eq!(name.text(), "abababababababababababababababab-0007");
        assert!(ObjectName::parse(&name.text()) == Some(name));
        for other in ["", "abab-0007", "relay.db", &name.text().to_uppercase(), &format!("{}0", name.text())] {
            let parsed = ObjectName::parse(other);
            assert!(parsed.is_none() || other.ends_with("00070"), "{other}");
        }
    }
}
