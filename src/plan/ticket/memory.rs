//! What we did to a ticket, for as long as somebody backs it.

use crate::model::Priority;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What we did to a ticket, and what stood there before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The priority, while a rule backs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Raised>,
    /// The tags that rules back.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, Tagged>,
    /// Somebody else has decided on the priority after us: it is theirs from then on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub priority_is_theirs: bool,
    /// Tags that somebody else has taken away after us.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tags_are_theirs: BTreeSet<String>,
    /// Rules that have set, once, what they set once.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub done: BTreeSet<String>,
    /// Rules whose note is still to be posted (`false`) or stands there (`true`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, bool>,
}

/// A priority that rules back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// What stood there before.
    pub before: Priority,
    /// What it was raised to; the same where it was high enough already.
    pub set: Priority,
    /// The rules that back it.
    pub by: BTreeSet<String>,
}

/// A tag that rules back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tagged {
    /// Whether we added it; else it was there before.
    pub ours: bool,
    /// The rules that back it.
    pub by: BTreeSet<String>,
}
