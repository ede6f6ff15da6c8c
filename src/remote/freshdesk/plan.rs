//! What each plan of Freshdesk allows, until an account's own headers say.

use crate::remote::governor::{Class, Limits, Rate};
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

/// The list of contacts.
pub const CONTACTS_LIST: Class = Class("contacts.list");
/// The list of tickets.
pub const TICKETS_LIST: Class = Class("tickets.list");
/// The creation of tickets.
pub const TICKETS_CREATE: Class = Class("tickets.create");
/// The update of tickets, one at a time.
pub const TICKETS_UPDATE: Class = Class("tickets.update");

/// A plan, as the vendor names it.
///
/// Numbers: <https://developers.freshdesk.com/api/#ratelimit>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// 50 calls a minute.
    Trial,
    /// 200 calls a minute.
    Growth,
    /// 400 calls a minute.
    Pro,
    /// 700 calls a minute.
    Enterprise,
}

impl Plan {
    /// All of them, the smallest first.
    pub const ALL: [Self; 4] = [Self::Trial, Self::Growth, Self::Pro, Self::Enterprise];

    /// Its name in `sync.toml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Growth => "growth",
            Self::Pro => "pro",
            Self::Enterprise => "enterprise",
        }
    }

    /// The plan of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plan| plan.name() == name)
    }

    /// Calls a minute.
    #[must_use]
    pub const fn calls_per_minute(self) -> f64 {
        match self {
            Self::Trial => 50.0,
            Self::Growth => 200.0,
            Self::Pro => 400.0,
            Self::Enterprise => 700.0,
        }
    }

    /// The limits until headers say otherwise.
    #[must_use]
    pub fn limits(self) -> Limits {
        Limits {
            classes: classes(self.calls_per_minute()),
            classes_by_total: Some(classes),
            ..Limits::of(self.calls_per_minute(), MINUTE)
        }
    }
}

/// The limits of an account of which nothing is known but that it has some.
pub(super) fn unknown() -> Limits {
    Limits {
        classes_by_total: Some(classes),
        ..Limits::unknown()
    }
}

/// Total a minute, then ticket creates, ticket updates, ticket lists and contact lists, each a minute.
const TABLE: [[f64; 5]; 5] = [
    [2000.0, 800.0, 800.0, 400.0, 400.0],
    [1000.0, 400.0, 400.0, 300.0, 300.0],
    [700.0, 280.0, 280.0, 200.0, 200.0],
    [400.0, 160.0, 160.0, 100.0, 100.0],
    [200.0, 80.0, 80.0, 20.0, 20.0],
];

/// The classes' limits of an account with `total` calls a minute: those of the largest plan that is
/// no larger. Below the smallest plan with such limits they shrink with the total; a trial has none.
fn classes(total: f64) -> Vec<(Class, Rate)> {
    if total <= Plan::Trial.calls_per_minute() {
        return Vec::new();
    }
    let [.., smallest] = TABLE;
    let row = TABLE.into_iter().find(|row| row[0] <= total);
    let [of, create, update, tickets, contacts] = row.unwrap_or(smallest);
    let part = (total / of).min(1.0);
    [
        (TICKETS_CREATE, create),
        (TICKETS_UPDATE, update),
        (TICKETS_LIST, tickets),
        (CONTACTS_LIST, contacts),
    ]
    .map(|(class, calls)| {
        let calls = (calls * part).floor().max(1.0);
        (class, Rate { calls, per: MINUTE })
    })
    .to_vec()
}
