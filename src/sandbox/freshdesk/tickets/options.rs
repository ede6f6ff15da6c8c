//! What the account's tickets are like: statuses, forms, limits, habits of the server.

use crate::sandbox::freshdesk::fields::{CustomField, FieldType};
use chrono::TimeDelta;

/// A status that tickets can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// 2 to 5 are every account's own.
    pub id: u64,
    /// What agents see.
    pub label: String,
    /// What customers see.
    pub for_customers: String,
}

impl Status {
    /// A status with its two names.
    #[must_use]
    pub fn new(id: u64, label: &str, for_customers: &str) -> Self {
        Self {
            id,
            label: label.to_owned(),
            for_customers: for_customers.to_owned(),
        }
    }
}

/// Calls per minute about tickets, within the total; "Rate Limit" in the API reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TicketLimits {
    /// `GET /tickets`.
    pub list: u32,
    /// `POST /tickets`.
    pub create: u32,
    /// `PUT /tickets/{id}` and `POST /tickets/bulk_update`.
    pub update: u32,
}

/// The account's tickets and their form.
#[derive(Debug, Clone)]
pub struct TicketOptions {
    /// Statuses in the order of the form.
    pub statuses: Vec<Status>,
    /// The choices of `type`.
    pub types: Vec<String>,
    /// The names of the groups; the ids are in [`group_id`](Self::group_id).
    pub groups: Vec<String>,
    /// Custom fields in the order of the form; names begin with `cf_`.
    pub custom: Vec<CustomField>,
    /// Names as in `GET /ticket_fields` (`company`, `ticket_type`, `group`, `agent`, `cf_…`): no write
    /// succeeds on a ticket where one of them is empty.
    pub required_for_agents: Vec<String>,
    /// The same for tickets that are, or become, resolved or closed.
    pub required_for_closure: Vec<String>,
    /// `None`: as the plan of [`Limits`](super::super::Limits) has them.
    pub limits: Option<TicketLimits>,
    /// How many ids `bulk_update` takes.
    pub bulk_ids: usize,
    /// How often a job answers that it is in progress; it works when it is asked once more.
    pub job_polls: u32,
    /// After so long a job works, asked or not.
    pub job_time: TimeDelta,
    /// Whether a filter of the list that leads to nobody is 400; else the list is empty.
    pub strict_filters: bool,
    /// Names of groups: the key's agent may see their tickets alone, lists leave the others out
    /// without a word. `None`: all tickets.
    pub scope: Option<Vec<String>>,
    /// Whether open tickets escalate when they are overdue, which moves their `updated_at`.
    pub escalates: bool,
}

impl Default for TicketOptions {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|&it| it.to_owned()).collect();
        Self {
            statuses: vec![
                Status::new(2, "Open", "Being Processed"),
                Status::new(3, "Pending", "Awaiting your Reply"),
                Status::new(4, "Resolved", "This ticket has been Resolved"),
                Status::new(5, "Closed", "This ticket has been Closed"),
                Status::new(6, "Waiting on Customer", "Awaiting your Reply"),
                Status::new(7, "Waiting on Third Party", "Being Processed"),
            ],
            types: texts(&[
                "Question",
                "Incident",
                "Problem",
                "Feature Request",
                "Refund",
            ]),
            groups: texts(&["Product Management", "QA", "Sales"]),
            custom: vec![
                CustomField::dropdown("cf_reason", &["Broken", "Late", "Wrong"]),
                CustomField::new("cf_order_number", FieldType::Text),
            ],
            required_for_agents: Vec::new(),
            required_for_closure: Vec::new(),
            limits: None,
            bulk_ids: 100,
            job_polls: 1,
            job_time: TimeDelta::seconds(5),
            strict_filters: true,
            scope: None,
            escalates: true,
        }
    }
}

/// Before the id of the first group.
const GROUPS: u64 = 158_000_050_000;

impl TicketOptions {
    /// The id of the group with this name.
    #[must_use]
    pub fn group_id(&self, name: &str) -> Option<u64> {
        let mut groups = self.groups();
        groups.find(|(_, it)| *it == name).map(|(id, _)| id)
    }

    /// Whether the key's agent may see a ticket of this group.
    pub(super) fn may_see(&self, group: Option<u64>) -> bool {
        let Some(scope) = &self.scope else {
            return true;
        };
        scope
            .iter()
            .any(|name| group.is_some() && self.group_id(name) == group)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = (u64, &str)> {
        (GROUPS + 1..).zip(self.groups.iter().map(String::as_str))
    }
}
