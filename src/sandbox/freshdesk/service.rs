//! What the server does with records, whoever asks: a client of the API or a person at the screen.

use super::account::Account;
use super::form::{Form, is_email};
use super::options::Options;
use super::record::{Contact, Shape, Shown, Standing};
use super::reply::{Problem, Reply};
use axum::http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// The attributes of a request.
pub(super) type Body = Map<String, Value>;

/// The account during one call.
pub(super) struct Service<'a> {
    pub(super) account: &'a mut Account,
    pub(super) options: &'a Options,
    /// Milliseconds since 1970.
    pub(super) now: i64,
    /// The number of the request; 0 for what people do.
    pub(super) request: u64,
}

/// A contact needs at least one of these.
const IDENTIFIERS: &str = "email, mobile, phone, twitter_id, unique_external_id";
/// The most addresses of one contact besides the main one.
const MOST_EMAILS: usize = 10;

impl Service<'_> {
    pub(super) const fn second(&self) -> i64 {
        self.now.div_euclid(1000)
    }

    pub(super) const fn form(&self) -> Form {
        Form {
            problems: Vec::new(),
            strict: self.options.strict,
            rewrites: self.options.quirks.rewrites,
        }
    }

    pub(super) fn create_contact(&mut self, body: &Body) -> Result<Reply, Reply> {
        let id = self.account.next_id();
        let blank = Contact::new(id, self.options.schema.contact.len(), self.second());
        let mut contact = self.filled_contact(body, blank, true)?;
        if contact.company_id.is_none() {
            contact.company_id = self.company_by_domain(&contact, None);
        }
        let reply = self.echo_contact(StatusCode::CREATED, &contact);
        self.store_contact(contact, true);
        Ok(reply.with(header::LOCATION, location("contacts", id)))
    }

    pub(super) fn update_contact(&mut self, id: u64, body: &Body) -> Result<Reply, Reply> {
        let old = self.writable_contact(id, "PUT")?;
        let mut contact = self.filled_contact(body, old.clone(), false)?;
        if contact.company_id.is_none() && !body.contains_key("company_id") {
            contact.company_id = self.company_by_domain(&contact, Some(&old));
        }
        if contact == old {
            return Ok(self.echo_contact(StatusCode::OK, &old));
        }
        contact.updated_at = self.second();
        let reply = self.echo_contact(StatusCode::OK, &contact);
        self.store_contact(contact, true);
        Ok(reply)
    }

    /// The company that owns the domain of an address that `old` did not have.
    fn company_by_domain(&self, contact: &Contact, old: Option<&Contact>) -> Option<u64> {
        let known = |email: &String| old.is_some_and(|old| old.emails().any(|it| it == email));
        let mut news = contact.emails().filter(|email| !known(email));
        news.find_map(|email| self.account.companies.of_email(email))
    }

    /// A contact that the API can change: neither gone nor in the trash nor blocked.
    fn writable_contact(&self, id: u64, verb: &str) -> Result<Contact, Reply> {
        match self.account.contacts.get(id) {
            Some(contact) if contact.standing == Standing::Live => Ok(contact.clone()),
            Some(contact) if contact.standing != Standing::Agent => {
                Err(Reply::wrong_verb(verb, "GET"))
            }
            _ => Err(Reply::missing()),
        }
    }

    pub(super) fn delete_contact(&mut self, id: u64) -> Result<Reply, Reply> {
        let contact = self.writable_contact(id, "DELETE")?;
        self.place_contact(contact, Standing::Deleted);
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }

    /// Blocks and unblocks, which only people can do.
    pub(super) fn block_contact(&mut self, id: u64, block: bool) -> Result<Reply, Reply> {
        let (from, to) = if block {
            (Standing::Live, Standing::Blocked)
        } else {
            (Standing::Blocked, Standing::Live)
        };
        let contact = self.contact_at(id, from)?;
        self.place_contact(contact, to);
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }

    fn contact_at(&self, id: u64, standing: Standing) -> Result<Contact, Reply> {
        let contact = self
            .account
            .contacts
            .get(id)
            .filter(|it| it.standing == standing);
        contact.cloned().ok_or_else(Reply::missing)
    }

    fn place_contact(&mut self, mut contact: Contact, standing: Standing) {
        let into_hiding = standing != Standing::Live;
        contact.standing = standing;
        if !(into_hiding && self.options.quirks.silent_deletes) {
            contact.updated_at = self.second();
        }
        self.store_contact(contact, false);
    }

    pub(super) fn restore_contact(&mut self, id: u64) -> Result<Reply, Reply> {
        let contact = self.contact_at(id, Standing::Deleted)?;
        self.place_contact(contact, Standing::Live);
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }

    pub(super) fn invite_contact(&mut self, id: u64) -> Result<Reply, Reply> {
        self.writable_contact(id, "PUT")?;
        self.account.mails += 1;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }

    pub(super) fn hard_delete_contact(&mut self, id: u64, force: bool) -> Result<Reply, Reply> {
        let contact = self.account.contacts.get(id);
        match contact.map(|it| it.standing) {
            None | Some(Standing::Agent) => return Err(Reply::missing()),
            Some(Standing::Deleted) => {}
            Some(_) if force => {}
            Some(_) => {
                let message = "The contact has to be soft deleted first";
                let problem = Problem::new("force", "inconsistent_state", message);
                return Err(Reply::invalid(&[problem]));
            }
        }
        self.drop_contact(id);
        self.drop_tickets_of(id);
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }

    pub(super) fn promote_contact(&mut self, id: u64) -> Result<Reply, Reply> {
        let mut contact = self.writable_contact(id, "PUT")?;
        if contact.email.is_none() {
            let message = "Contact with email id can only be converted to agent";
            let problem = Problem::new("email", "inconsistent_state", message);
            return Err(Reply::invalid(&[problem]));
        }
        let agents = 1 + self
            .account
            .contacts
            .iter()
            .filter(|it| it.standing == Standing::Agent)
            .count();
        if agents >= self.options.agent_seats {
            let message = "You have reached the maximum number of agents.";
            return Err(Reply::coded(
                StatusCode::FORBIDDEN,
                "max_agents_reached",
                message,
            ));
        }
        contact.other_emails.clear();
        self.place_contact(contact.clone(), Standing::Agent);
        Ok(Reply::json(StatusCode::OK, &super::api::agent(&contact)))
    }

    pub(super) fn demote_agent(&mut self, id: u64) -> Result<Reply, Reply> {
        let mut contact = self.contact_at(id, Standing::Agent)?;
        contact.active = false;
        self.place_contact(contact, Standing::Live);
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }

    /// Applies `body` to `contact`, with every check but for what depends on the verb.
    fn filled_contact(&self, body: &Body, contact: Contact, new: bool) -> Result<Contact, Reply> {
        let mut form = self.form();
        let mut contact = contact;
        if new {
            form.demand(body, "name");
        }
        for (key, value) in body {
            self.contact_attribute(&mut form, key, value, &mut contact);
        }
        let identified = contact.email.is_some()
            || contact.phone.is_some()
            || contact.mobile.is_some()
            || contact.twitter_id.is_some()
            || contact.unique_external_id.is_some();
        if !identified && form.problems.is_empty() {
            let message = format!("Please fill at least 1 of {IDENTIFIERS} fields");
            form.wrong(Problem::new("email", "missing_field", message));
        }
        form.accept()?;
        if let Some(email) = &contact.email {
            contact.other_emails.retain(|other| other != email);
        }
        let bare = self.options.quirks.bare_conflicts;
        let conflicts = self.account.contacts.conflicts(&contact, bare);
        if conflicts.is_empty() {
            return Ok(contact);
        }
        Err(Reply::conflict(&conflicts))
    }

    fn contact_attribute(&self, form: &mut Form, key: &str, value: &Value, into: &mut Contact) {
        match key {
            "name" => form.name(key, value, &mut into.name),
            "email" => form.email(key, value, &mut into.email),
            "phone" => form.number(key, value, &mut into.phone),
            "mobile" => form.number(key, value, &mut into.mobile),
            "twitter_id" => form.text(key, value, &mut into.twitter_id),
            "unique_external_id" => form.text(key, value, &mut into.unique_external_id),
            "address" => form.text(key, value, &mut into.address),
            "description" => form.paragraph(key, value, &mut into.description),
            "job_title" => form.text(key, value, &mut into.job_title),
            "language" => form.name(key, value, &mut into.language),
            "time_zone" => form.name(key, value, &mut into.time_zone),
            "tags" => {
                if let Some(tags) = form.texts(key, value) {
                    into.tags = tags;
                }
            }
            "other_emails" => other_emails(form, value, into),
            "company_id" => {
                into.company_id = match value {
                    Value::Null => None,
                    _ => self.known_company(form, key, value),
                };
            }
            "view_all_tickets" => form.flag(key, value, &mut into.view_all_tickets),
            "other_companies" => self.other_companies(form, value, into),
            "custom_fields" => form.custom(&self.options.schema.contact, value, &mut into.custom),
            _ => form.wrong(Problem::unknown(key)),
        }
    }

    pub(super) fn known_company(&self, form: &mut Form, field: &str, value: &Value) -> Option<u64> {
        let id = form.id(field, value)?;
        if self.account.companies.get(id).is_none() {
            let message = "There is no company matching the given company_id";
            form.wrong(Problem::new(field, "invalid_value", message));
        }
        Some(id)
    }

    fn other_companies(&self, form: &mut Form, value: &Value, into: &mut Contact) {
        const FIELD: &str = "other_companies";
        if !self.options.multiple_companies {
            let message = "The multiple companies feature is not available to the account";
            form.wrong(Problem::new(FIELD, "inaccessible_field", message));
            return;
        }
        let Value::Array(rows) = value else {
            form.wrong(Problem::mismatch(FIELD, value, "Array"));
            return;
        };
        into.other_companies.clear();
        for row in rows {
            let Value::Object(row) = row else {
                form.wrong(Problem::mismatch(FIELD, row, "key/value pair"));
                continue;
            };
            let id = row.get("company_id").unwrap_or(&Value::Null);
            let all = row
                .get("view_all_tickets")
                .is_some_and(|it| *it == Value::Bool(true));
            if let Some(id) = self.known_company(form, FIELD, id) {
                into.other_companies.push((id, all));
            }
        }
    }

    fn echo_contact(&mut self, status: StatusCode, contact: &Contact) -> Reply {
        self.show_contact(status, contact, Shape::Echo)
    }

    pub(super) fn show_contact(
        &mut self,
        status: StatusCode,
        record: &Contact,
        shape: Shape,
    ) -> Reply {
        let shown = Shown {
            record,
            fields: &self.options.schema.contact,
            shape,
            nonce: self.account.nonce(),
        };
        Reply::json(status, &shown)
    }

    /// `answered`: the client was told an `updated_at`, which some servers then move on.
    fn store_contact(&mut self, mut contact: Contact, answered: bool) {
        if answered && self.options.quirks.second_tick {
            contact.updated_at += 1;
        }
        let old = || self.account.contacts.get(contact.id).cloned();
        let lag = self.options.search_lag;
        self.account
            .old_contacts
            .note(contact.id, old, lag, self.now);
        self.account.contacts.put(contact);
    }

    pub(super) fn drop_contact(&mut self, id: u64) -> Option<Contact> {
        let contact = self.account.contacts.take(id)?;
        let lag = self.options.search_lag;
        let old = || Some(contact.clone());
        self.account.old_contacts.note(id, old, lag, self.now);
        Some(contact)
    }

    /// Puts a contact back whose values are already known to be good.
    pub(super) fn keep_contact(&mut self, contact: Contact) {
        self.store_contact(contact, false);
    }
}

fn other_emails(form: &mut Form, value: &Value, into: &mut Contact) {
    const FIELD: &str = "other_emails";
    let Some(emails) = form.texts(FIELD, value) else {
        return;
    };
    if emails.len() > MOST_EMAILS {
        let message = format!(
            "Has {} elements, it can have maximum of {MOST_EMAILS}",
            emails.len()
        );
        form.wrong(Problem::new(FIELD, "invalid_value", message));
    }
    if !emails.iter().all(|email| is_email(email)) {
        let message = "It should contain elements that are in the 'valid email address' format";
        form.wrong(Problem::new(FIELD, "invalid_value", message));
    }
    into.other_emails = emails.iter().map(|email| email.to_lowercase()).collect();
}

pub(super) fn location(kind: &str, id: u64) -> HeaderValue {
    // The host is put in front where the answer leaves.
    HeaderValue::try_from(format!("/api/v2/{kind}/{id}"))
        .unwrap_or_else(|_| HeaderValue::from_static("/"))
}
