//! Proves a backup, and makes a relay of it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{BackupError, FORMAT, MANIFEST, MANIFEST_BYTES_MAX, Manifest, PARTS, Part};
use crate::{
    config::DataDir,
    storage::sqlite::{count::Counts, snapshot},
};

/// Reads all of a backup, and looks whether a relay could run from it.
///
/// # Errors
/// [`BackupError`].
pub(crate) async fn verify(backup: &Path) -> Result<(Manifest, Counts), BackupError> {
    let work = TempDir::with_prefix("sotto-verify-").map_err(BackupError::system(std::env::temp_dir()))?;
    unpack_and_check(backup, work.path()).await
}

/// Makes a relay of a backup, in a folder that is new or empty.
///
/// # Errors
/// [`BackupError`]; then the folder is as it was.
pub(crate) async fn restore(backup: &Path, data: &Path) -> Result<(Manifest, Counts), BackupError> {
    let is_new = !data.exists();
    if !is_new {
        let mut entries = fs::read_dir(data).map_err(BackupError::system(data))?;
        if entries.next().is_some() {
            return Err(BackupError::NotEmpty(data.to_owned()));
        }
    }
    DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(BackupError::system(data))?;
    let restored = unpack_and_check(backup, data).await;
    if restored.is_err() {
        for part in PARTS {
            // Not all of them were written.
            let _ = fs::remove_file(data.join(part.name));
        }
        if is_new {
            let _ = fs::remove_dir(data);
        }
    }
    restored
}

async fn unpack_and_check(backup: &Path, into: &Path) -> Result<(Manifest, Counts), BackupError> {
    let manifest = unpack(backup, into)?;
    let dir = DataDir::new(into);
    dir.read_config()?.settings(&dir)?;
    if BASE64URL_NOPAD.encode(dir.read_identity()?.public().as_bytes()) != manifest.identity {
        return Err(BackupError::damaged("its key is not the one that its manifest names"));
    }
    snapshot::check(&dir.database()).await?;
    let counts = Counts::read(&dir.database(), false).await?;
    Ok((manifest, counts))
}

/// Writes the parts into a folder, each proven by its hash. Nothing but the known names is ever written.
fn unpack(backup: &Path, into: &Path) -> Result<Manifest, BackupError> {
    let file = File::open(backup).map_err(BackupError::system(backup))?;
    let mut archive = tar::Archive::new(file);
    let mut entries = archive.entries().map_err(|_| BackupError::NoBackup(backup.to_owned()))?;
    let Some(Ok(first)) = entries.next() else { return Err(BackupError::NoBackup(backup.to_owned())) };
    let manifest = manifest(first).ok_or_else(|| BackupError::NoBackup(backup.to_owned()))?;
    if manifest.format != FORMAT {
        return Err(BackupError::Format(manifest.format));
    }
    check_parts(&manifest)?;
    for part in &manifest.parts {
        let cut = || BackupError::damaged(format!("{} is missing or cut short", part.name));
        let entry = entries.next().ok_or_else(cut)?.map_err(|_| cut())?;
        take(entry, part, into)?;
    }
    if entries.next().is_some() {
        return Err(BackupError::damaged("something follows its last part"));
    }
    let synced = File::open(into).and_then(|folder| folder.sync_all());
    synced.map_err(BackupError::system(into))?;
    Ok(manifest)
}

fn manifest(entry: tar::Entry<'_, File>) -> Option<Manifest> {
    if &*entry.path_bytes() != MANIFEST.as_bytes() || entry.size() > MANIFEST_BYTES_MAX {
        return None;
    }
    serde_json::from_reader(entry).ok()
}

