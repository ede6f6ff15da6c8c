//! Reads the attributes of a ticket strictly, and holds the ticket against the account's form.

use super::options::TicketOptions;
use super::record::{CLOSED, OUTBOUND, Ticket};
use super::talk::wrapped;
use crate::sandbox::freshdesk::form::{Form, is_email};
use crate::sandbox::freshdesk::list::instant;
use crate::sandbox::freshdesk::record::Standing;
use crate::sandbox::freshdesk::reply::Problem;
use crate::sandbox::freshdesk::service::Service;
use serde_json::Value;

/// The longest tag, in characters.
const TAG: usize = 32;

/// Where the attributes come from: each takes some that the others refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Create,
    Update,
    Bulk,
}

impl Service<'_> {
    /// One attribute but for those that name the requester.
    pub(super) fn ticket_attribute(
        &self,
        form: &mut Form,
        purpose: Purpose,
        (key, value): (&str, &Value),
        into: &mut Ticket,
    ) {
        let options = &self.options.tickets;
        match key {
            "priority" => number(form, key, value, &[1, 2, 3, 4], &mut into.priority),
            "status" => {
                let statuses: Vec<u64> = options.statuses.iter().map(|it| it.id).collect();
                number(form, key, value, &statuses, &mut into.status);
            }
            "source" => {
                let sources = [1, 2, 3, 5, 6, 7, 9, 11, OUTBOUND];
                number(form, key, value, &sources, &mut into.source);
            }
            "type" => form.choice(key, value, &options.types, &mut into.kind),
            "group_id" => into.group_id = self.known_group(form, value),
            "responder_id" => into.responder_id = self.known_agent(form, value),
            "tags" => tags(form, value, into),
            "custom_fields" => form.custom(&options.custom, value, &mut into.custom),
            "due_by" => moment(form, key, value, &mut into.due_by),
            "fr_due_by" => moment(form, key, value, &mut into.fr_due_by),
            "skip_close_notification" if purpose == Purpose::Bulk => {
                form.flag(key, value, &mut false);
            }
            _ if purpose == Purpose::Bulk => form.wrong(Problem::unknown(key)),
            "subject" | "description" if into.source == OUTBOUND && purpose == Purpose::Update => {
                let message = "It can not be updated for an outbound email ticket";
                form.wrong(Problem::new(key, "incompatible_field", message));
            }
            "subject" => form.name(key, value, &mut into.subject),
            "description" => {
                form.name(key, value, &mut into.description);
                into.description = wrapped(&into.description);
            }
            "company_id" => self.ticket_company(form, value, into),
            "cc_emails" if purpose == Purpose::Create => {
                let emails = form.texts(key, value).unwrap_or_default();
                if !emails.iter().all(|it| is_email(it)) {
                    let message =
                        "It should contain elements that are in the 'valid email address' format";
                    form.wrong(Problem::new(key, "invalid_value", message));
                }
                into.cc_emails = Some(emails);
            }
            _ => form.wrong(Problem::unknown(key)),
        }
    }

    fn known_group(&self, form: &mut Form, value: &Value) -> Option<u64> {
        if value.is_null() {
            return None;
        }
        let id = form.id("group_id", value)?;
        if !self.options.tickets.groups().any(|(group, _)| group == id) {
            let message = "There is no group matching the given group_id";
            form.wrong(Problem::new("group_id", "invalid_value", message));
        }
        Some(id)
    }

    fn known_agent(&self, form: &mut Form, value: &Value) -> Option<u64> {
        if value.is_null() {
            return None;
        }
        let id = form.id("responder_id", value)?;
        if !self.is_agent(id) {
            let message = "There is no contact matching the given responder_id";
            form.wrong(Problem::new("responder_id", "invalid_value", message));
        }
        Some(id)
    }

    pub(super) fn is_agent(&self, id: u64) -> bool {
        let promoted = self.account.contacts.get(id);
        id == self.account.agent || promoted.is_some_and(|it| it.standing == Standing::Agent)
    }

    fn ticket_company(&self, form: &mut Form, value: &Value, into: &mut Ticket) {
        const FIELD: &str = "company_id";
        if !self.options.multiple_companies {
            let message = "The multiple companies feature is not available to the account";
            form.wrong(Problem::new(FIELD, "inaccessible_field", message));
        } else if into.status == CLOSED {
            let message = "It can not be updated for a closed ticket";
            form.wrong(Problem::new(FIELD, "inconsistent_state", message));
        } else {
            into.company_id = match value {
                Value::Null => None,
                _ => self.known_company(form, FIELD, value),
            };
        }
    }
}

