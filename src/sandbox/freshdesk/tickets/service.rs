//! What the server does with tickets, whoever asks.

use super::attributes::{Purpose, whole};
use super::record::{Ticket, TicketStanding};
use super::shown::TicketShown;
use crate::sandbox::freshdesk::form::Form;
use crate::sandbox::freshdesk::record::Standing;
use crate::sandbox::freshdesk::reply::{Problem, Reply};
use crate::sandbox::freshdesk::service::{Body, Service, location};
use axum::http::{StatusCode, header};
use serde_json::{Value, json};

/// The attributes that say who asks.
const REQUESTER: [&str; 5] = [
    "requester_id",
    "email",
    "name",
    "phone",
    "unique_external_id",
];

/// Whom the attributes name.
enum Requester {
    Known(u64),
    /// Nobody yet; a contact with these attributes is made.
    New(Body),
    Nobody,
}

impl Service<'_> {
    /// A call of the API; the customer is told of a new ticket.
    pub(super) fn create_ticket(&mut self, body: &Body) -> Result<Reply, Reply> {
        let ticket = self.new_ticket(body)?;
        self.account.mails += 1;
        let shown = TicketShown {
            due: None,
            ..TicketShown::view(&ticket, &self.options.tickets.custom)
        };
        let reply = Reply::json(StatusCode::CREATED, &shown);
        Ok(reply.with(header::LOCATION, location("tickets", ticket.id)))
    }

    /// A ticket with these attributes, whoever makes it.
    pub(super) fn new_ticket(&mut self, body: &Body) -> Result<Ticket, Reply> {
        let custom = self.options.tickets.custom.len();
        let mut ticket = Ticket::new(0, 0, custom, self.second());
        let mut form = self.form();
        for field in ["subject", "description"] {
            form.demand(body, field);
        }
        let requester = self.requester(&mut form, body, true);
        let mut own_company = None;
        if let Requester::Known(id) = requester {
            own_company = self.account.contacts.get(id).and_then(|it| it.company_id);
        }
        ticket.company_id = own_company;
        self.read_ticket(&mut form, Purpose::Create, body, &mut ticket);
        whole(&mut form, &ticket, &self.options.tickets);
        form.accept()?;
        ticket.requester_id = match requester {
            Requester::Known(id) => id,
            Requester::New(person) => self.newcomer(&person)?,
            Requester::Nobody => return Err(Reply::missing()),
        };
        if !body.contains_key("company_id") {
            let requester = self.account.contacts.get(ticket.requester_id);
            ticket.company_id = requester.and_then(|it| it.company_id);
        }
        if !body.contains_key("due_by") {
            ticket.set_due();
        }
        ticket.note_status(super::record::OPEN, self.second());
        ticket.id = self.account.tickets.next_id();
        self.store_ticket(ticket.clone(), true);
        self.set_off(None, &ticket);
        Ok(ticket)
    }

    fn newcomer(&mut self, person: &Body) -> Result<u64, Reply> {
        let reply = self.create_contact(person)?;
        let contact: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let id = contact.get("id").and_then(Value::as_u64);
        id.ok_or_else(Reply::missing)
    }

    fn read_ticket(&self, form: &mut Form, purpose: Purpose, body: &Body, into: &mut Ticket) {
        for (key, value) in body {
            let names_requester = REQUESTER.contains(&key.as_str());
            if purpose == Purpose::Bulk || !names_requester {
                self.ticket_attribute(form, purpose, (key, value), into);
            }
        }
    }

    fn requester(&self, form: &mut Form, body: &Body, new: bool) -> Requester {
        let contacts = &self.account.contacts;
        let given = REQUESTER
            .iter()
            .find_map(|&key| Some((key, body.get(key)?)));
        let Some((key, value)) = given else {
            if new {
                let message = "One of the following fields is mandatory: requester_id, phone, \
                               email, unique_external_id";
                form.wrong(Problem::new("requester_id", "missing_field", message));
            }
            return Requester::Nobody;
        };
        let found = match (key, value.as_str()) {
            ("requester_id", _) => form.id(key, value),
            ("email", Some(email)) => contacts.with_email(&email.to_lowercase()),
            ("phone", Some(phone)) => contacts.with_phone(phone).first().copied(),
            ("unique_external_id", Some(id)) => contacts.with_external_id(id),
            ("name", _) => None,
            _ => {
                form.wrong(Problem::mismatch(key, value, "String"));
                return Requester::Nobody;
            }
        };
        let usable = |id: &u64| {
            let standing = contacts.get(*id).map(|it| it.standing);
            matches!(standing, Some(Standing::Live | Standing::Agent)) || self.is_agent(*id)
        };
        match found.filter(usable) {
            Some(id) => Requester::Known(id),
            None if new && found.is_none() && matches!(key, "email" | "name" | "phone") => {
                let named = REQUESTER.iter().filter(|it| **it != "requester_id");
                let named = named.filter_map(|&it| Some((it.to_owned(), body.get(it)?.clone())));
                let mut person: Body = named.collect();
                let local = value.as_str().and_then(|it| it.split('@').next());
                let name = Value::from(local.unwrap_or_default());
                person.entry("name").or_insert(name);
                Requester::New(person)
            }
            None => {
                let message = format!("There is no contact matching the given {key}");
                form.wrong(Problem::new(key, "invalid_value", message));
                Requester::Nobody
            }
        }
    }

    /// A call of the API; the customer is told when the ticket is resolved or closed.
    pub(super) fn update_ticket(&mut self, id: u64, body: &Body) -> Result<Reply, Reply> {
        let (old, ticket) = self.change_ticket(id, body, Purpose::Update)?;
        if ticket.is_done() && !old.is_done() {
            self.account.mails += 1;
        }
        let due = if body.contains_key("due_by") {
            &ticket
        } else {
            &old
        };
        let shown = TicketShown {
            // Worked out anew some time after the answer.
            due: Some((due.due_by, due.fr_due_by)),
            ..TicketShown::view(&ticket, &self.options.tickets.custom)
        };
        Ok(Reply::json(StatusCode::OK, &shown))
    }

    /// The ticket before and after; automations may have changed it again.
    pub(super) fn change_ticket(
        &mut self,
        id: u64,
        body: &Body,
        purpose: Purpose,
    ) -> Result<(Ticket, Ticket), Reply> {
        let old = self.writable_ticket(id, "PUT")?;
        let mut ticket = old.clone();
        let mut form = self.form();
        if purpose == Purpose::Update
            && let Requester::Known(id) = self.requester(&mut form, body, false)
        {
            ticket.requester_id = id;
        }
        self.read_ticket(&mut form, purpose, body, &mut ticket);
        whole(&mut form, &ticket, &self.options.tickets);
        form.accept()?;
        if ticket == old {
            return Ok((old.clone(), old));
        }
        self.finish_change(&old, &mut ticket, body.contains_key("due_by"));
        self.store_ticket(ticket.clone(), true);
        self.set_off(Some(&old), &ticket);
        Ok((old, ticket))
    }

    /// Brings in step what follows from a change.
    pub(super) fn finish_change(&self, old: &Ticket, ticket: &mut Ticket, due_given: bool) {
        if ticket.priority != old.priority && !due_given {
            ticket.set_due();
            ticket.is_escalated = false;
        }
        ticket.note_status(old.status, self.second());
        ticket.updated_at = self.second();
    }

    /// A ticket that can be written: neither in the trash nor in spam.
    pub(super) fn writable_ticket(&self, id: u64, verb: &str) -> Result<Ticket, Reply> {
        let ticket = self.account.tickets.get(id).ok_or_else(Reply::missing)?;
        match ticket.standing {
            TicketStanding::Live => Ok(ticket.clone()),
            TicketStanding::Archived => Err(Reply::missing()),
            _ => Err(Reply::wrong_verb(verb, "GET")),
        }
    }

    /// Moves a ticket between the list, the trash and spam.
    pub(super) fn place_ticket(
        &mut self,
        id: u64,
        from: TicketStanding,
        to: TicketStanding,
    ) -> Result<Reply, Reply> {
        let ticket = self.account.tickets.get(id).ok_or_else(Reply::missing)?;
        if ticket.standing != from {
            let refused = self.writable_ticket(id, "DELETE").err();
            let refused = refused.filter(|_| from == TicketStanding::Live);
            return Err(refused.unwrap_or_else(Reply::missing));
        }
        let mut ticket = ticket.clone();
        ticket.standing = to;
        if to != TicketStanding::Archived {
            ticket.updated_at = self.second();
        }
        self.store_ticket(ticket, false);
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }

    /// `answered`: the client was told an `updated_at`, which some servers then move on.
    pub(super) fn store_ticket(&mut self, mut ticket: Ticket, answered: bool) {
        if answered && self.options.quirks.second_tick {
            ticket.updated_at += 1;
        }
        let old = || self.account.tickets.get(ticket.id).cloned();
        let lag = self.options.search_lag;
        self.account.old_tickets.note(ticket.id, old, lag, self.now);
        self.account.tickets.put(ticket);
    }

    /// The contact is gone for good, and with it all that it ever asked.
    pub(crate) fn drop_tickets_of(&mut self, requester: u64) {
        for id in self.account.tickets.of_requester(requester) {
            self.account.tickets.take(id);
            self.account.talk.forget(id);
        }
    }

    /// The company is gone for good: its tickets stay without it, and so do their stamps.
    pub(crate) fn release_tickets_of(&mut self, company: u64) {
        for id in self.account.tickets.of_company(company) {
            if let Some(mut ticket) = self.account.tickets.get(id).cloned() {
                ticket.company_id = None;
                self.account.tickets.put(ticket);
            }
        }
    }

    /// Contacts were merged: the tickets of `from` are `to`'s, their stamps and companies stay.
    pub(crate) fn hand_over_tickets(&mut self, from: u64, to: u64) {
        for id in self.account.tickets.of_requester(from) {
            if let Some(mut ticket) = self.account.tickets.get(id).cloned() {
                ticket.requester_id = to;
                self.account.tickets.put(ticket);
            }
        }
    }

    /// A person as tickets include one.
    pub(super) fn requester_card(&self, id: u64) -> Value {
        match self.account.contacts.get(id) {
            Some(it) => json!({
                "id": it.id,
                "name": it.name,
                "email": it.email,
                "mobile": it.mobile,
                "phone": it.phone,
            }),
            None => Value::Null,
        }
    }

    /// A company as tickets include one; `{}` for none.
    pub(super) fn company_card(&self, id: Option<u64>) -> Value {
        let company = id.and_then(|id| self.account.companies.get(id));
        company.map_or_else(|| json!({}), |it| json!({"id": it.id, "name": it.name}))
    }
}
