//! A ticket, as far as a customer's standing has to do with it.

use super::{Presence, RecordId, Version};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How urgent a ticket is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Freshdesk's 1.
    #[default]
    Low,
    /// Freshdesk's 2.
    Medium,
    /// Freshdesk's 3.
    High,
    /// Freshdesk's 4.
    Urgent,
}

impl Priority {
    /// All of them, rising.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Urgent];

    /// The word that `sync.toml`, the state, the logs and `--json` use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a rule may set on a ticket, as it stands there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TicketImage {
    /// How urgent it is.
    pub priority: Priority,
    /// Its status: 2 open, 3 pending, 4 resolved, 5 closed, the account's own above.
    pub status: u32,
    /// Its type, one of the account's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The group that it is assigned to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<i64>,
    /// The agent whom it is assigned to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<i64>,
    /// Its tags, in the order in which they stand there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl TicketImage {
    /// Whether it is resolved or closed.
    #[must_use]
    pub const fn is_done_with(&self) -> bool {
        matches!(self.status, 4 | 5)
    }
}

/// A ticket as Freshdesk last showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Which one.
    pub id: RecordId,
    /// When it was last changed there, which SLA breaches and notes do as well.
    pub version: Version,
    /// Live; or deleted or marked as spam ([`Presence::Trashed`]); or not there.
    pub presence: Presence,
    /// The contact (or agent) who asked.
    pub requester: RecordId,
    /// The company that it was opened for, which stays when the contact moves on.
    pub company: Option<RecordId>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When somebody first answered; known only where it was asked for.
    pub first_answered_at: Option<DateTime<Utc>>,
    /// What a rule may set.
    pub image: TicketImage,
}

/// What is to change on a ticket; what is `None` is not sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct TicketChange {
    /// To this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// To this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
    /// To this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// To this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<i64>,
    /// To this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<i64>,
    /// To exactly these: the array replaces what is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

impl TicketChange {
    /// Whether nothing is to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The ticket with the change made.
    #[must_use]
    pub fn applied_to(&self, image: &TicketImage) -> TicketImage {
        TicketImage {
            priority: self.priority.unwrap_or(image.priority),
            status: self.status.unwrap_or(image.status),
            category: self.category.clone().or_else(|| image.category.clone()),
            group: self.group.or(image.group),
            agent: self.agent.or(image.agent),
            tags: self.tags.clone().unwrap_or_else(|| image.tags.clone()),
        }
    }

    /// Whether the ticket shows all of it, whatever else it shows. Tags are a set.
    #[must_use]
    pub fn stands_in(&self, image: &TicketImage) -> bool {
        let sorted = |tags: &[String]| {
            let mut tags: Vec<String> = tags.iter().map(|tag| tag.to_lowercase()).collect();
            tags.sort_unstable();
            tags
        };
        self.priority.is_none_or(|it| it == image.priority)
            && self.status.is_none_or(|it| it == image.status)
            && (self.category.is_none() || self.category == image.category)
            && (self.group.is_none() || self.group == image.group)
            && (self.agent.is_none() || self.agent == image.agent)
            && self
                .tags
                .as_ref()
                .is_none_or(|it| sorted(it) == sorted(&image.tags))
    }
}
