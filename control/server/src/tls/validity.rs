//! When a certificate counts: the two dates of RFC 5280, section 4.1.2.5.
//!
//! **Invariant:** what cannot be read is no certificate; nothing of it is guessed.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Tags of DER (X.690) that stand before the dates, and those of the dates.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Years of two digits below this are of this century, the others of the last.
const CENTURY_FROM: i16 = 50;

/// From when to when a certificate counts, in seconds since 1970; both belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    from: i64,
    until: i64,
}

impl Validity {
    /// That of a certificate in DER.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (whole, _) = part(certificate, SEQUENCE)?;
        let (mut rest, _) = part(whole, SEQUENCE)?;
        // The first version had no number.
        if let Some((_, behind)) = part(rest, VERSION) {
            rest = behind;
        }
        // Its serial number, its algorithm and its issuer.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            rest = part(rest, tag)?.1;
        }
        let (dates, _) = part(rest, SEQUENCE)?;
        let (from, rest) = date(dates)?;
        let (until, _) = date(rest)?;
        Some(Self { from, until })
    }

    /// Whether it counts at a time.
    pub(super) fn counts_at(self, now: i64) -> bool {
        (self.from..=self.until).contains(&now)
    }

    /// What is wrong with it at a time, or soon behind it; `None`: nothing.
    pub(super) fn fault(self, now: i64, ahead: i64) -> Option<String> {
        let shown = |it| Timestamp::from_second(it).map(|it| it.to_string()).unwrap_or_default();
        if now < self.from {
            return Some(format!("counts only from {} on", shown(self.from)));
        }
        if now > self.until {
            return Some(format!("ended at {}", shown(self.until)));
        }
        let is_soon = now.saturating_add(ahead) > self.until;
        is_soon.then(|| format!("ends at {}", shown(self.until)))
    }
}

/// What a part of this kind holds, and what stands behind it.
fn part(from: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = from.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*length) {
        short @ 0..=0x7f => (short, rest),
        // How many bytes of a length follow: three are more than any file here has.
        long @ 0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(long - 0x80)?;
            (bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// A date, and what stands behind it.
fn date(from: &[u8]) -> Option<(i64, &[u8])> {
    let (text, rest, digits) = if let Some((text, rest)) = part(from, UTC_TIME) {
        (text, rest, 2)
    } else {
        let (text, rest) = part(from, GENERALIZED_TIME)?;
        (text, rest, 4)
    };
    let text = str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, text) = text.split_at_checked(digits)?;
    let year: i16 = number(year)?;
    let year = match digits {
        2 if year < CENTURY_FROM => year + 2000,
        2 => year + 1900,
        _ => year,
    };
    let mut fields = [0_i8; 5];
    let mut text = text;
    for field in &mut fields {
        let (two, behind) = text.split_at_checked(2)?;
        (*field, text) = (number(two)?, behind);
    }
    let [month, day, hour, minute, second] = fields;
    let moment = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    // The last hours of the year 9999, which stand for no end at all, are behind what a timestamp holds.
    let moment = moment.to_zoned(TimeZone::UTC).map_or(i64::MAX, |it| it.timestamp().as_second());
    text.is_empty().then_some((moment, rest))
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    // A sign is no digit.
    text.bytes().all(|it| it.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(from: i32, until: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["a".to_owned()]).unwrap();
        (params.not_before, params.not_after) =
            (date_time_ymd(from, 2, 3), date_time_ymd(until, 2, 3));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_dates_are_those_that_were_written() {
        for (from, until) in [(1999, 2026), (2020, 2049), (2030, 2050), (1975, 4096)] {
            let of = |year: i32| date_time_ymd(year, 2, 3).unix_timestamp();
            let expected = Validity { from: of(from), until: of(until) };
            assert_eq!(Validity::of(&certificate(from, until)), Some(expected), "{from} {until}");
        }
    }

    #[test]
    fn the_date_that_means_no_end_is_one() {
        let text = b"99991231235959Z";
        let date = [&[GENERALIZED_TIME, 15], &text[..]].concat();
        assert_eq!(super::date(&date), Some((i64::MAX, &b""[..])));
        let validity = Validity { from: 0, until: i64::MAX };
        assert!(validity.counts_at(i64::MAX - 1));
        assert_eq!(validity.fault(i64::MAX - 1, 604_800), None);
    }

    #[test]
    fn what_is_torn_or_changed_gives_no_dates_or_others_and_never_a_fall() {
        let whole = certificate(2020, 2030);
        assert_eq!((0..whole.len() / 4).find(|end| Validity::of(&whole[..*end]).is_some()), None);
        let mut read = 0;
        for at in 0..whole.len() {
            for value in [0, 0x30, 0x7f, 0x80, 0x83, 0x84, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                read += usize::from(Validity::of(&changed).is_some());
            }
        }
        assert!(read > whole.len(), "most of it is behind the dates");
    }

    #[test]
    fn both_ends_belong_to_it_and_an_end_that_is_near_is_told() {
        let validity = Validity { from: 100, until: 200 };
        for (now, counts, said) in [
            (99, false, Some("counts only from 1970-01-01T00:01:40Z on")),
            (100, true, None),
            (190, true, None),
            (191, true, Some("ends at 1970-01-01T00:03:20Z")),
            (200, true, Some("ends at 1970-01-01T00:03:20Z")),
            (201, false, Some("ended at 1970-01-01T00:03:20Z")),
        ] {
            assert_eq!(validity.counts_at(now), counts, "{now}");
            assert_eq!(validity.fault(now, 10).as_deref(), said, "{now}");
        }
    }
}
