//! Numbers, checkboxes and days, read from either side's form.

use super::Untranslatable;
use crate::model::Value;
use chrono::{DateTime, NaiveDate};
use serde_json::Number;

/// Milliseconds.
const DAY: i64 = 86_400_000;
/// Every whole number below this fits an `i64`.
const WHOLE: f64 = 9.2e18;

/// A number, or text as JSON writes one. A whole number that does not fit 64 bits is none, because
/// digits would be lost.
pub(super) fn number(value: &Value) -> Result<Value, Untranslatable> {
    const NOT: Untranslatable = Untranslatable::NotA("a number");
    let number = match value {
        Value::Empty => return Ok(Value::Empty),
        Value::Number(number) => number.clone(),
        Value::Text(text) if text.trim().is_empty() => return Ok(Value::Empty),
        Value::Text(text) => text.trim().parse::<Number>().map_err(|_| NOT)?,
        Value::Bool(_) | Value::List(_) => return Err(NOT),
    };
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        return Ok(Value::Number(number));
    };
    if let Value::Text(text) = value
        && !text.contains(['.', 'e', 'E'])
        && float != 0.0
    {
        return Err(NOT);
    }
    if float.fract() == 0.0 && float.abs() < WHOLE {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within i64")]
        return Ok(Value::from(float as i64));
    }
    Ok(Value::Number(number))
}

/// Whether a box is ticked. Nothing there is "not ticked".
pub(super) fn boolean(value: &Value) -> Result<Value, Untranslatable> {
    let truth = match value {
        Value::Empty => false,
        Value::Bool(truth) => *truth,
        Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => true,
            "false" | "" => false,
            _ => return Err(Untranslatable::NotA("true or false")),
        },
        Value::Number(_) | Value::List(_) => return Err(Untranslatable::NotA("true or false")),
    };
    Ok(Value::Bool(truth))
}

/// A day as `YYYY-MM-DD`.
pub(super) fn day(value: &Value) -> Result<Value, Untranslatable> {
    let day = match value {
        Value::Empty => return Ok(Value::Empty),
        Value::Text(text) if text.trim().is_empty() => return Ok(Value::Empty),
        Value::Text(text) => iso_day(text.trim()).or_else(|| whole_days(text.trim().parse().ok()?)),
        Value::Number(number) => number.as_i64().and_then(whole_days),
        Value::Bool(_) | Value::List(_) => None,
    };
    day.map(Value::text).ok_or(Untranslatable::NotA("a date"))
}

/// The day with which an ISO 8601 text begins.
fn iso_day(text: &str) -> Option<String> {
    let (day, time) = text.split_at_checked(10)?;
    let known = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    let exact = known.format("%Y-%m-%d").to_string() == day;
    // A time has to be one, so that `2024-05-01?` is not taken for a day.
    let follows = time.is_empty() || {
        let clock = format!("2000-01-01T{}", time.get(1..)?);
        time.starts_with(['T', ' '])
            && (DateTime::parse_from_rfc3339(&clock).is_ok()
                || chrono::NaiveDateTime::parse_from_str(&clock, "%Y-%m-%dT%H:%M:%S%.f").is_ok())
    };
    (exact && follows).then(|| day.to_owned())
}

/// Milliseconds since 1970 that are midnight (UTC), the way HubSpot keeps a date property. Other
/// numbers, such as `20240501`, are no dates.
fn whole_days(millis: i64) -> Option<String> {
    let day = DateTime::from_timestamp_millis(millis)?.date_naive();
    let text = day.format("%Y-%m-%d").to_string();
    (millis % DAY == 0 && text.len() == 10).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<Value> {
        texts.iter().map(|text| Value::from(*text)).collect()
    }

    #[test]
    fn a_number_kept_as_text_is_the_same_number() {
        for (from, to) in [
            (Value::from("42"), Value::from(42)),
            (Value::from(" 42.0 "), Value::from(42)),
            (Value::from("1e3"), Value::from(1000)),
            (Value::from("-0"), Value::from(0)),
            (Value::from("9.1e15"), Value::from(9_100_000_000_000_000)),
            (Value::from("-3.5"), Value::decimal(-3.5)),
            (
                Value::from("1879048192123456789"),
                Value::from(1_879_048_192_123_456_789),
            ),
            (Value::from(" "), Value::Empty),
        ] {
            assert_eq!(number(&from), Ok(to), "{from:?}");
        }
    }

    #[test]
    fn a_number_that_would_lose_digits_or_is_ambiguous_is_refused() {
        let mut refused = texts(&[
            "1,000", "1.000,5", "007", "+5", "0x10", "inf", "NaN", "1e999", "5 €",
        ]);
        refused.extend(texts(&["123456789012345678901234567890"]));
        refused.extend([Value::from(true), Value::list(vec!["1".to_owned()])]);
        for value in refused {
            assert_eq!(
                number(&value),
                Err(Untranslatable::NotA("a number")),
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_checkbox_is_read_from_hubspots_words_and_guessed_from_nothing_else() {
        assert_eq!(boolean(&Value::from("true")), Ok(Value::Bool(true)));
        assert_eq!(boolean(&Value::from(" False")), Ok(Value::Bool(false)));
        assert_eq!(boolean(&Value::from(true)), Ok(Value::Bool(true)));
        for value in [
            Value::from("yes"),
            Value::from("1"),
            Value::from(1),
            Value::from(0),
        ] {
            assert!(boolean(&value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn a_day_stays_the_day_that_was_written() {
        for from in [
            "2024-05-01",
            "2024-05-01T00:00:00Z",
            "2024-05-01T00:00:00.000Z",
            "2024-05-01T23:30:00-05:00",
            "2024-05-01 23:30:00",
            "1714521600000",
        ] {
            assert_eq!(day(&from.into()), Ok("2024-05-01".into()), "{from}");
        }
        assert_eq!(
            day(&Value::from(1_714_521_600_000)),
            Ok("2024-05-01".into())
        );
        assert_eq!(day(&"-86400000".into()), Ok("1969-12-31".into()));
        assert_eq!(day(&" ".into()), Ok(Value::Empty));
    }

    #[test]
    fn what_only_looks_like_a_day_is_refused() {
        let mut refused = texts(&[
            "2024-5-1",
            "+2024-05-1",
            "01.05.2024",
            "2024-02-30",
            "20240501",
            "2024-05-01x",
        ]);
        refused.extend(texts(&[
            "2024-05-01T",
            "2024-05-01T25:00:00Z",
            "tomorrow",
            "2024-05-0é",
        ]));
        refused.extend([
            Value::from(true),
            Value::decimal(1.5),
            Value::from(i64::MAX),
        ]);
        for value in refused {
            assert_eq!(
                day(&value),
                Err(Untranslatable::NotA("a date")),
                "{value:?}"
            );
        }
    }
}
