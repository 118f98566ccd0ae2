//! Numbers as a person reads them.

/// In the largest unit that leaves at least 1.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.iter().find(|(shift, _)| bytes >> shift > 0) {
        Some((shift, unit)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

/// In its two largest units.
pub(super) fn duration(secs: u64) -> String {
    let (days, hours, minutes) = (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => counted(secs, "second"),
        (0, 0, _) => format!("{} {}", counted(minutes, "minute"), counted(secs % 60, "second")),
        (0, _, _) => format!("{} {}", counted(hours, "hour"), counted(minutes, "minute")),
        _ => format!("{} {}", counted(days, "day"), counted(hours, "hour")),
    }
}

/// With its plural.
pub(super) fn counted(count: u64, thing: &str) -> String {
    match (count, thing.strip_suffix("x")) {
        (1, _) => format!("1 {thing}"),
        (_, Some(_)) => format!("{count} {thing}es"),
        (_, None) => format!("{count} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units_and_plurals() {
        assert_eq!(bytes(1_023), "1023 bytes");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "16777215.9 TiB");
        assert_eq!(duration(1), "1 second");
        assert_eq!(duration(61), "1 minute 1 second");
        assert_eq!(duration(3 * 86_400 + 2 * 3_600), "3 days 2 hours");
        assert_eq!(counted(2, "mailbox"), "2 mailboxes");
    }
}
