//! How much of the disk is free: looked at beside the hub, which a slow file system must not hold up.

use std::{path::PathBuf, thread, time::Duration};

use nix::sys::statvfs::statvfs;
use tokio::sync::watch;

use super::hub::TICK_SECS;

/// A disk that is looked at again and again.
pub(super) struct Disk {
    free_bytes: watch::Receiver<Option<u64>>,
    /// Free bytes below which nothing new is stored.
    pub(super) free_bytes_min: u64,
}

impl Disk {
    /// Looks at the disk of a folder now, and from a thread of its own for as long as this lives.
    pub(super) fn watch(path: PathBuf, free_bytes_min: u64) -> Self {
        let (sender, free_bytes) = watch::channel(free(&path));
        thread::spawn(move || {
            while !sender.is_closed() {
                thread::sleep(Duration::from_secs(TICK_SECS));
                sender.send_replace(free(&path));
            }
        });
        Self { free_bytes, free_bytes_min }
    }

    /// Free bytes, when it was looked at last; none where the system does not tell.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        *self.free_bytes.borrow()
    }
}

fn free(path: &PathBuf) -> Option<u64> {
    statvfs(path).ok().map(|free| free.blocks_available() * free.fragment_size())
}
