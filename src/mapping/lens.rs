//! How one field's value crosses from one side to the other, and when two values say the same.

use crate::model::Value;
use std::collections::BTreeMap;

/// A two-way translation of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lens {
    /// As it is.
    Same,
    /// Lower case, trimmed.
    Lowercase,
    /// Trimmed.
    Trim,
    /// Several CRM fields, joined by a space.
    FullName,
    /// One CRM value, a member of a Freshdesk list.
    List,
    /// E.164 where it parses.
    Phone(Option<Region>),
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
    /// A day.
    Date,
    /// The words of one side for those of the other.
    Values(ValueTable),
    /// A contact's company: an id of one side for an id of the other, by link.
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
    /// What the side shows, one value a name.
    pub now: &'a [Value],
    /// What it showed when both sides last agreed; `None` where they never did.
    pub base: Option<&'a [Value]>,
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
