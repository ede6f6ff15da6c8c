//! Rows of contacts and companies, decoded in one pass: what nobody asked for is skipped, what has
//! an unforeseen form is left unknown, and only a row without identity is an error.

use super::attribute::Place;
use super::garbled;
use super::value::{Lenient, identity, reference, stamp};
use crate::model::{COMPANY, Image, Observed, Presence, RecordId, Value, Version};
use crate::remote::RemoteError;
use crate::remote::reply::Reply;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use std::fmt;

/// The fields that a reader wants, by their places in a row.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    own: Vec<(&'a str, &'a str)>,
    custom: Vec<(&'a str, &'a str)>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(fields: impl IntoIterator<Item = &'a str>) -> Self {
        let mut wanted = Self {
            own: Vec::new(),
            custom: Vec::new(),
        };
        for field in fields {
            match Place::of(field) {
                Place::Own(key) => wanted.own.push((key, field)),
                Place::Custom(key) => wanted.custom.push((key, field)),
            }
        }
        wanted
    }

    /// The array of rows that `reply` holds.
    ///
    /// # Errors
    ///
    /// [`crate::remote::ErrorKind::Garbled`] where it holds anything else.
    pub(super) fn rows(&self, reply: &Reply) -> Result<Vec<Row>, RemoteError> {
        self.decode_rows(&reply.body)
            .map_err(|error| garbled(reply, &error))
    }

    /// The array of rows that `reply` holds, those among them that do not say when they were changed.
    ///
    /// # Errors
    ///
    /// As [`Self::rows`].
    pub(super) fn shown(&self, reply: &Reply) -> Result<Vec<Row>, RemoteError> {
        self.decode_shown(&reply.body)
            .map_err(|error| garbled(reply, &error))
    }

    /// The one row that `reply` holds.
    ///
    /// # Errors
    ///
    /// As [`Self::rows`].
    pub(super) fn row(&self, reply: &Reply) -> Result<Row, RemoteError> {
        self.decode_row(&reply.body)
            .map_err(|error| garbled(reply, &error))
    }

    fn decode_rows(&self, body: &[u8]) -> serde_json::Result<Vec<Row>> {
        let rows = self.decode_shown(body)?;
        rows.into_iter().map(whole).collect()
    }

    fn decode_shown(&self, body: &[u8]) -> serde_json::Result<Vec<Row>> {
        let mut json = serde_json::Deserializer::from_slice(body);
        let rows = RowsSeed(self).deserialize(&mut json)?;
        json.end().map(|()| rows)
    }

    fn decode_row(&self, body: &[u8]) -> serde_json::Result<Row> {
        let mut json = serde_json::Deserializer::from_slice(body);
        let row = RowSeed(self).deserialize(&mut json)?;
        json.end()?;
        whole(row)
    }
}

fn whole(row: Row) -> serde_json::Result<Row> {
    if row.dated {
        return Ok(row);
    }
    Err(serde_json::Error::custom("a record without a stamp"))
}

/// One record as a list or a single read shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) id: RecordId,
    pub(super) version: Version,
    /// Whether it says when it was last changed. One that does not is no whole record.
    pub(super) dated: bool,
    pub(super) deleted: bool,
    pub(super) image: Image,
}

impl Row {
    /// The record; `in_trash` where the list that showed it says so.
    pub(super) fn observed(self, in_trash: bool) -> Observed {
        Observed {
            id: self.id,
            version: self.version,
            presence: if in_trash || self.deleted {
                Presence::Trashed
            } else {
                Presence::Live
            },
            image: self.image,
        }
    }
}

struct RowsSeed<'w>(&'w Wanted<'w>);

impl<'de> DeserializeSeed<'de> for RowsSeed<'_> {
    type Value = Vec<Row>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowsSeed<'_> {
    type Value = Vec<Row>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = seq.next_element_seed(RowSeed(self.0))? {
            rows.push(row);
        }
        Ok(rows)
    }
}

struct RowSeed<'w>(&'w Wanted<'w>);

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Row, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let (mut id, mut version, mut deleted) = (None, None, false);
        let mut image = Image::default();
        while let Some(slot) = map.next_key_seed(KeySeed(self.0))? {
            let key = match slot {
                Slot::Skip => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                Slot::Custom => {
                    map.next_value_seed(CustomSeed(self.0, &mut image))?;
                    continue;
                }
                Slot::Id => "id",
                Slot::UpdatedAt => "updated_at",
                Slot::Deleted => "deleted",
                Slot::Own(key) => key,
            };
            let Some(value) = map.next_value_seed(Lenient)? else {
                continue;
            };
            match slot {
                Slot::Id => id = identity(&value),
                Slot::UpdatedAt => version = value.as_text().and_then(stamp),
                Slot::Deleted => deleted = value == Value::Bool(true),
                _ => {}
            }
            place(self.0, key, value, &mut image);
        }
        Ok(Row {
            id: id.ok_or_else(|| A::Error::custom("a record without an id"))?,
            dated: version.is_some(),
            version: version.unwrap_or_default(),
            deleted,
            image,
        })
    }
}

/// Puts the value of `key` under each field that is read from it.
fn place(wanted: &Wanted<'_>, key: &str, mut value: Value, image: &mut Image) {
    let mut fields = wanted.own.iter().filter(|(own, _)| *own == key).peekable();
    while let Some((_, field)) = fields.next() {
        let value = if fields.peek().is_some() {
            value.clone()
        } else {
            std::mem::take(&mut value)
        };
        if *field != COMPANY {
            image.set(*field, value);
        } else if let Some(company) = reference(&value) {
            image.set(COMPANY, company);
        }
    }
}

/// A key's part in what is read.
#[derive(Clone, Copy)]
enum Slot<'w> {
    Id,
    UpdatedAt,
    Deleted,
    Custom,
    Own(&'w str),
    Skip,
}

struct KeySeed<'w>(&'w Wanted<'w>);

impl<'de, 'w> DeserializeSeed<'de> for KeySeed<'w> {
    type Value = Slot<'w>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'w> Visitor<'_> for KeySeed<'w> {
    type Value = Slot<'w>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Slot<'w>, E> {
        Ok(match key {
            "id" => Slot::Id,
            "updated_at" => Slot::UpdatedAt,
            "deleted" => Slot::Deleted,
            "custom_fields" if !self.0.custom.is_empty() => Slot::Custom,
            key => self
                .0
                .own
                .iter()
                .find(|(own, _)| *own == key)
                .map_or(Slot::Skip, |(own, _)| Slot::Own(own)),
        })
    }
}

/// `custom_fields`: an object, and nothing is known where it is anything else.
struct CustomSeed<'w, 'i>(&'w Wanted<'w>, &'i mut Image);

impl<'de> DeserializeSeed<'de> for CustomSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CustomSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("custom fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key_seed(CustomKeySeed(self.0))? {
            let Some(field) = field else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if let Some(value) = map.next_value_seed(Lenient)? {
                self.1.set(field, value);
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

struct CustomKeySeed<'w>(&'w Wanted<'w>);

impl<'de, 'w> DeserializeSeed<'de> for CustomKeySeed<'w> {
    type Value = Option<&'w str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'w> Visitor<'_> for CustomKeySeed<'w> {
    type Value = Option<&'w str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        let found = self.0.custom.iter().find(|(custom, _)| *custom == key);
        Ok(found.map(|(_, field)| *field))
    }
}

#[cfg(test)]
mod tests;
