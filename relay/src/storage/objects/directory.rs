//! Objects in a folder. A part is written beside, synced, and renamed to its name; then the folder of the name is synced. What
//! a crash leaves half written is swept at the next start.
//!
//! ```text
//! blobs/new/<number>          being written
//! blobs/<2 digits>/<name>     whole and durable
//! ```

use std::{
    fs::{self, DirBuilder, File},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    ops::Range,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, spawn_blocking},
};

use super::{ObjectError, ObjectName};

/// Bytes read at once.
const READ_BYTES: u64 = 128 * 1024;
/// Chunks from the network that wait for the disk.
const CHUNKS_MAX: usize = 4;

/// Objects in a folder.
#[derive(Clone, Debug)]
pub struct Directory {
    root: Arc<Path>,
    next: Arc<AtomicU64>,
}

/// An object that is being written by a thread of its own.
pub struct Writer {
    chunks: mpsc::Sender<Bytes>,
    /// Says that what came is all; dropped before, nothing gets a name.
    whole: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), ObjectError>>,
}

/// A file that goes when it is dropped, unless it got its name.
struct Unfinished(PathBuf);

impl Directory {
    /// Opens the folder, or makes it, for its owner alone. What was left half written is removed.
    ///
    /// # Errors
    /// The system's.
    pub fn open(root: &Path) -> io::Result<Self> {
        let make = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
        make(&root.join("new"))?;
        for shard in 0..=u8::MAX {
            make(&root.join(format!("{shard:02x}")))?;
        }
        File::open(root)?.sync_all()?;
        for left in fs::read_dir(root.join("new"))? {
            fs::remove_file(left?.path())?;
        }
        Ok(Self { root: root.into(), next: Arc::default() })
    }

    /// The folder, for whoever watches its disk.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, name: ObjectName) -> PathBuf {
        self.shard(name.key.0[0]).join(name.text())
    }

    fn shard(&self, shard: u8) -> PathBuf {
        self.root.join(format!("{shard:02x}"))
    }

    pub(super) fn begin(&self, name: ObjectName, bytes: u64) -> Writer {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (unfinished, path) = (Unfinished(self.root.join("new").join(number.to_string())), self.path(name));
        let (chunks, coming) = mpsc::channel(CHUNKS_MAX);
        let (whole, is_whole) = oneshot::channel();
        let thread = spawn_blocking(move || write(unfinished, &path, bytes, coming, is_whole));
        Writer { chunks, whole, thread }
    }

    pub(super) fn read(&self, name: ObjectName, range: Range<u64>, chunks: mpsc::Sender<Result<Bytes, ObjectError>>) {
        let path = self.path(name);
        spawn_blocking(move || {
            if let Err(error) = read(&path, range, &chunks) {
                // Nobody may be reading any more.
                let _ = chunks.blocking_send(Err(error_of(&error)));
            }
        });
    }

    pub(super) async fn remove(&self, name: ObjectName) -> Result<(), ObjectError> {
        let path = self.path(name);
        let removed = spawn_blocking(move || fs::remove_file(path)).await;
        match removed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => Ok(()),
            Ok(Err(error)) => Err(error_of(&error)),
            Err(_) => Err(ObjectError::Unavailable("thread")),
        }
    }

    /// All names of the first folder behind that of this name which has any.
    pub(super) async fn list(&self, after: Option<ObjectName>) -> Result<Vec<ObjectName>, ObjectError> {
        let Some(first) = after.map_or(Some(0), |name| name.key.0[0].checked_add(1)) else { return Ok(vec![]) };
        let directory = self.clone();
        let listed = spawn_blocking(move || {
            for shard in first..=u8::MAX {
                let names = names(&directory.shard(shard))?;
                if !names.is_empty() {
                    return Ok(names);
                }
            }
            Ok(vec![])
        });
        match listed.await {
            Ok(listed) => listed.map_err(|error: io::Error| error_of(&error)),
            Err(_) => Err(ObjectError::Unavailable("thread")),
        }
    }
}

