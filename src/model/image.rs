//! The mapped fields of one record, as its side showed them.

use super::Value;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name under which a contact's company stands in an [`Image`]: the *side's own id* of the
/// company as text, or empty. No vendor's field can have this name.
pub const COMPANY: &str = "@company";

/// Field name → value. A field that is not in it is *unknown*: the side did not say. That is not
/// the same as [`Value::Empty`], which the side did say.
///
/// The names are those of `sync.toml`: `firstname`, `custom_fields.tier`; for the company,
/// [`COMPANY`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Image(pub BTreeMap<String, Value>);

/// What to write to a record: field name → new value ([`Value::Empty`] clears). Fields that are not
/// in it are not sent.
pub type Changes = Image;

impl Image {
    /// The value of `field`; `None` is unknown.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// Says what `field` is.
    pub fn set(&mut self, field: impl Into<String>, value: Value) {
        self.0.insert(field.into(), value);
    }

    /// Takes over every field that `other` knows.
    pub fn overlay(&mut self, other: &Self) {
        for (field, value) in &other.0 {
            match self.0.get_mut(field) {
                Some(mine) if mine == value => {}
                Some(mine) => mine.clone_from(value),
                None => {
                    self.0.insert(field.clone(), value.clone());
                }
            }
        }
    }

    /// Takes over the fields that this one does not know and `other` does.
    pub fn fill_from(&mut self, other: &Self) {
        for (field, value) in &other.0 {
            if !self.0.contains_key(field) {
                self.0.insert(field.clone(), value.clone());
            }
        }
    }

    /// Whether it shows just `fields`, as far as it knows them. `alike` says of a field's value there, and of the
    /// one here, whether they are the same.
    #[must_use]
    pub fn shows(&self, fields: &Self, alike: impl Fn(&str, &Value, &Value) -> bool) -> bool {
        // A field that is not read any more says nothing against it.
        let known = |field: &String| self.0.contains_key(field);
        let differs = |(field, value): (&String, &Value)| {
            let shown = self.get(field);
            shown.is_some_and(|shown| !alike(field, value, shown))
        };
        fields.0.keys().any(known) && !fields.0.iter().any(differs)
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Image {
    fn from(fields: [(&str, Value); N]) -> Self {
        Self(
            fields
                .into_iter()
                .map(|(field, value)| (field.to_owned(), value))
                .collect(),
        )
    }
}
