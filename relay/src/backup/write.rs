//! Takes a backup, beside a running relay or a stopped one.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};

use super::{BackupError, DATABASE, FORMAT, MANIFEST, Manifest, PARTS, Part};
use crate::{config::DataDir, storage::sqlite::snapshot::snapshot};

/// Writes a backup to `to`, which must not be there yet. `running` says whether a relay runs meanwhile.
///
/// # Errors
/// [`BackupError`]; then nothing is left of it.
pub(crate) async fn write(dir: &DataDir, running: bool, to: &Path) -> Result<Manifest, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let identity = BASE64URL_NOPAD.encode(dir.read_identity()?.public().as_bytes());
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // For its owner alone, and gone when this is done.
    let work = TempDir::with_prefix_in(".sotto-backup-", folder).map_err(BackupError::system(folder))?;
    snapshot(&dir.database(), running, &work.path().join(DATABASE)).await?;
    let parts = gather(dir, work.path())?;
    let manifest = Manifest {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        identity,
        parts: parts.iter().map(|(part, _)| part.clone()).collect(),
    };
    let archive = NamedTempFile::new_in(work.path()).map_err(BackupError::system(work.path()))?;
    pack(archive.as_file(), &manifest, &parts).map_err(BackupError::system(to))?;
    archive.persist_noclobber(to).map_err(|error| BackupError::system(to)(error.error))?;
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(BackupError::system(folder))?;
    Ok(manifest)
}

/// All parts with where they lie.
fn gather(dir: &DataDir, work: &Path) -> Result<Vec<(Part, PathBuf)>, BackupError> {
    let mut parts = vec![];
    for kind in PARTS {
        let path = if kind.name == DATABASE { work } else { dir.path() }.join(kind.name);
        match measure(kind.name, &path) {
            Ok(part) => parts.push((part, path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !kind.is_needed => {}
            Err(error) => return Err(BackupError::system(path)(error)),
        }
    }
    Ok(parts)
}

fn measure(name: &str, path: &Path) -> io::Result<Part> {
    let (mut file, mut hash, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Part { name: name.to_owned(), bytes, sha256: HEXLOWER.encode(&hash.finalize()) });
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
}

fn pack(archive: &File, manifest: &Manifest, parts: &[(Part, PathBuf)]) -> io::Result<()> {
    let mut tar = tar::Builder::new(archive);
    let text = serde_json::to_vec_pretty(manifest)?;
    tar.append_data(&mut header(text.len() as u64, manifest.made_at), MANIFEST, &text[..])?;
    for (part, path) in parts {
        // As long as it was when it was hashed, should it have grown since.
        let file = fs::File::open(path)?.take(part.bytes);
        tar.append_data(&mut header(part.bytes, manifest.made_at), &part.name, file)?;
    }
    tar.into_inner()?.sync_all()
}

fn header(bytes: u64, made_at: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(made_at);
    header
}