impl Writer {
    pub(super) async fn write(&mut self, chunk: Bytes) -> Result<(), ObjectError> {
        if self.chunks.send(chunk).await.is_ok() {
            return Ok(());
        }
        // The thread ends before all has come only with an error.
        match (&mut self.thread).await {
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) | Err(_) => Err(ObjectError::Unavailable("thread")),
        }
    }

    pub(super) async fn finish(self) -> Result<(), ObjectError> {
        let Self { chunks, whole, thread } = self;
        // A thread that has ended says itself why.
        let _ = whole.send(());
        drop(chunks);
        thread.await.unwrap_or(Err(ObjectError::Unavailable("thread")))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It is not there any more where it got its name.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes what comes; only all of it gets the name.
fn write(
    unfinished: Unfinished,
    path: &Path,
    bytes: u64,
    mut chunks: mpsc::Receiver<Bytes>,
    whole: oneshot::Receiver<()>,
) -> Result<(), ObjectError> {
    let failed = |error: io::Error| error_of(&error);
    let mut file = File::create_new(&unfinished.0).map_err(failed)?;
    let mut left = bytes;
    while let Some(chunk) = chunks.blocking_recv() {
        left = left.checked_sub(chunk.len() as u64).ok_or(ObjectError::Length)?;
        file.write_all(&chunk).map_err(failed)?;
    }
    if left > 0 || whole.blocking_recv().is_err() {
        return Err(ObjectError::Length);
    }
    file.sync_data().map_err(failed)?;
    fs::rename(&unfinished.0, path).map_err(failed)?;
    let folder = path.parent().ok_or(ObjectError::Missing)?;
    // The name is durable when its folder is.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn read(path: &Path, range: Range<u64>, chunks: &mpsc::Sender<Result<Bytes, ObjectError>>) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(range.start))?;
    let mut left = range.end.saturating_sub(range.start);
    while left > 0 {
        let size = left.min(READ_BYTES);
        let mut chunk = vec![0; usize::try_from(size).unwrap_or(0)];
        file.read_exact(&mut chunk)?;
        left -= size;
        if chunks.blocking_send(Ok(chunk.into())).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn names(folder: &Path) -> io::Result<Vec<ObjectName>> {
    let mut names = vec![];
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().to_str().and_then(ObjectName::parse));
    }
    names.sort_unstable();
    Ok(names)
}

fn error_of(error: &io::Error) -> ObjectError {
    match error.kind() {
        ErrorKind::NotFound => ObjectError::Missing,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ObjectError::Full,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ObjectError::Unavailable("not writable"),
        ErrorKind::UnexpectedEof => ObjectError::Unavailable("cut short"),
        _ => ObjectError::Unavailable("I/O error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{blob::ObjectKey, objects::Objects};

    fn name(key: u8, part: u32) -> ObjectName {
        ObjectName { key: ObjectKey([key; 16]), part }
    }

    async fn put(objects: &Objects, name: ObjectName, bytes: &[u8]) -> Result<(), ObjectError> {
        let mut writer = objects.begin(name, bytes.len() as u64)?;
        for chunk in bytes.chunks(1_000) {
            writer.write(Bytes::copy_from_slice(chunk)).await?;
        }
        writer.finish().await
    }

    async fn get(objects: &Objects, name: ObjectName, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        let (mut chunks, mut got) = (objects.read(name, range), vec![]);
        while let Some(chunk) = chunks.recv().await {
            got.extend_from_slice(&chunk?);
        }
        Ok(got)
    }

    fn unfinished(root: &Path) -> usize {
        fs::read_dir(root.join("new")).unwrap().count()
    }

    #[tokio::test]
    async fn what_was_put_is_read_in_any_range_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::Directory(Directory::open(dir.path()).unwrap());
        let bytes: Vec<u8> = (0..300_000_u32).map(|number| number.to_be_bytes()[3]).collect();
        put(&objects, name(1, 0), &bytes).await.unwrap();
        for range in [0..300_000, 0..1, 299_999..300_000, 131_071..131_074, 5..5] {
            let expected = &bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
            assert!(get(&objects, name(1, 0), range).await.unwrap() == expected);
        }
        assert_eq!(get(&objects, name(1, 1), 0..1).await, Err(ObjectError::Missing));
        objects.remove(name(1, 0)).await.unwrap();
        objects.remove(name(1, 0)).await.unwrap();
        assert_eq!(get(&objects, name(1, 0), 0..1).await, Err(ObjectError::Missing));
    }

    #[tokio::test]
    async fn what_breaks_off_or_is_too_long_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::Directory(Directory::open(dir.path()).unwrap());
        let mut short = objects.begin(name(1, 0), 10).unwrap();
        short.write(Bytes::from_static(b"short")).await.unwrap();
        assert_eq!(short.finish().await, Err(ObjectError::Length));
        let mut long = objects.begin(name(1, 0), 3).unwrap();
        long.write(Bytes::from_static(b"long")).await.unwrap();
        assert_eq!(long.finish().await, Err(ObjectError::Length));
        assert_eq!((unfinished(dir.path()), objects.list(None).await.unwrap().len()), (0, 0));
    }

    #[tokio::test]
    async fn all_bytes_get_no_name_until_it_is_said_that_they_are_all() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::Directory(Directory::open(dir.path()).unwrap());
        put(&objects, name(1, 0), b"first").await.unwrap();
        let mut other = objects.begin(name(1, 0), 5).unwrap();
        other.write(Bytes::from_static(b"other")).await.unwrap();
        let crate::storage::objects::Writer::Directory(Writer { chunks, whole, thread }) = other else { panic!() };
        drop((chunks, whole));
        assert_eq!(thread.await.unwrap(), Err(ObjectError::Length));
        assert_eq!(get(&objects, name(1, 0), 0..5).await.unwrap(), b"first");
    }

    #[tokio::test]
    async fn a_start_sweeps_what_a_crash_left() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::Directory(Directory::open(dir.path()).unwrap());
        put(&objects, name(1, 0), b"whole").await.unwrap();
        fs::write(dir.path().join("new/17"), b"half").unwrap();
        let objects = Objects::Directory(Directory::open(dir.path()).unwrap());
        assert_eq!(unfinished(dir.path()), 0);
        assert_eq!(get(&objects, name(1, 0), 0..5).await.unwrap(), b"whole");
    }

    #[tokio::test]
    async fn a_list_goes_through_all_objects_and_past_what_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::Directory(Directory::open(dir.path()).unwrap());
        let all = [name(0, 0), name(0, 1), name(7, 0), name(255, 3)];
        for name in all {
            put(&objects, name, b"x").await.unwrap();
        }
        fs::write(dir.path().join("07/readme"), b"a host's note").unwrap();
        let (mut listed, mut after) = (vec![], None);
        loop {
            let page = objects.list(after).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(*last);
            listed.extend(page);
        }
        assert!(listed == all);
    }
}
