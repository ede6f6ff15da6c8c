//! Accounts whose limits we know by heart.

use deskbridge::remote::freshdesk::{CONTACTS_LIST, Plan, TICKETS_UPDATE};
use deskbridge::remote::governor::{Class, Daily, Limits, Rate};
use std::time::Duration;

/// HubSpot's searches.
pub(crate) const SEARCH: Class = Class("search");

const MINUTE: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);

/// An account at one of the systems.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Account {
    Freshdesk(Plan),
    /// HubSpot's, with so many calls in ten seconds and so many minutes east.
    Hubspot(f64, i32),
    /// One of which no limit is known.
    Odoo,
}

impl Account {
    /// One of each.
    pub(crate) const ALL: [Self; 6] = [
        Self::Freshdesk(Plan::Trial),
        Self::Freshdesk(Plan::Growth),
        Self::Freshdesk(Plan::Pro),
        Self::Freshdesk(Plan::Enterprise),
        Self::Hubspot(100.0, -300),
        Self::Hubspot(190.0, 120),
    ];

    /// What is known of it before its first answer.
    pub(crate) fn limits(self) -> Limits {
        match self {
            Self::Freshdesk(plan) => plan.limits(),
            Self::Hubspot(calls, offset_minutes) => Limits {
                classes: vec![(
                    SEARCH,
                    Rate {
                        calls: 5.0,
                        per: SECOND,
                    },
                )],
                daily: Some(Daily {
                    calls: None,
                    offset_minutes: Some(offset_minutes),
                }),
                ..Limits::of(calls, 10 * SECOND)
            },
            Self::Odoo => Limits::unknown(),
        }
    }

    /// The limit of a class where the account has `total`, by the vendors' tables.
    pub(crate) fn class(self, class: Class, total: f64) -> Option<Rate> {
        let calls = match (self, class) {
            (Self::Hubspot(..), SEARCH) => {
                return Some(Rate {
                    calls: 5.0,
                    per: SECOND,
                });
            }
            (Self::Freshdesk(_), CONTACTS_LIST) => match total {
                ..=50.0 => return None,
                ..200.0 => (total / 10.0).floor().max(1.0),
                ..400.0 => 20.0,
                ..700.0 => 100.0,
                ..1000.0 => 200.0,
                _ => 300.0,
            },
            (Self::Freshdesk(_), TICKETS_UPDATE) => match total {
                ..=50.0 => return None,
                ..200.0 => (total * 0.4).floor(),
                ..400.0 => 80.0,
                ..700.0 => 160.0,
                ..1000.0 => 280.0,
                _ => 400.0,
            },
            _ => return None,
        };
        Some(Rate { calls, per: MINUTE })
    }
}
