//! `/.well-known/security.txt` (RFC 9116): where to tell the host of a weakness, made for the day on which it is asked for.

use crate::time::{Day, Timestamp};

/// For how many days it may be believed (RFC 9116 §2.5.5 recommends less than a year).
const VALID_DAYS: u32 = 180;

/// The file, given what [`contact_uri`] made of the contact.
pub(super) fn text(contact: &str, now: Timestamp) -> String {
    let (year, month, day) = date(Day::from_days(now.day().as_days().saturating_add(VALID_DAYS)));
    format!("Contact: {contact}\nExpires: {year:04}-{month:02}-{day:02}T00:00:00Z\nPreferred-Languages: en\n")
}

/// A contact as an address that can be opened. None where it is no such.
pub(crate) fn contact_uri(contact: &str) -> Option<String> {
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_graphic());
    if ["https://", "mailto:"].iter().any(|scheme| contact.strip_prefix(scheme).is_some_and(is_plain)) {
        return Some(contact.to_owned());
    }
    let (name, host) = contact.split_once('@')?;
    let is_mail = is_plain(name) && is_plain(host) && !contact.contains([':', '/', '?', '%', '<', '>', '"']);
    (is_mail && !host.contains('@')).then(|| format!("mailto:{contact}"))
}

/// Year, month and day of the Gregorian calendar, counting from 1 March, so that a leap day is the last of its year.
pub(in crate::server) fn date(day: Day) -> (u32, u32, u32) {
    // 1970-01-01 is day 719,468 since 0000-03-01; 400 years have 146,097 days.
    let days = day.as_days().saturating_add(719_468);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March on have 153 days in five.
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u32::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_what_can_be_opened() {
        assert_eq!(contact_uri("ops@relay.example").as_deref(), Some("mailto:ops@relay.example"));
        for uri in ["mailto:ops@relay.example", "https://relay.example/contact"] {
            assert_eq!(contact_uri(uri).as_deref(), Some(uri));
        }
        for no in ["", "ask Anna", "javascript:alert(1)", "http://relay.example", "https://", "a@b@c", "a b@c", "x:y@z"]
        {
            assert_eq!(contact_uri(no), None, "{no}");
        }
    }

    #[test]
    fn a_day_has_its_date() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (19_782, (2024, 2, 29)),
            (20_453, (2025, 12, 31)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(Day::from_days(days)), expected);
        }
    }

    #[test]
    fn it_is_valid_for_half_a_year_from_now() {
        let now = Timestamp::from_millis(1_767_225_600_000);
        assert_eq!(
            text("mailto:ops@relay.example", now),
            "Contact: mailto:ops@relay.example\nExpires: 2026-06-30T00:00:00Z\nPreferred-Languages: en\n"
        );
    }
}
