//! This process, under the names that every Prometheus program uses. Read when asked for.

use std::fs;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

use crate::server::memory;

/// Linux tells processor time in hundredths of a second, whatever its own clock (`USER_HZ`, proc(5)).
const TICKS_A_SECOND: f64 = 100.0;

#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let cpu = ConstCounter::new(cpu_secs().unwrap_or_default());
        let help = "Processor time used";
        let seconds = Unit::Seconds;
        cpu.encode(encoder.encode_descriptor("process_cpu", help, Some(&seconds), cpu.metric_type())?)?;
        let resident = ConstGauge::new(i64::try_from(memory::resident_bytes().unwrap_or_default()).unwrap_or(i64::MAX));
        let help = "Memory in use";
        let bytes = Unit::Bytes;
        let kind = resident.metric_type();
        resident.encode(encoder.encode_descriptor("process_resident_memory", help, Some(&bytes), kind)?)?;
        let files = ConstGauge::new(open_files().unwrap_or_default());
        files.encode(encoder.encode_descriptor("process_open_fds", "Open files", None, files.metric_type())?)
    }
}

/// User and system time, fields 14 and 15 of `/proc/self/stat`; the name in field 2 may hold anything but its last `)`.
fn cpu_secs() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = |at| fields.split_whitespace().nth(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_A_SECOND)
}

fn open_files() -> Option<i64> {
    // One of them is the listing itself.
    i64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok().map(|count| count - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_time_and_files() {
        assert!(cpu_secs().unwrap() >= 0.0);
        assert!(open_files().unwrap() > 0);
    }
}
