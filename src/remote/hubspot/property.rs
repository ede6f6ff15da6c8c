//! A row's properties: whatever stands there, it is read, and nothing odd stops the rest of its page.

use crate::model::Value;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Name and value of each property, in the body's order; `None` where they are no object.
#[derive(Debug, Default)]
pub(super) struct Properties<'a>(pub(super) Option<Vec<(Cow<'a, str>, Property<'a>)>>);

/// A property's value: `HubSpot` has text and null only. What is odd makes no sense of its own row,
/// and no other.
#[derive(Debug, Default)]
pub(super) enum Property<'a> {
    #[default]
    /// Null, or not there.
    Empty,
    /// Text.
    Text(Cow<'a, str>),
    /// Anything else.
    Odd,
}

impl Property<'_> {
    /// `None` where it is unknown.
    pub(super) fn to_value(&self) -> Option<Value> {
        match self {
            Self::Empty => Some(Value::Empty),
            Self::Text(text) => Some(Value::text(&**text)),
            Self::Odd => None,
        }
    }

    /// `None` where there is no text.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Empty | Self::Odd => None,
        }
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Properties<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Properties<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of properties")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(16);
                while let Some((Name(name), value)) =
                    map.next_entry::<Name<'de>, Property<'de>>()?
                {
                    pairs.push((name, value));
                }
                Ok(Properties(Some(pairs)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                IgnoredAny.visit_seq(seq).map(|_| Properties(None))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Properties(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Properties(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Properties(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Properties(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Properties(None))
            }

            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                Ok(Properties(None))
            }
        }
        deserializer.deserialize_any(Pairs)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Property<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        // Numbers and truth values are not documented as property values; they are taken in the text
        // form that HubSpot would have given them, so that one odd row does not stop a page.
        impl<'de> Visitor<'de> for Text {
            type Value = Property<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a property's value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Property::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Property::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Property::Empty)
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
                let word = if truth { "true" } else { "false" };
                Ok(Property::Text(Cow::Borrowed(word)))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Property::Text(Cow::Owned(number.to_string())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Property::Text(Cow::Owned(number.to_string())))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Property::Text(Cow::Owned(number.to_string())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                IgnoredAny.visit_seq(seq).map(|_| Property::Odd)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                IgnoredAny.visit_map(map).map(|_| Property::Odd)
            }
        }
        deserializer.deserialize_any(Text)
    }
}
