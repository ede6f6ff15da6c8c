//! A ticket rule, compiled: whose standing, which tickets, and what is done to them. Pure.

use super::Note;
use crate::model::{Image, Kind, Priority, TicketImage, Value, fingerprint};
use chrono::TimeDelta;
use serde_json::Number;

/// What a standing in the CRM does to tickets.
///
/// Groups, agents and statuses are named as in `sync.toml` in a `TicketRule<Named>`, and by the
/// account's own numbers in a [`TicketRule<Known>`]; only the latter can be planned with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketRule<N: Naming> {
    /// What it is called; unique.
    pub name: String,
    /// Whose standing: the ticket's requester, or the company that it was opened for.
    pub record: Kind,
    /// When the standing holds, by the CRM's fields.
    pub when: Standing,
    /// Which tickets are looked at, and no others.
    pub tickets: TicketFilter<N>,
    /// Raised to this, never lowered.
    pub priority: Option<Priority>,
    /// Added; others stay.
    pub tags: Vec<String>,
    /// Set once on a ticket.
    pub status: Option<N::Status>,
    /// Set once on a ticket.
    pub group: Option<N::Id>,
    /// Set once on a ticket.
    pub agent: Option<N::Id>,
    /// The type; set once on a ticket.
    pub category: Option<String>,
    /// The template of a private note, posted once on a ticket.
    pub note: Option<Note>,
    /// When the standing ends.
    pub on_end: OnEnd,
}

/// How statuses, groups and agents are named.
pub trait Naming: Clone + PartialEq + Eq + std::fmt::Debug {
    /// A status.
    type Status: Clone + PartialEq + Eq + std::fmt::Debug;
    /// A group or an agent.
    type Id: Clone + PartialEq + Eq + std::fmt::Debug;
}

/// As the admin wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {}

impl Naming for Named {
    type Status = TicketStatus;
    type Id = String;
}

/// As the account numbers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {}

impl Naming for Known {
    type Status = u32;
    type Id = i64;
}

/// A status of a ticket, as the admin named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketStatus {
    /// Freshdesk's number for it: 2 open, 3 pending, 4 resolved, 5 closed, the account's own above.
    Number(u32),
    /// One of the account's own, by its name.
    Named(String),
}

impl TicketStatus {
    /// Whether it says that the ticket is done: resolved or closed.
    #[must_use]
    pub const fn ends(&self) -> bool {
        matches!(self, Self::Number(4 | 5))
    }
}

/// What happens to a ticket that we touched when the standing ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnEnd {
    /// What we set and nobody changed since goes back.
    Restore,
    /// It stays.
    Keep,
}

/// Which tickets a rule looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketFilter<N: Naming> {
    /// In one of these.
    pub status: Vec<N::Status>,
    /// Of one of these types; of any where it is empty.
    pub category: Vec<String>,
    /// In one of these groups; in any or none where it is empty.
    pub group: Vec<N::Id>,
    /// With one of these tags; with any or none where it is empty.
    pub tags: Vec<String>,
    /// Opened at least this long ago.
    pub older_than: Option<TimeDelta>,
    /// Opened less than this long ago.
    pub newer_than: Option<TimeDelta>,
}

impl TicketRule<Named> {
    /// What tells the rule from an earlier one of the same name.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&format!("{self:?}"))
    }
}

impl TicketFilter<Known> {
    /// Whether a ticket that shows `image` is looked at, its age aside.
    #[must_use]
    pub fn admits(&self, image: &TicketImage) -> bool {
        let is_any = |wanted: &[String], has: &str| {
            wanted
                .iter()
                .any(|it| it.to_lowercase() == has.to_lowercase())
        };
        let category = image.category.as_deref().unwrap_or_default();
        self.status.contains(&image.status)
            && (self.category.is_empty() || is_any(&self.category, category))
            && (self.group.is_empty() || image.group.is_some_and(|it| self.group.contains(&it)))
            && (self.tags.is_empty() || image.tags.iter().any(|tag| is_any(&self.tags, tag)))
    }

    /// Whether a ticket of this age is looked at.
    #[must_use]
    pub fn admits_age(&self, age: TimeDelta) -> bool {
        self.older_than.is_none_or(|least| age >= least)
            && self.newer_than.is_none_or(|most| age < most)
    }
}

/// When a standing holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// When all of these do.
    All(Vec<Test>),
    /// When one of these does.
    Any(Vec<Test>),
}

/// One condition on one field of the CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// The CRM's name of the field.
    pub field: String,
    /// What its value has to be.
    pub check: Check,
}

/// What a value has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// One of these, letter case and blanks around aside; a list has to have one of them.
    In(Vec<Value>),
    /// A number that is not less than this.
    AtLeast(Number),
    /// Something, or (`false`) nothing.
    IsSet(bool),
}

impl Standing {
    /// The tests.
    #[must_use]
    pub fn tests(&self) -> &[Test] {
        match self {
            Self::All(tests) | Self::Any(tests) => tests,
        }
    }

    /// Whether it holds; `None` where that depends on a field that is unknown, which neither begins
    /// a standing nor ends one.
    #[must_use]
    pub fn holds(&self, image: &Image) -> Option<bool> {
        let (all, tests) = match self {
            Self::All(tests) => (true, tests),
            Self::Any(tests) => (false, tests),
        };
        let mut unknown = false;
        for test in tests {
            match test.holds(image) {
                None => unknown = true,
                Some(holds) if holds != all => return Some(holds),
                Some(_) => {}
            }
        }
        (!unknown).then_some(all)
    }
}

impl Test {
    fn holds(&self, image: &Image) -> Option<bool> {
        let value = image.get(&self.field)?;
        Some(match &self.check {
            Check::IsSet(set) => (*value != Value::Empty) == *set,
            Check::In(values) => values.iter().any(|wanted| shows(value, wanted)),
            Check::AtLeast(least) => figure(value).is_some_and(|it| {
                it.partial_cmp(&least.as_f64().unwrap_or(f64::INFINITY))
                    .is_some_and(std::cmp::Ordering::is_ge)
            }),
        })
    }
}

/// Whether `value` is what an admin would call `wanted`: CRMs return numbers and booleans as text,
/// and people write both.
fn shows(value: &Value, wanted: &Value) -> bool {
    let plain = |value: &Value| match value {
        Value::Text(text) => Some(text.trim().to_lowercase()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::List(_) | Value::Empty => None,
    };
    let wanted = plain(wanted);
    match value {
        Value::List(members) => members
            .iter()
            .any(|member| Some(member.trim().to_lowercase()) == wanted),
        value => wanted.is_some() && plain(value) == wanted,
    }
}

fn figure(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Text(text) => text.trim().parse().ok().filter(|it: &f64| it.is_finite()),
        Value::Bool(_) | Value::List(_) | Value::Empty => None,
    }
}
