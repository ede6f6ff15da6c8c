//! Single values of the vendor's JSON, whatever form they come in: fields, ids, times.

use crate::model::{RecordId, Value, Version};
use chrono::{DateTime, Datelike as _, NaiveDateTime, Utc};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use std::fmt;

/// Any JSON as a value; nothing for what no field can be.
pub(super) struct Lenient;

impl<'de> DeserializeSeed<'de> for Lenient {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Lenient {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Some(Value::Empty))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::Bool(truth)))
    }

    fn visit_i64<E>(self, whole: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::from(whole)))
    }

    fn visit_u64<E>(self, whole: u64) -> Result<Self::Value, E> {
        Ok(Some(Value::Number(Number::from(whole))))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(Value::decimal(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut members = Some(Vec::new());
        while let Some(member) = seq.next_element_seed(Self)? {
            let text = match member {
                Some(Value::Text(text)) => text,
                Some(Value::Empty) => continue,
                Some(Value::Number(number)) => number.to_string(),
                Some(Value::Bool(_) | Value::List(_)) | None => {
                    members = None;
                    continue;
                }
            };
            if let Some(members) = &mut members {
                members.push(text);
            }
        }
        Ok(members.map(Value::list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// An id: a whole number above zero, quoted or not, of 64 bits.
pub(super) fn identity(value: &Value) -> Option<RecordId> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Empty | Value::Bool(_) | Value::List(_) => return None,
    };
    let plain = !text.starts_with(['0', '+']);
    (plain && text.parse::<u64>().is_ok()).then_some(RecordId(text))
}

/// A reference to another record as text; nothing where it is no reference.
pub(super) fn reference(value: &Value) -> Option<Value> {
    match value {
        Value::Empty => Some(Value::Empty),
        other => identity(other).map(|id| Value::Text(id.0)),
    }
}

/// A point in time in any of the forms that the vendor uses; without an offset it is UTC. Years have
/// four digits.
pub(super) fn stamp(text: &str) -> Option<Version> {
    let time = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .map(|time| time.with_timezone(&Utc))
        .or_else(|_| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|time| time.and_utc())
        })
        .ok()?;
    (0..=9999)
        .contains(&time.year())
        .then(|| Version::from(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_a_time_is_the_same_time() {
        let time = stamp("2026-08-19T18:20:05Z");
        assert!(time.is_some());
        for text in [
            "2026-08-19T23:50:05+05:30",
            "2026-08-19T23:50:05+0530",
            "2026-08-19T18:20:05.000000Z",
            "2026-08-19T18:20:05",
        ] {
            assert_eq!(stamp(text), time, "{text}");
        }
    }

    #[test]
    fn a_time_that_nothing_can_be_reckoned_with_is_none() {
        for text in [
            "-262143-01-01T00:00:00",
            "+262142-12-31T23:59:59",
            "+12026-08-19T18:20:05Z",
            "0000-01-01T00:00:00+23:59",
            "2026-08-19",
            "",
        ] {
            assert_eq!(stamp(text), None, "{text}");
        }
    }

    #[test]
    fn an_id_that_could_never_be_asked_for_is_none() {
        for text in [
            "",
            "0",
            "007",
            "+7",
            "-7",
            "7.0",
            "18446744073709551616",
            "7/x",
        ] {
            assert_eq!(identity(&Value::from(text)), None, "{text}");
        }
        for text in ["7", "18446744073709551615"] {
            assert_eq!(identity(&Value::from(text)), Some(RecordId::from(text)));
        }
    }
}
