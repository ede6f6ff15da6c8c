//! What a customer's tickets come to, and where in the CRM the admins want it. Pure.

use crate::model::Kind;
use std::collections::BTreeMap;

/// Something that is worked out from the tickets of one contact or company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SupportFact {
    /// How many are neither resolved nor closed.
    OpenTickets,
    /// When the latest was opened.
    LastTicket,
    /// From a ticket's opening to its first answer in hours: the median of the last 90 days.
    FirstResponseHours,
    /// How content they said they were.
    Satisfaction,
}

impl SupportFact {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::OpenTickets,
        Self::LastTicket,
        Self::FirstResponseHours,
        Self::Satisfaction,
    ];

    /// The key in `sync.toml`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::OpenTickets => "open_tickets",
            Self::LastTicket => "last_ticket",
            Self::FirstResponseHours => "first_response_hours",
            Self::Satisfaction => "satisfaction",
        }
    }
}

/// Which facts are written into which of the CRM's fields. At least one is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SupportSummary {
    /// Of a contact.
    pub contact: BTreeMap<SupportFact, String>,
    /// Of a company.
    pub company: BTreeMap<SupportFact, String>,
}

impl SupportSummary {
    /// Whether a fact about `kind` is written into this field of the CRM.
    #[must_use]
    pub fn writes(&self, kind: Kind, field: &str) -> bool {
        self.of(kind).values().any(|it| it == field)
    }

    /// The fields of `kind`.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> &BTreeMap<SupportFact, String> {
        match kind {
            Kind::Contact => &self.contact,
            Kind::Company => &self.company,
        }
    }
}
