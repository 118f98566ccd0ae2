//! What another process has used: CPU and memory, as Linux counts them under `/proc`.

use std::fs;

/// Of which `/proc/PID/stat` counts CPU time: a hundredth of a second on every Linux (`USER_HZ`).
const TICKS_PER_SEC: f64 = 100.0;

/// CPU seconds, user and system, of a process that runs.
pub(crate) fn cpu_secs(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    // The second field is a name in parentheses and may hold spaces; user and system time are the 14th and 15th.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().expect("a number"));
    ticks.sum::<f64>() / TICKS_PER_SEC
}

/// Resident memory in KiB.
pub(crate) fn resident_kib(pid: u32) -> f64 {
    status(pid, "VmRSS:")
}

/// The most memory that was ever resident, in KiB.
pub(crate) fn peak_kib(pid: u32) -> f64 {
    status(pid, "VmHWM:")
}

/// From now on [`peak_kib`] counts anew.
pub(crate) fn forget_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a running process");
}

fn status(pid: u32, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
