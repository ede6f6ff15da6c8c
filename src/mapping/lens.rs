//! How one field's value crosses from one side to the other, and when two values say the same.
//!
//! Three rules hold for every lens:
//! - Where both sides already say the same, a translation returns what the target shows, to the
//!   letter. So what is equal is never rewritten into another spelling.
//! - Empty crosses as empty. The one exception is a checkbox, see [`Lens::Boolean`].
//! - What a translation returns is equal to its source. The one exception is a cleared
//!   [`Lens::List`] value, whose list keeps the members that never stood for it.

#[cfg(test)]
mod laws;
mod list;
mod name;
mod phone;
mod typed;
mod words;

use crate::model::Value;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// A two-way translation of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lens {
    /// As it is. The text `42` and the number 42 differ; [`Lens::Number`] is for that.
    Same,
    /// Lower case, trimmed; of a list, each member.
    Lowercase,
    /// Trimmed; of a list, each member.
    Trim,
    /// Several CRM fields, joined by a space. Two names are equal when their words are; how many
    /// blanks stand between them says nothing.
    FullName,
    /// One CRM value, a member of a Freshdesk list. Equal while the value is a member, wherever it
    /// stands and whatever else is there; members are compared trimmed and in lower case. An empty
    /// value equals only an empty list.
    List,
    /// E.164 where it parses and is valid; a number with an extension, which E.164 cannot carry,
    /// and every other text is only trimmed.
    Phone(Option<Region>),
    /// A number: a number, or text as JSON writes one (`42`, `-3.5`, `1e3`; no `1,000`, no `007`).
    Number,
    /// A checkbox: `true`, `false`, or the words in any case. Never set and not ticked are equal,
    /// so a new record's unset box is not rewritten; a tick that was cleared crosses as `false`,
    /// the form of "not ticked" that every checkbox accepts.
    Boolean,
    /// A day, written `YYYY-MM-DD`. Read from that, from the start of an ISO 8601 time (the day as
    /// it is written, whatever the offset), or from milliseconds since 1970 that make whole days.
    Date,
    /// The words of one side for those of the other. Numbers and booleans are words, too.
    Values(ValueTable),
    /// A contact's company: an id of one side for an id of the other, by link. Translated before:
    /// here, both sides show ids of the same side, and they are compared as they are.
    Company,
}

/// Where a phone number without a country code is dialled: `DE`, `US`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region(pub String);

/// A table of words, CRM → Freshdesk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ValueTable(pub BTreeMap<String, String>);

/// One side of a field at the moment of a translation.
#[derive(Debug, Clone, Copy)]
pub struct Half<'a> {
    /// What the side shows, one value a name; [`Value::Empty`] for each where it has no record yet.
    pub now: &'a [Value],
    /// What it showed when both sides last agreed; `None` where they never did.
    pub base: Option<&'a [Value]>,
}

impl<'a> Half<'a> {
    /// What it shows under its only name.
    fn one(self) -> &'a Value {
        self.part(0)
    }

    /// What it shows under its `index`th name.
    fn part(self, index: usize) -> &'a Value {
        self.now.get(index).unwrap_or(&EMPTY)
    }

    /// What it showed under its `index`th name when both sides last agreed; empty where they never did.
    fn base_part(self, index: usize) -> &'a Value {
        self.base.and_then(|base| base.get(index)).unwrap_or(&EMPTY)
    }
}

/// Whether two values have the same `form`; what has none is compared as it is.
fn same(
    one: &Value,
    other: &Value,
    form: impl Fn(&Value) -> Result<Value, Untranslatable>,
) -> bool {
    one == other || matches!((form(one), form(other)), (Ok(one), Ok(other)) if one == other)
}

/// Nothing, to be borrowed.
static EMPTY: Value = Value::Empty;

