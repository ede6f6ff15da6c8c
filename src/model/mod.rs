//! The nouns that every layer speaks of. No I/O and no clock.

mod fingerprint;
mod image;
mod ticket;
mod value;

pub use fingerprint::fingerprint;
pub use image::{COMPANY, Changes, Image};
pub use ticket::{Priority, Ticket, TicketChange, TicketImage};
pub use value::Value;

use chrono::{DateTime, TimeZone as _, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One of the two systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The customer relationship system.
    Crm,
    /// Freshdesk.
    #[serde(rename = "freshdesk")]
    Desk,
}

impl Side {
    /// Both, in the order in which they are looked at where an order is needed.
    pub const BOTH: [Self; 2] = [Self::Crm, Self::Desk];

    /// The side across from this one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Crm => Self::Desk,
            Self::Desk => Self::Crm,
        }
    }

    /// The word that the state, the logs and `--json` use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Crm => "crm",
            Self::Desk => "freshdesk",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What is kept in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An organisation.
    Company,
    /// A person.
    Contact,
}

impl Kind {
    /// Both, companies first, since contacts point at them.
    pub const BOTH: [Self; 2] = [Self::Company, Self::Contact];

    /// The word that the state, the logs and `--json` use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::Contact => "contact",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One `T` for each side, so that nobody juggles `(a, b)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pair<T> {
    /// The CRM's.
    pub crm: T,
    /// Freshdesk's.
    #[serde(rename = "freshdesk")]
    pub desk: T,
}

impl<T> Pair<T> {
    /// The one of `side`.
    pub const fn of(&self, side: Side) -> &T {
        match side {
            Side::Crm => &self.crm,
            Side::Desk => &self.desk,
        }
    }

    /// The one of `side`, to change.
    pub const fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Crm => &mut self.crm,
            Side::Desk => &mut self.desk,
        }
    }

    /// Both, borrowed.
    pub const fn as_ref(&self) -> Pair<&T> {
        Pair {
            crm: &self.crm,
            desk: &self.desk,
        }
    }

    /// Applies `f` to both.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Pair<U> {
        Pair {
            crm: f(self.crm),
            desk: f(self.desk),
        }
    }

    /// The two in each other's place.
    #[must_use]
    pub fn swap(self) -> Self {
        Self {
            crm: self.desk,
            desk: self.crm,
        }
    }
}

/// A system's id of a record. Opaque; compared for equality only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(pub String);

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for RecordId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<i64> for RecordId {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

/// The pair of ids of which we know that they are the same contact or company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LinkId(pub i64);

/// When a record was last changed by its side's own clock, in milliseconds since 1970 (UTC).
/// Comparable across sides as far as their clocks agree.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Version(pub i64);

impl Version {
    /// The version as a time; the epoch where it is out of chrono's range.
    #[must_use]
    pub fn time(self) -> DateTime<Utc> {
        Utc.timestamp_millis_opt(self.0)
            .single()
            .unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for Version {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_millis())
    }
}

/// How a record stands on its own side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It is there and can be written.
    Live,
    /// It is in the trash, archived or blocked: a positive sign, not mere absence. Writes are refused.
    Trashed,
    /// It was asked for by id and is not there, while the system answers otherwise.
    Gone,
}

/// What a side showed of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Whose record it is.
    pub id: RecordId,
    /// When its side last changed it.
    pub version: Version,
    /// Whether it is there.
    pub presence: Presence,
    /// The fields that were asked for, in the side's own form. A field that the answer left out is
    /// not in it: unknown, not empty.
    pub image: Image,
}
