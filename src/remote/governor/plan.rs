//! How many calls an account has, as far as known before its first answer.

use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

/// The class of endpoints that a call counts under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(pub &'static str);

impl Class {
    /// Freshdesk's list of contacts.
    pub const CONTACTS_LIST: Self = Self("contacts.list");
    /// Freshdesk's list of tickets.
    pub const TICKETS_LIST: Self = Self("tickets.list");
    /// Freshdesk's creation of tickets.
    pub const TICKETS_CREATE: Self = Self("tickets.create");
    /// Freshdesk's update of tickets.
    pub const TICKETS_UPDATE: Self = Self("tickets.update");
    /// Everything that has no limit of its own.
    pub const OTHER: Self = Self("other");
}

/// A number of calls per window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Calls in a window; more than zero.
    pub calls: f64,
    /// The window's length.
    pub per: Duration,
}

/// A quota that comes back at midnight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Daily {
    /// Calls in a day; nothing until a header says.
    pub calls: Option<f64>,
    /// The account's time zone, in minutes east of UTC.
    pub offset_minutes: i32,
}

/// The limits of classes that go with a total.
pub type ByTotal = fn(f64) -> Vec<(Class, Rate)>;

/// What is known of an account's limits.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Calls in a window until headers say otherwise; nothing where no limit is known.
    pub calls: Option<f64>,
    /// The window that `calls` and the headers speak of.
    pub per: Duration,
    /// Limits of single classes.
    pub classes: Vec<(Class, Rate)>,
    /// The classes' limits of an account with so many calls a window, where the plan decides both.
    pub classes_by_total: Option<ByTotal>,
    /// The daily quota.
    pub daily: Option<Daily>,
}

impl Limits {
    /// A system without a limit of which we know, until its headers name one per minute.
    #[must_use]
    pub const fn unknown() -> Self {
        Self {
            calls: None,
            per: MINUTE,
            classes: Vec::new(),
            classes_by_total: None,
            daily: None,
        }
    }

    /// So many calls a window, without classes.
    #[must_use]
    pub const fn of(calls: f64, per: Duration) -> Self {
        Self {
            calls: Some(calls),
            per,
            classes: Vec::new(),
            classes_by_total: None,
            daily: None,
        }
    }
}

/// A Freshdesk plan, as the vendor names it.
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
    /// The plan of that name: `trial`, `growth`, `pro`, `enterprise`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "trial" => Some(Self::Trial),
            "growth" => Some(Self::Growth),
            "pro" => Some(Self::Pro),
            "enterprise" => Some(Self::Enterprise),
            _ => None,
        }
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
        (Class::TICKETS_CREATE, create),
        (Class::TICKETS_UPDATE, update),
        (Class::TICKETS_LIST, tickets),
        (Class::CONTACTS_LIST, contacts),
    ]
    .map(|(class, calls)| {
        let calls = (calls * part).floor().max(1.0);
        (class, Rate { calls, per: MINUTE })
    })
    .to_vec()
}