fn number(form: &mut Form, field: &str, value: &Value, choices: &[u64], into: &mut u64) {
    match value.as_u64() {
        Some(number) if choices.contains(&number) => *into = number,
        Some(_) => {
            let choices: Vec<String> = choices.iter().map(u64::to_string).collect();
            form.wrong(Problem::not_a_choice(field, &choices));
        }
        None => form.wrong(Problem::mismatch(field, value, "Integer")),
    }
}

fn moment(form: &mut Form, field: &str, value: &Value, into: &mut i64) {
    if let Some(millis) = value.as_str().and_then(instant) {
        *into = millis.div_euclid(1000);
        return;
    }
    let message = "It should be in the 'combined date and time ISO8601' format";
    form.wrong(Problem::new(field, "invalid_value", message));
}

fn tags(form: &mut Form, value: &Value, into: &mut Ticket) {
    const FIELD: &str = "tags";
    let Some(tags) = form.texts(FIELD, value) else {
        return;
    };
    if tags.iter().any(|tag| tag.chars().count() > TAG) {
        let message =
            format!("It should only contain elements that have maximum of {TAG} characters");
        form.wrong(Problem::new(FIELD, "invalid_value", message));
    }
    if tags.iter().any(|tag| tag.contains(',')) {
        let message = "It should not contain elements with the character(s): ','";
        form.wrong(Problem::new(FIELD, "invalid_value", message));
    }
    into.tags = tags;
}

/// What the form of the account refuses about the ticket as a whole, whichever attributes were sent:
/// what is mandatory and empty, and what is no longer among the choices.
pub(super) fn whole(form: &mut Form, ticket: &Ticket, options: &TicketOptions) {
    let closing = options.required_for_closure.iter();
    let closing = closing.filter(|_| ticket.is_done());
    for name in options.required_for_agents.iter().chain(closing) {
        let (field, empty) = filled(ticket, options, name);
        if empty && !form.problems.iter().any(|it| it.field == field) {
            let message = "It should not be blank as this is a mandatory field";
            form.wrong(Problem::new(&field, "missing_field", message));
        }
    }
    for (field, value) in options.custom.iter().zip(&ticket.custom) {
        if let Some(text) = value.as_str()
            && !field.choices.is_empty()
            && !field.choices.iter().any(|it| it == text)
        {
            let path = format!("custom_fields.{}", field.name);
            form.wrong(Problem::not_a_choice(&path, &field.choices));
        }
    }
    if let Some(kind) = &ticket.kind
        && !options.types.contains(kind)
    {
        form.wrong(Problem::not_a_choice("type", &options.types));
    }
}

/// The name in requests of a field of `GET /ticket_fields`, and whether the ticket lacks it.
fn filled(ticket: &Ticket, options: &TicketOptions, name: &str) -> (String, bool) {
    let (field, empty) = match name {
        "company" => ("company_id", ticket.company_id.is_none()),
        "ticket_type" => ("type", ticket.kind.is_none()),
        "group" => ("group_id", ticket.group_id.is_none()),
        "agent" => ("responder_id", ticket.responder_id.is_none()),
        _ => {
            let mut both = options.custom.iter().zip(&ticket.custom);
            let value = both.find(|(field, _)| field.name == name);
            let empty = value.is_some_and(|(_, it)| it.is_null() || *it == Value::Bool(false));
            return (format!("custom_fields.{name}"), empty);
        }
    };
    (field.to_owned(), empty)
}
