//! How many calls an account has, as far as known before its first answer.

use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

/// The class of endpoints that a call counts under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(pub &'static str);

impl Class {
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
    /// The account's time zone, in minutes east of UTC; nothing until the account says it.
    pub offset_minutes: Option<i32>,
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
