//! `POST /contacts/merge`: one contact takes over what others have, and they are gone for good.

use super::form::Form;
use super::record::{Contact, Standing};
use super::reply::{Problem, Reply};
use super::service::{Body, Service};
use axum::http::StatusCode;
use serde_json::Value;

/// The most addresses that a merged contact may have.
const MOST_EMAILS: usize = 10;

impl Service<'_> {
    /// `{primary_contact_id, secondary_contact_ids, contact: {…}}`.
    pub(super) fn merge_contacts(&mut self, body: &Body) -> Result<Reply, Reply> {
        let mut form = Form {
            problems: Vec::new(),
            strict: self.options.strict,
            rewrites: false,
        };
        let (primary, secondaries) = self.partners(&mut form, body);
        let given = match body.get("contact") {
            None | Some(Value::Null) => Body::new(),
            Some(Value::Object(given)) => given.clone(),
            Some(other) => {
                form.wrong(Problem::mismatch("contact", other, "key/value pair"));
                Body::new()
            }
        };
        let Some(primary) = primary.filter(|_| form.problems.is_empty()) else {
            return Err(Reply::invalid(&form.problems));
        };
        let merged = merged(&mut form, &primary, &secondaries, &given);
        form.accept()?;
        for secondary in &secondaries {
            self.drop_contact(secondary.id);
            self.hand_over_tickets(secondary.id, primary.id);
        }
        let mut merged = merged;
        merged.updated_at = self.second();
        self.keep_contact(merged);
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }

    fn partners(&self, form: &mut Form, body: &Body) -> (Option<Contact>, Vec<Contact>) {
        const SECONDARIES: &str = "secondary_contact_ids";
        for key in body.keys() {
            if !matches!(key.as_str(), "primary_contact_id" | SECONDARIES | "contact") {
                form.wrong(Problem::unknown(key));
            }
        }
        let null = Value::Null;
        let id = body.get("primary_contact_id").unwrap_or(&null);
        let primary = self.partner(form, "primary_contact_id", id);
        let ids = match body.get(SECONDARIES) {
            Some(Value::Array(ids)) if !ids.is_empty() => ids.as_slice(),
            _ => {
                let message = "It should be a/an Array";
                form.wrong(Problem::new(SECONDARIES, "missing_field", message));
                &[]
            }
        };
        let mut secondaries: Vec<Contact> = Vec::new();
        for id in ids {
            let known = |it: &Contact| Some(it.id) == id.as_u64();
            if primary.as_ref().is_some_and(known) || secondaries.iter().any(known) {
                let message = "The same contact is named twice";
                form.wrong(Problem::new(SECONDARIES, "invalid_value", message));
            }
            secondaries.extend(self.partner(form, SECONDARIES, id));
        }
        (primary, secondaries)
    }

    fn partner(&self, form: &mut Form, field: &str, id: &Value) -> Option<Contact> {
        let id = form.id(field, id)?;
        let live = |it: &&Contact| it.standing == Standing::Live;
        let contact = self.account.contacts.get(id).filter(live);
        if contact.is_none() {
            let message = "There is no contact matching the given id";
            form.wrong(Problem::new(field, "invalid_value", message));
        }
        contact.cloned()
    }
}

fn merged(form: &mut Form, primary: &Contact, secondaries: &[Contact], given: &Body) -> Contact {
    let mut merged = primary.clone();
    let mut companies: Vec<(u64, bool)> = Vec::new();
    for secondary in secondaries {
        merged.other_emails.extend(secondary.emails().cloned());
        companies.extend(
            secondary
                .company_id
                .map(|id| (id, secondary.view_all_tickets)),
        );
        companies.extend(&secondary.other_companies);
    }
    for (id, all) in companies {
        match merged.company_id {
            None => (merged.company_id, merged.view_all_tickets) = (Some(id), all),
            Some(main) if main == id => {}
            Some(_) if merged.other_companies.iter().any(|(it, _)| *it == id) => {}
            Some(_) => merged.other_companies.push((id, all)),
        }
    }
    for field in [
        Single::Phone,
        Single::Mobile,
        Single::Twitter,
        Single::ExternalId,
    ] {
        single(form, field, given, secondaries, &mut merged);
    }
    for key in given.keys() {
        match key.as_str() {
            "phone" | "mobile" | "twitter_id" | "unique_external_id" | "email" | "other_emails"
            | "company_ids" => {}
            _ => form.wrong(Problem::unknown(key)),
        }
    }
    if let Some(emails) = given
        .get("other_emails")
        .and_then(|it| form.texts("other_emails", it))
    {
        merged.other_emails = emails;
    }
    if let Some(email) = given.get("email") {
        merged.other_emails.extend(merged.email.take());
        form.email("email", email, &mut merged.email);
    }
    let main = merged.email.clone();
    let mut seen: Vec<String> = Vec::new();
    merged.other_emails.retain(|it| {
        let new = Some(it) != main.as_ref() && !seen.contains(it);
        seen.push(it.clone());
        new
    });
    if merged.other_emails.len() >= MOST_EMAILS {
        let message = format!("A contact can have at most {MOST_EMAILS} emails");
        form.wrong(Problem::new("other_emails", "invalid_value", message));
    }
    merged
}

/// A field of which only one value can stay.
#[derive(Debug, Clone, Copy)]
enum Single {
    Phone,
    Mobile,
    Twitter,
    ExternalId,
}

impl Single {
    const fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Mobile => "mobile",
            Self::Twitter => "twitter_id",
            Self::ExternalId => "unique_external_id",
        }
    }

    const fn of(self, contact: &mut Contact) -> &mut Option<String> {
        match self {
            Self::Phone => &mut contact.phone,
            Self::Mobile => &mut contact.mobile,
            Self::Twitter => &mut contact.twitter_id,
            Self::ExternalId => &mut contact.unique_external_id,
        }
    }
}

/// Takes over the one value; it has to be named where several contacts have one.
fn single(form: &mut Form, field: Single, given: &Body, others: &[Contact], into: &mut Contact) {
    let into = field.of(into);
    if let Some(value) = given.get(field.name()) {
        form.text(field.name(), value, into);
        return;
    }
    for other in others {
        let value = field.of(&mut other.clone()).take();
        if value.is_none() || value == *into {
            continue;
        }
        if into.is_some() {
            let message = "It has to be given, because several of the contacts have it";
            form.wrong(Problem::new(field.name(), "missing_field", message));
            return;
        }
        *into = value;
    }
}
