//! Times as the API writes and reads them: UTC with milliseconds.

use chrono::{DateTime, NaiveDate};

/// Milliseconds since 1970.
pub(super) type Millis = i64;

/// Appends `2026-11-22T10:41:23.000Z`.
pub(super) fn write_iso(out: &mut String, at: Millis) {
    let (days, rest) = (at.div_euclid(86_400_000), at.rem_euclid(86_400_000));
    write_day(out, days);
    out.push('T');
    digits(out, rest / 3_600_000, 2);
    out.push(':');
    digits(out, rest / 60_000 % 60, 2);
    out.push(':');
    digits(out, rest / 1_000 % 60, 2);
    out.push('.');
    digits(out, rest % 1_000, 3);
    out.push('Z');
}

/// The time as `2026-11-22T10:41:23.000Z`.
pub(super) fn iso(at: Millis) -> String {
    let mut out = String::with_capacity(24);
    write_iso(&mut out, at);
    out
}

/// Midnight's day as `2026-11-22`.
pub(super) fn day(at: Millis) -> String {
    let mut out = String::with_capacity(10);
    write_day(&mut out, at.div_euclid(86_400_000));
    out
}

/// A time given as epoch milliseconds, as RFC 3339 or as a day.
pub(super) fn parse(text: &str) -> Option<Millis> {
    let text = text.trim();
    if let Ok(millis) = text.parse() {
        return Some(millis);
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
}

/// The proleptic Gregorian day of so many days since 1970 (the usual reckoning in eras of 400 years).
fn write_day(out: &mut String, days: i64) {
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let in_year = day - (365 * year + year / 4 - year / 100);
    let march = (5 * in_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    digits(out, year + era * 400 + i64::from(month <= 2), 4);
    out.push('-');
    digits(out, month, 2);
    out.push('-');
    digits(out, in_year - (153 * march + 2) / 5 + 1, 2);
}

fn digits(out: &mut String, number: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = number / 10_i64.pow(place) % 10;
        out.push(char::from(b'0' + u8::try_from(digit).unwrap_or(0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::SecondsFormat;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        for at in [
            0,
            951_782_399_999,
            951_868_800_000,
            1_700_000_000_123,
            4_107_542_400_000,
        ] {
            let calendar = DateTime::from_timestamp_millis(at).unwrap();
            let expected = calendar.to_rfc3339_opts(SecondsFormat::Millis, true);
            assert_eq!(iso(at), expected);
            assert_eq!(parse(&expected), Some(at));
            assert_eq!(parse(&at.to_string()), Some(at));
            assert_eq!(day(at), expected.get(..10).unwrap());
        }
    }
}
