//! The disk: room, how long it takes to make something durable, and whether it is one at all.

use std::{
    fs::File,
    io::{self, Write},
    time::{Duration, Instant},
};

use nix::sys::{
    statfs::{FUSE_SUPER_MAGIC, NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, TMPFS_MAGIC, statfs},
    statvfs::statvfs,
};

use super::{Finding, Patient};
use crate::cli::words;

/// Commits timed.
const SYNCS: usize = 15;
/// A median above this makes every send wait.
const SLOW: Duration = Duration::from_millis(20);
/// Room that a relay of friends uses within weeks.
const ROOM_BYTES_MIN: u64 = 1024 * 1024 * 1024;

pub(super) fn examine(patient: &Patient) -> Vec<Finding> {
    vec![room(patient), kind(patient), latency(patient)]
}

fn room(patient: &Patient) -> Finding {
    let Ok(disk) = statvfs(patient.dir.path()) else {
        return Finding::fault("disk", "it cannot be asked how much is free", "look at the system's log");
    };
    let free = disk.blocks_available() * disk.fragment_size();
    let settings = patient.config.as_ref().and_then(|config| config.settings(&patient.dir).ok());
    let least = settings.and_then(|settings| settings.disk).map_or(0, |(_, least)| least);
    let says = format!("{} are free", words::bytes(free));
    let remedy = "make room, or move the folder to a larger disk";
    if free < least {
        return Finding::fault(
            "disk",
            format!("{says}, less than storage.free_mib_min: nothing new is stored"),
            remedy,
        );
    }
    if free < ROOM_BYTES_MIN {
        return Finding::warning(
            "disk",
            format!("{says}; below {} nothing new is stored", words::bytes(least)),
            remedy,
        );
    }
    Finding::ok("disk", says)
}

fn kind(patient: &Patient) -> Finding {
    let Ok(disk) = statfs(patient.dir.path()) else { return Finding::ok("file system", "its kind is not known") };
    let kind = disk.filesystem_type();
    let remedy = "put the folder on a disk of this machine";
    match kind {
        NFS_SUPER_MAGIC | SMB_SUPER_MAGIC => {
            Finding::fault("file system", "it is a network's: SQLite's locks and syncs cannot be trusted there", remedy)
        }
        FUSE_SUPER_MAGIC => {
            Finding::warning("file system", "it is FUSE: whether a sync is one depends on what is behind", remedy)
        }
        TMPFS_MAGIC => {
            Finding::warning("file system", "it is memory: a restart of the machine loses everything", remedy)
        }
        _ => Finding::ok("file system", "it is a local one"),
    }
}

fn latency(patient: &Patient) -> Finding {
    match sync_median(patient) {
        Ok(median) if median > SLOW => Finding::warning(
            "durable writes",
            format!("one takes {median:.1?}; a send is answered after one, so people wait"),
            "use a faster disk, best an SSD that keeps its cache through a power cut",
        ),
        Ok(median) => Finding::ok("durable writes", format!("one takes {median:.1?}")),
        Err(error) => Finding::fault(
            "durable writes",
            format!("a file cannot be written ({error})"),
            "look at the disk and the folder's owner",
        ),
    }
}

/// How long a small write takes to become durable, in the folder itself.
fn sync_median(patient: &Patient) -> io::Result<Duration> {
    let mut file = tempfile::tempfile_in(patient.dir.path())?;
    let mut took: Vec<_> = (0..SYNCS).map(|_| sync(&mut file)).collect::<Result<_, _>>()?;
    took.sort_unstable();
    Ok(took[SYNCS / 2])
}

fn sync(file: &mut File) -> io::Result<Duration> {
    let started = Instant::now();
    file.write_all(&[0x5a; 4_096])?;
    file.sync_data()?;
    Ok(started.elapsed())
}