/// Every part is a known one and named once, and none is missing that a relay needs.
fn check_parts(manifest: &Manifest) -> Result<(), BackupError> {
    for (at, part) in manifest.parts.iter().enumerate() {
        let is_known = PARTS.iter().any(|kind| kind.name == part.name);
        if !is_known || manifest.parts[..at].iter().any(|before| before.name == part.name) {
            return Err(BackupError::damaged("its manifest names a part that is unknown, or one twice"));
        }
    }
    for kind in PARTS.iter().filter(|kind| kind.is_needed) {
        if !manifest.parts.iter().any(|part| part.name == kind.name) {
            return Err(BackupError::damaged(format!("{} is not in it", kind.name)));
        }
    }
    Ok(())
}

fn take(mut entry: tar::Entry<'_, File>, part: &Part, into: &Path) -> Result<(), BackupError> {
    let wrong = |what: &str| BackupError::damaged(format!("{} {what}", part.name));
    if &*entry.path_bytes() != part.name.as_bytes() || !entry.header().entry_type().is_file() {
        return Err(wrong("is not where its manifest says"));
    }
    let mode = PARTS.iter().find(|kind| kind.name == part.name).map_or(0o600, |kind| kind.mode);
    let path = into.join(&part.name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
    let file = file.as_mut().map_err(|error| BackupError::system(&path)(error.kind().into()))?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        let read = entry.read(&mut buffer).map_err(|_| wrong("is cut short"))?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
        file.write_all(&buffer[..read]).map_err(BackupError::system(&path))?;
    }
    file.sync_all().map_err(BackupError::system(&path))?;
    let is_whole = bytes == part.bytes && HEXLOWER.encode(&hash.finalize()) == part.sha256;
    if is_whole { Ok(()) } else { Err(wrong("is not what was backed up")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backup::{DATABASE, write},
        storage::sqlite::SqliteStorage,
    };

    /// A relay's folder and a backup of it.
    async fn backed_up(dir: &Path) -> std::path::PathBuf {
        let data = DataDir::new(&dir.join("relay"));
        let config = "listen = \"127.0.0.1:4433\"\ntls = \"off\"\n";
        data.create(config, &[1; 32]).unwrap();
        SqliteStorage::open(&data.database()).await.unwrap().close().await;
        let backup = dir.join("backup");
        write(&data, false, &backup).await.unwrap();
        backup
    }

    #[tokio::test]
    async fn a_backup_is_proven_by_each_of_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let backup = backed_up(dir.path()).await;
        verify(&backup).await.unwrap();
        let whole = fs::read(&backup).unwrap();
        // A byte of each block: in heads and contents alike, wherever it says anything.
        for at in (0..whole.len()).step_by(512).chain((100..whole.len()).step_by(512)) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x11;
            fs::write(&backup, &damaged).unwrap();
            let is_padding = whole[at] == 0 && verify(&backup).await.is_ok();
            assert!(is_padding || verify(&backup).await.is_err(), "byte {at}");
        }
        for length in [0, 1, 512, 1_024, 4_000, whole.len() / 2] {
            fs::write(&backup, &whole[..length]).unwrap();
            assert!(verify(&backup).await.is_err(), "{length} bytes of it");
        }
    }

    #[tokio::test]
    async fn a_failed_restore_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let backup = backed_up(dir.path()).await;
        let mut bytes = fs::read(&backup).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&backup, bytes).unwrap();
        let data = dir.path().join("new");
        assert!(restore(&backup, &data).await.is_err());
        assert!(!data.exists());
    }

    #[test]
    fn no_name_but_the_known_ones_is_written() {
        let part = |name: &str| Part { name: name.to_owned(), bytes: 0, sha256: String::new() };
        let manifest = |names: &[&str]| Manifest {
            format: FORMAT,
            program: String::new(),
            made_at: 0,
            identity: String::new(),
            parts: names.iter().map(|name| part(name)).collect(),
        };
        let all = ["identity.key", "relay.toml", DATABASE];
        assert!(check_parts(&manifest(&all)).is_ok());
        for wrong in [&all[1..], &["../x", all[0], all[1], all[2]], &[all[0], all[0], all[1], all[2]]] {
            assert!(check_parts(&manifest(wrong)).is_err(), "{wrong:?}");
        }
    }
}