impl Lens {
    /// Whether the two sides say the same.
    #[must_use]
    pub fn equal(&self, crm: &[Value], desk: &Value) -> bool {
        let one = crm.first().unwrap_or(&EMPTY);
        match self {
            Self::FullName => name::equal(crm, desk),
            Self::List => list::equal(one, desk),
            Self::Values(table) => words::same_by_table(table, one, desk),
            Self::Phone(region) => same(one, desk, |value| phone::key(region.as_ref(), value)),
            _ => same(one, desk, |value| self.plain(value)),
        }
    }

    /// Whether one and the same side says the same with both: with what it was given, and with what it has
    /// made of that. Servers cut off blanks, and spell what the lens does not tell apart in their own way.
    #[must_use]
    pub fn alike(&self, given: &Value, stored: &Value) -> bool {
        same(given, stored, |value| Ok(self.form(value)))
    }

    /// The form of a value in which spelling says nothing.
    fn form(&self, value: &Value) -> Value {
        let form = match self {
            Self::Phone(region) => phone::key(region.as_ref(), value),
            Self::FullName => Ok(words::each(value, |text| {
                text.split_whitespace().collect::<Vec<_>>().join(" ")
            })),
            Self::List => Ok(words::each(value, |text| text.trim().to_lowercase())),
            _ => self.plain(value),
        };
        let form = form.unwrap_or_else(|_| value.clone());
        words::each(&form, |text| text.trim().to_owned())
    }

    /// What Freshdesk should show, going by the CRM.
    pub fn to_desk(&self, crm: Half<'_>, desk: Half<'_>) -> Result<Value, Untranslatable> {
        if self.equal(crm.now, desk.one()) {
            return Ok(desk.one().clone());
        }
        match self {
            Self::FullName => name::join(crm.now),
            Self::List => list::put(crm, desk.one()),
            Self::Values(table) => table.to_desk(crm.one()),
            _ => self.plain(crm.one()),
        }
    }

    /// What the CRM should show, going by Freshdesk: one value a name.
    pub fn to_crm(&self, crm: Half<'_>, desk: Half<'_>) -> Result<Vec<Value>, Untranslatable> {
        if self.equal(crm.now, desk.one()) {
            return Ok(crm.now.to_vec());
        }
        let one = match self {
            Self::FullName => return name::split(crm, desk.one()),
            Self::List => list::pick(crm, desk.one()),
            Self::Values(table) => table.to_crm(desk.one()),
            _ => self.plain(desk.one()),
        }?;
        let rest = crm.now.iter().skip(1).cloned();
        Ok(std::iter::once(one).chain(rest).collect())
    }

    /// Itself, as what two mappings can be compared by.
    pub(super) fn meaning(&self) -> Json {
        match self {
            Self::Same => json!("same"),
            Self::Lowercase => json!("lowercase"),
            Self::Trim => json!("trim"),
            Self::FullName => json!("full_name"),
            Self::List => json!("list"),
            Self::Phone(region) => json!(["phone", region.as_ref().map(|region| &region.0)]),
            Self::Number => json!("number"),
            Self::Boolean => json!("boolean"),
            Self::Date => json!("date"),
            Self::Values(table) => json!(["values", table.0]),
            Self::Company => json!("company"),
        }
    }

    /// The one form of `value`, for the lenses that do the same in both directions.
    fn plain(&self, value: &Value) -> Result<Value, Untranslatable> {
        match self {
            Self::Lowercase => Ok(words::each(value, |text| text.trim().to_lowercase())),
            Self::Trim => Ok(words::each(value, |text| text.trim().to_owned())),
            Self::Phone(region) => phone::written(region.as_ref(), value),
            Self::Number => typed::number(value),
            Self::Boolean => typed::boolean(value),
            Self::Date => typed::day(value),
            Self::Same | Self::Company | Self::FullName | Self::List | Self::Values(_) => {
                Ok(value.clone())
            }
        }
    }
}

/// Why a value cannot cross over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untranslatable {
    /// The value table does not know it.
    #[error("the value is not in the field's table of values")]
    UnknownWord,
    /// It is not what the lens works on.
    #[error("the value is not {0}")]
    NotA(&'static str),
    /// The company has no counterpart (yet).
    #[error("the company has no counterpart on the other side")]
    CompanyNotLinked,
}
