//! Until when a certificate is valid (RFC 5280 §4.1.2.5): as much of X.509 as that takes.

use rustls::pki_types::CertificateDer;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version, tagged `[0]`.
const VERSION: u8 = 0xa0;

/// Seconds since 1970 from which and until which a certificate is valid.
pub(super) fn validity(certificate: &CertificateDer<'_>) -> Option<(i64, i64)> {
    let (certificate, _) = item(SEQUENCE, certificate)?;
    let (mut tbs, _) = item(SEQUENCE, certificate)?;
    if tbs.first() == Some(&VERSION) {
        tbs = item(VERSION, tbs)?.1;
    }
    // The serial number, the signature's algorithm, the issuer.
    for tag in [0x02, SEQUENCE, SEQUENCE] {
        tbs = item(tag, tbs)?.1;
    }
    let (validity, _) = item(SEQUENCE, tbs)?;
    let (from, rest) = time(validity)?;
    Some((from, time(rest)?.0))
}

/// What is in an item with this tag, and what follows it.
fn item(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// A time, and what follows it.
fn time(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (text, rest, years) = match *bytes.first()? {
        UTC_TIME => {
            let (text, rest) = item(UTC_TIME, bytes)?;
            // RFC 5280 §4.1.2.5.1: from 50 on it is the last century.
            let year = number(text, 0, 2)?;
            (text, rest, (2, if year < 50 { 2_000 + year } else { 1_900 + year }))
        }
        GENERALIZED_TIME => {
            let (text, rest) = item(GENERALIZED_TIME, bytes)?;
            (text, rest, (4, number(text, 0, 4)?))
        }
        _ => return None,
    };
    let (at, year) = years;
    let part = |index: usize| number(text, at + 2 * index, 2);
    let days = days_since_1970(year, part(0)?, part(1)?);
    Some((days * 86_400 + part(2)? * 3_600 + part(3)? * 60 + part(4)?, rest))
}

fn number(text: &[u8], at: usize, digits: usize) -> Option<i64> {
    let digits = text.get(at..at + digits)?;
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
}

/// Days of the Gregorian calendar. Years begin in March, so that a leap day ends one.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn certificate(from: (i32, u8, u8), until: (i32, u8, u8)) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["relay.example".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn both_forms_of_a_time_are_read() {
        let found = validity(&certificate((2026, 2, 28), (2028, 3, 1))).unwrap();
        assert_eq!(found, (1_772_236_800, 1_835_481_600));
        let (from, until) = validity(&certificate((1975, 1, 1), (4096, 1, 1))).unwrap();
        assert_eq!((from, until), (157_766_400, 67_090_118_400));
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        let whole = certificate((2026, 1, 1), (2027, 1, 1));
        for length in 0..40 {
            assert_eq!(validity(&CertificateDer::from(&whole[..length])), None, "{length}");
        }
    }
}
