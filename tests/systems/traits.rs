//! What sort of system it is: which promises it keeps, and which oddities it has.

use deskbridge::model::{Kind, Value};
use deskbridge::remote::Caps;
use std::time::Duration;

/// What a system makes of the texts that it is given, people's and ours alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrite {
    /// Keeps them.
    Nothing,
    /// Cuts off blanks.
    Trims,
    /// Cuts off blanks and makes e-mail addresses small.
    TrimsAndLowers,
}

impl Rewrite {
    pub fn of(self, field: &str, value: &Value) -> Value {
        let Value::Text(text) = value else {
            return value.clone();
        };
        match self {
            Self::Nothing => value.clone(),
            Self::TrimsAndLowers if field == "email" => Value::text(text.trim().to_lowercase()),
            Self::Trims | Self::TrimsAndLowers => Value::text(text.trim()),
        }
    }
}

/// In which order pages show what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By id: a record that changes behind the reader is not shown again.
    Id,
    /// By the time of the change: a record that changes moves to the end.
    Time,
}

/// One system's nature.
#[derive(Debug, Clone)]
pub struct Traits {
    pub caps: Caps,
    /// Whether times are whole seconds.
    pub seconds: bool,
    /// How long at most until a change shows in a search, in milliseconds.
    pub index_lag: i64,
    /// How far in the past a change may surface, in milliseconds.
    pub late: i64,
    pub rewrite: Rewrite,
    /// Which fields no two live records share.
    pub unique: &'static [(Kind, &'static str)],
    /// Whether a refused create names who has the value.
    pub names_holder: bool,
    /// Whether who asks for a record that was merged away is shown the one that it was merged into.
    pub names_heir: bool,
    /// Rows a page.
    pub page: usize,
    pub order: Order,
    /// The first id.
    pub first: u64,
}

impl Traits {
    /// A CRM whose searches lag.
    pub fn searching() -> Self {
        Self {
            caps: Caps {
                create_batch: 4,
                update_batch: 4,
                delete_batch: 4,
                fetch_batch: 4,
                in_flight: 2,
                overlap: Duration::from_mins(5),
                overlap_hourly: Duration::from_hours(2),
                trash_in_changes: false,
                soft_delete: |_| true,
                lookup_lag: Duration::from_mins(5),
            },
            seconds: false,
            index_lag: 240_000,
            late: 0,
            rewrite: Rewrite::Nothing,
            unique: &[(Kind::Contact, "email")],
            names_holder: true,
            names_heir: true,
            page: 4,
            order: Order::Id,
            first: 1001,
        }
    }

    /// A CRM of one's own: consistent, in whole seconds, whose changes surface late.
    pub fn own() -> Self {
        Self {
            caps: Caps {
                overlap: Duration::from_mins(15),
                trash_in_changes: true,
                lookup_lag: Duration::ZERO,
                ..Self::searching().caps
            },
            seconds: true,
            index_lag: 0,
            late: 600_000,
            unique: &[],
            order: Order::Time,
            ..Self::searching()
        }
    }

    /// A helpdesk.
    pub fn desk() -> Self {
        Self {
            caps: Caps {
                create_batch: 1,
                update_batch: 1,
                delete_batch: 1,
                fetch_batch: 5,
                in_flight: 3,
                overlap: Duration::from_secs(30),
                overlap_hourly: Duration::from_mins(10),
                trash_in_changes: false,
                soft_delete: |kind| kind == Kind::Contact,
                lookup_lag: Duration::ZERO,
            },
            seconds: true,
            index_lag: 0,
            late: 0,
            rewrite: Rewrite::Nothing,
            unique: &[(Kind::Contact, "email"), (Kind::Company, "name")],
            names_holder: true,
            names_heir: false,
            page: 3,
            order: Order::Id,
            first: 9001,
        }
    }
}
