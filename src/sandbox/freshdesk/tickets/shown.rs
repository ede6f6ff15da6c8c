//! A ticket as each endpoint shows it: rows lack the description, answers to writes run behind.

use super::record::{Stats, Ticket, TicketStanding};
use crate::sandbox::freshdesk::fields::CustomField;
use crate::sandbox::freshdesk::record::{Custom, Stamp};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

/// A ticket and what is shown with it.
pub(super) struct TicketShown<'a> {
    pub(super) ticket: &'a Ticket,
    pub(super) fields: &'a [CustomField],
    /// `due_by` and `fr_due_by`; `None` while the server has not worked them out.
    pub(super) due: Option<(i64, i64)>,
    pub(super) description: bool,
    pub(super) stats: bool,
    /// What `include` added: name and value.
    pub(super) more: Vec<(&'static str, Value)>,
}

impl<'a> TicketShown<'a> {
    /// A row of a list.
    pub(super) const fn row(ticket: &'a Ticket, fields: &'a [CustomField]) -> Self {
        Self {
            ticket,
            fields,
            due: Some((ticket.due_by, ticket.fr_due_by)),
            description: false,
            stats: false,
            more: Vec::new(),
        }
    }

    /// One ticket alone.
    pub(super) fn view(ticket: &'a Ticket, fields: &'a [CustomField]) -> Self {
        Self {
            description: true,
            ..Self::row(ticket, fields)
        }
    }
}

impl Serialize for TicketShown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let it = self.ticket;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("cc_emails", &it.cc_emails)?;
        map.serialize_entry("fwd_emails", &it.cc_emails.as_ref().map(|_| [(); 0]))?;
        map.serialize_entry("reply_cc_emails", &it.cc_emails)?;
        map.serialize_entry("ticket_cc_emails", &it.cc_emails)?;
        map.serialize_entry("fr_escalated", &false)?;
        map.serialize_entry("spam", &(it.standing == TicketStanding::Spam))?;
        map.serialize_entry("email_config_id", &())?;
        map.serialize_entry("group_id", &it.group_id)?;
        map.serialize_entry("priority", &it.priority)?;
        map.serialize_entry("requester_id", &it.requester_id)?;
        map.serialize_entry("responder_id", &it.responder_id)?;
        map.serialize_entry("source", &it.source)?;
        map.serialize_entry("company_id", &it.company_id)?;
        map.serialize_entry("status", &it.status)?;
        map.serialize_entry("subject", &it.subject)?;
        map.serialize_entry("association_type", &())?;
        map.serialize_entry("support_email", &())?;
        map.serialize_entry("to_emails", &())?;
        map.serialize_entry("product_id", &())?;
        map.serialize_entry("id", &it.id)?;
        map.serialize_entry("type", &it.kind)?;
        map.serialize_entry("due_by", &self.due.map(|(due, _)| Stamp(due)))?;
        map.serialize_entry("fr_due_by", &self.due.map(|(_, due)| Stamp(due)))?;
        map.serialize_entry("is_escalated", &it.is_escalated)?;
        map.serialize_entry("custom_fields", &Custom(self.fields, &it.custom))?;
        map.serialize_entry("created_at", &Stamp(it.created_at))?;
        map.serialize_entry("updated_at", &Stamp(it.updated_at))?;
        map.serialize_entry("tags", &it.tags)?;
        map.serialize_entry("nr_due_by", &())?;
        map.serialize_entry("nr_escalated", &false)?;
        if self.description {
            map.serialize_entry("description", &it.description)?;
            map.serialize_entry("description_text", &plain(&it.description))?;
        }
        if self.stats {
            map.serialize_entry("stats", &stats(&it.stats))?;
        }
        if it.standing == TicketStanding::Deleted {
            map.serialize_entry("deleted", &true)?;
        }
        for (name, value) in &self.more {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn stats(stats: &Stats) -> Value {
    let at = |second: Option<i64>| second.map(|it| Stamp(it).to_string());
    json!({
        "agent_responded_at": at(stats.agent_responded_at),
        "requester_responded_at": at(stats.requester_responded_at),
        "first_responded_at": at(stats.first_responded_at),
        "status_updated_at": at(stats.status_updated_at),
        "reopened_at": at(stats.reopened_at),
        "resolved_at": at(stats.resolved_at),
        "closed_at": at(stats.closed_at),
        "pending_since": at(stats.pending_since),
    })
}

/// HTML without its tags.
pub(super) fn plain(html: &str) -> String {
    let mut inside = false;
    let text = html.chars().filter(|&c| {
        let shown = !inside && c != '<';
        inside = c == '<' || inside && c != '>';
        shown
    });
    text.collect()
}
