//! One field's value, in the form of the side that showed it.

use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::{SerializeSeq as _, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use std::fmt;

/// A field's value. Empty text, null, `false` where it means "nothing" and an absent optional
/// value are all [`Value::Empty`]; the connectors see to that.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Value {
    /// Nothing there.
    #[default]
    Empty,
    /// Yes or no.
    Bool(bool),
    /// A number; whole numbers are kept as integers, so that `2.0` equals `2`.
    Number(Number),
    /// Text, never empty.
    Text(String),
    /// A list of texts, never empty.
    List(Vec<String>),
}

impl Value {
    /// Text, or nothing where it is empty. Blanks count as text: what a side shows is kept as it is.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() {
            Self::Empty
        } else {
            Self::Text(text)
        }
    }

    /// A list, or nothing where it has no members.
    #[must_use]
    pub fn list(members: Vec<String>) -> Self {
        if members.is_empty() {
            Self::Empty
        } else {
            Self::List(members)
        }
    }

    /// A number in its one form; nothing where it is not finite.
    #[must_use]
    pub fn decimal(number: f64) -> Self {
        // Up to 2^53 every whole f64 is exact, so the integer says the same.
        if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
            return Self::Number(Number::from(number as i64));
        }
        Number::from_f64(number).map_or(Self::Empty, Self::Number)
    }

    /// What JSON says, in our form; `None` for what no field can be (an object, a list of lists).
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Option<Self> {
        use serde_json::Value as Json;
        Some(match json {
            Json::Null => Self::Empty,
            Json::Bool(truth) => Self::Bool(*truth),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Self::Number(Number::from(whole)),
                (None, _) if number.is_u64() => Self::Number(number.clone()),
                (None, Some(decimal)) => Self::decimal(decimal),
                (None, None) => return None,
            },
            Json::String(text) => Self::text(text.as_str()),
            Json::Array(members) => Self::list(
                members
                    .iter()
                    .map(|member| match member {
                        Json::String(text) => Some(text.clone()),
                        Json::Number(number) => Some(number.to_string()),
                        _ => None,
                    })
                    .collect::<Option<_>>()?,
            ),
            Json::Object(_) => return None,
        })
    }

    /// The same value as JSON; [`Value::Empty`] is null.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Empty => Json::Null,
            Self::Bool(truth) => Json::Bool(*truth),
            Self::Number(number) => Json::Number(number.clone()),
            Self::Text(text) => Json::String(text.clone()),
            Self::List(members) => members.iter().cloned().map(Json::String).collect(),
        }
    }

    /// Whether there is nothing there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(whole: i64) -> Self {
        Self::Number(Number::from(whole))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("—"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::List(members) => write!(f, "{members:?}"),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Empty => serializer.serialize_unit(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(members) => {
                let mut seq = serializer.serialize_seq(Some(members.len()))?;
                for member in members {
                    seq.serialize_element(member)?;
                }
                seq.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

/// Reads a value without a detour over [`serde_json::Value`]: images are read by the thousand.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, true or false, a number, a text or a list of texts")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Empty)
    }

    fn visit_bool<E: serde::de::Error>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(Number::from(number)))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::decimal(number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = seq.next_element::<Member>()? {
            members.push(member.0);
        }
        Ok(Value::list(members))
    }
}

/// A member of a list: a text, or a number taken for one.
struct Member(String);

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Text(text) => Ok(Self(text)),
            Value::Empty => Ok(Self(String::new())),
            Value::Number(number) => Ok(Self(number.to_string())),
            Value::Bool(_) | Value::List(_) => Err(D::Error::custom("a list holds texts")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_kinds_of_nothing_are_one_so_that_null_and_blank_never_look_like_an_edit() {
        for json in ["null", "\"\"", "[]"] {
            assert_eq!(serde_json::from_str::<Value>(json).unwrap(), Value::Empty);
        }
    }

    #[test]
    fn whole_decimals_equal_integers_and_large_ids_keep_every_digit() {
        assert_eq!(
            serde_json::from_str::<Value>("2.0").unwrap(),
            Value::from(2)
        );
        let id = "1879048192123456789";
        let value: Value = serde_json::from_str(id).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap(), id);
    }

    proptest! {
        #[test]
        fn a_decimal_that_was_written_down_is_no_other_one_when_it_is_read_again(number in any::<f64>()) {
            let value = Value::decimal(number);
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }
}
