//! A value of `sync.toml` with its place, read even where it is wrong, so that one mistake never
//! hides the next.

use super::diagnostic::{Diagnostic, Diagnostics};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use toml::Spanned;

/// What admins are told to write.
pub(super) trait Shape {
    /// Completes "`key` must be …".
    const WANTED: &'static str;
    /// The same for a list of them.
    const LIST: &'static str = "a list in [ ]";
}

impl Shape for String {
    const WANTED: &'static str = "text in quotes";
}
impl Shape for i64 {
    const WANTED: &'static str = "a whole number";
}
impl Shape for bool {
    const WANTED: &'static str = "true or false";
}
impl Shape for f64 {
    const WANTED: &'static str = "a number";
}
impl<T: Shape> Shape for Vec<Slot<T>> {
    const WANTED: &'static str = T::LIST;
}
impl<T> Shape for BTreeMap<String, T> {
    const WANTED: &'static str = "a table";
}

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct At<T> {
    /// Bytes of the file.
    pub(super) span: Range<usize>,
    pub(super) value: T,
}

/// The place of one key.
#[derive(Debug, Default)]
pub(super) enum Slot<T> {
    /// The key is not there.
    #[default]
    Absent,
    /// There is something else than a `T`. What it is may be a secret and is not kept.
    Wrong(Range<usize>),
    /// A `T`.
    Here(At<T>),
}

impl<T> Slot<T> {
    /// Where the value stands, whatever it is.
    pub(super) fn span(&self) -> Option<Range<usize>> {
        match self {
            Self::Absent => None,
            Self::Wrong(span) | Self::Here(At { span, .. }) => Some(span.clone()),
        }
    }
}

impl<T: Shape> Slot<T> {
    /// The value of an optional key; one of the wrong type is reported.
    pub(super) fn get(self, key: &str, found: &mut Diagnostics) -> Option<At<T>> {
        match self {
            Self::Absent => None,
            Self::Here(at) => Some(at),
            Self::Wrong(span) => {
                let message = format!("`{key}` must be {}", T::WANTED);
                found.push(Diagnostic::error(span, message));
                None
            }
        }
    }

    /// The value of a key that `table` must have; reported where it is absent or of the wrong type.
    pub(super) fn require(
        self,
        key: &str,
        table: &Range<usize>,
        found: &mut Diagnostics,
    ) -> Option<At<T>> {
        if matches!(self, Self::Absent) {
            let message = format!("`{key}` is missing here");
            found.push(Diagnostic::error(table.clone(), message));
        }
        self.get(key, found)
    }
}

/// Reads on after what is not a `T`: a TOML value owns all that is in it, so the reader of its
/// table is not disturbed.
struct Lenient<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(T::deserialize(deserializer).ok()))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Slot<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Spanned::<Lenient<T>>::deserialize(deserializer)?;
        let span = read.span();
        Ok(match read.into_inner().0 {
            Some(value) => Self::Here(At { span, value }),
            None => Self::Wrong(span),
        })
    }
}

/// Has the schema of `$inner`.
macro_rules! schema_of {
    ($outer:ident) => {
        impl<T: JsonSchema> JsonSchema for $outer<T> {
            fn inline_schema() -> bool {
                T::inline_schema()
            }
            fn schema_name() -> Cow<'static, str> {
                T::schema_name()
            }
            fn schema_id() -> Cow<'static, str> {
                T::schema_id()
            }
            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                T::json_schema(generator)
            }
        }
    };
}
schema_of!(Slot);
schema_of!(Table);

/// A `T` from a table only: a derived reader would take a list for one as well.
#[derive(Debug, Default)]
pub(super) struct Table<T>(pub(super) T);

impl<T> Shape for Table<T> {
    const WANTED: &'static str = "a table";
    const LIST: &'static str = "a list of tables, each under its own [[ ]]";
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfTable<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OfTable<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer
            .deserialize_any(OfTable(std::marker::PhantomData))
            .map(Self)
    }
}

/// One value, several, or a table of them: `"x"`, `["x", "y"]`, `{ a = "x" }`.
#[derive(Debug)]
pub(super) enum Cell {
    /// Text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// Another number.
    Decimal(f64),
    /// Yes or no.
    Truth(bool),
    /// A list.
    Many(Vec<Slot<Cell>>),
    /// A table.
    Named(BTreeMap<String, Slot<Cell>>),
}

impl Shape for Cell {
    const WANTED: &'static str = "text, a number, true or false, or a list of texts";
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfAny;
        impl<'de> Visitor<'de> for OfAny {
            type Value = Cell;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Cell::WANTED)
            }
            fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
                Ok(Cell::Text(text.to_owned()))
            }
            fn visit_i64<E>(self, whole: i64) -> Result<Cell, E> {
                Ok(Cell::Whole(whole))
            }
            fn visit_f64<E>(self, decimal: f64) -> Result<Cell, E> {
                Ok(Cell::Decimal(decimal))
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Cell, E> {
                Ok(Cell::Truth(truth))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Cell, A::Error> {
                let mut many = Vec::new();
                while let Some(one) = seq.next_element()? {
                    many.push(one);
                }
                Ok(Cell::Many(many))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
                let mut named = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Slot<Cell>>()? {
                    // A date without quotes arrives as a table with one hidden key.
                    if key.starts_with("$__toml") {
                        return Ok(match value {
                            Slot::Here(At { value, .. }) => value,
                            Slot::Absent | Slot::Wrong(_) => Cell::Text(String::new()),
                        });
                    }
                    named.insert(key, value);
                }
                Ok(Cell::Named(named))
            }
        }
        deserializer.deserialize_any(OfAny)
    }
}

impl JsonSchema for Cell {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": ["string", "number", "boolean", "array", "object"],
            "items": { "type": "string" },
        })
    }
}

/// `"x"` or `["x", "y"]`.
#[derive(Debug)]
pub(super) struct OneOrMany(pub(super) Cell);

impl Shape for OneOrMany {
    const WANTED: &'static str = "a field's name, or a list of names";
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cell::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for OneOrMany {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": ["string", "array"],
            "items": { "type": "string" },
            "minItems": 1,
        })
    }
}
