//! How much memory this process uses, and how much it may use. Linux alone tells both.

use std::{fs, path::Path};

/// What is left to the system and to other programs, of what there is.
const USABLE_PERCENT: u64 = 80;
/// Where nothing can be read.
const FALLBACK_BYTES: u64 = 512 * 1024 * 1024;

/// Memory in use: `VmRSS` of `/proc/self/status`.
pub(super) fn resident_bytes() -> Option<u64> {
    kib_line(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// Four fifths of the control group's limit or of the machine's memory, whichever is less.
pub(super) fn usable_bytes() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kib_line(&text, "MemTotal:"));
    let least = [machine, group_limit()].into_iter().flatten().min().unwrap_or(FALLBACK_BYTES);
    least / 100 * USABLE_PERCENT
}

/// Thousandths of `max` that are used.
pub(super) fn used_thousandths(used: u64, max: u64) -> u32 {
    u32::try_from(used.saturating_mul(1_000) / max.max(1)).unwrap_or(u32::MAX)
}

/// `memory.max` of this process's control group, version 2, or of the nearest one above that has a limit.
fn group_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = Path::new("/sys/fs/cgroup");
    let group = root.join(group);
    let limits = group.ancestors().take_while(|path| path.starts_with(root));
    limits.filter_map(|path| fs::read_to_string(path.join("memory.max")).ok()?.trim().parse().ok()).min()
}

/// The number in a line such as `VmRSS:    1234 kB`, in bytes.
fn kib_line(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_less_than_there_is() {
        let (used, usable) = (resident_bytes().unwrap(), usable_bytes());
        assert!(used > 0 && usable > 0);
        assert_eq!(kib_line("A: 1 kB\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12_288));
        assert_eq!([0, 50, 100, 250].map(|used| used_thousandths(used, 100)), [0, 500, 1_000, 2_500]);
        assert_eq!(used_thousandths(1, 0), 1_000);
    }
}
