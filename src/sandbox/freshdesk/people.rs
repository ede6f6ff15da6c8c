//! What people do at the screen, and what a test may look at, past HTTP and its limits.

use super::record::{Company, Contact};
use super::reply::Reply;
use super::service::{Body, Service};
use super::{FreshdeskSim, Shared};
use serde_json::Value;
use std::fmt;

/// What the server would not do for a person either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status the API answers.
    pub status: u16,
    /// The body the API answers.
    pub body: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with {}: {}", self.status, self.body)
    }
}

impl std::error::Error for Refused {}

impl From<Reply> for Refused {
    fn from(reply: Reply) -> Self {
        Self {
            status: reply.status.as_u16(),
            body: String::from_utf8_lossy(&reply.body).into_owned(),
        }
    }
}

/// A contact to begin with; what is not named is empty.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "the attributes' names are the API's own")]
pub struct ContactSeed {
    pub name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub mobile: Option<String>,
    pub job_title: Option<String>,
    pub unique_external_id: Option<String>,
    pub company_id: Option<u64>,
    pub tags: Vec<String>,
    /// Name and value of custom fields; unknown names are left out.
    pub custom: Vec<(&'static str, Value)>,
    /// Seconds since 1970; both stamps. `None`: the simulator's now.
    pub updated_at: Option<i64>,
}

/// A company to begin with; what is not named is empty.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "the attributes' names are the API's own")]
pub struct CompanySeed {
    pub name: String,
    pub domains: Vec<String>,
    pub description: Option<String>,
    pub industry: Option<String>,
    /// Name and value of custom fields; unknown names are left out.
    pub custom: Vec<(&'static str, Value)>,
    /// Seconds since 1970; both stamps. `None`: the simulator's now.
    pub updated_at: Option<i64>,
}

impl Shared {
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Service<'_>) -> T) -> T {
        let mut account = self.account();
        let mut service = Service {
            now: self.options.backstage.clock.now().timestamp_millis(),
            request: 0,
            options: &self.options,
            account: &mut account,
        };
        service.catch_up();
        act(&mut service)
    }
}

/// Every change here moves `updated_at` as a change at the screen does.
impl FreshdeskSim {
    fn act(
        &self,
        act: impl FnOnce(&mut Service<'_>) -> Result<Reply, Reply>,
    ) -> Result<Reply, Refused> {
        self.shared.with(act).map_err(Refused::from)
    }

    /// Adds a contact with these attributes and returns its id.
    pub fn add_contact(&self, attributes: &Value) -> Result<u64, Refused> {
        let reply = self.act(|service| service.create_contact(&body(attributes)))?;
        Ok(id_of(&reply))
    }

    /// Changes these attributes of a contact.
    pub fn edit_contact(&self, id: u64, attributes: &Value) -> Result<(), Refused> {
        self.act(|service| service.update_contact(id, &body(attributes)))
            .map(drop)
    }

    /// Puts a contact into the trash.
    pub fn delete_contact(&self, id: u64) -> Result<(), Refused> {
        self.act(|service| service.delete_contact(id)).map(drop)
    }

    /// Takes a contact out of the trash.
    pub fn restore_contact(&self, id: u64) -> Result<(), Refused> {
        self.act(|service| service.restore_contact(id)).map(drop)
    }

    /// Removes a contact for good.
    pub fn hard_delete_contact(&self, id: u64) -> Result<(), Refused> {
        self.act(|service| service.hard_delete_contact(id, true))
            .map(drop)
    }

    /// Blocks a contact as spam.
    pub fn block_contact(&self, id: u64) -> Result<(), Refused> {
        self.act(|service| service.block_contact(id, true))
            .map(drop)
    }

    /// Ends the block.
    pub fn unblock_contact(&self, id: u64) -> Result<(), Refused> {
        self.act(|service| service.block_contact(id, false))
            .map(drop)
    }

    /// Merges `others` into `primary`, which takes over their addresses; they are gone. Of what there
    /// can be one of, `primary` keeps its own, as the screen proposes.
    pub fn merge_contacts(&self, primary: u64, others: &[u64]) -> Result<(), Refused> {
        let mut own = serde_json::Map::new();
        if let Some(contact) = self.contact(primary) {
            for (name, value) in [
                ("phone", contact.phone),
                ("mobile", contact.mobile),
                ("twitter_id", contact.twitter_id),
                ("unique_external_id", contact.unique_external_id),
            ] {
                own.extend(value.map(|value| (name.to_owned(), Value::String(value))));
            }
        }
        let attributes = serde_json::json!({
            "primary_contact_id": primary,
            "secondary_contact_ids": others,
            "contact": own,
        });
        self.act(|service| service.merge_contacts(&body(&attributes)))
            .map(drop)
    }

    /// Makes a contact an agent.
    pub fn promote_contact(&self, id: u64) -> Result<(), Refused> {
        self.act(|service| service.promote_contact(id)).map(drop)
    }

    /// Makes an agent a contact again.
    pub fn demote_agent(&self, id: u64) -> Result<(), Refused> {
        self.act(|service| service.demote_agent(id)).map(drop)
    }

    /// Gives a contact a picture, or takes it away; no stamp moves.
    pub fn set_avatar(&self, id: u64, avatar: Option<u64>) {
        let mut account = self.shared.account();
        if let Some(mut contact) = account.contacts.get(id).cloned() {
            contact.avatar = avatar;
            account.contacts.put(contact);
        }
    }

    /// Marks a contact as verified in the portal, or not; no stamp moves.
    pub fn set_verified(&self, id: u64, verified: bool) {
        let mut account = self.shared.account();
        if let Some(mut contact) = account.contacts.get(id).cloned() {
            contact.active = verified;
            account.contacts.put(contact);
        }
    }

    /// Adds a company with these attributes and returns its id.
    pub fn add_company(&self, attributes: &Value) -> Result<u64, Refused> {
        let reply = self.act(|service| service.create_company(&body(attributes)))?;
        Ok(id_of(&reply))
    }

    /// Changes these attributes of a company.
    pub fn edit_company(&self, id: u64, attributes: &Value) -> Result<(), Refused> {
        self.act(|service| service.update_company(id, &body(attributes)))
            .map(drop)
    }

    /// Removes a company for good; its contacts stay without it.
    pub fn delete_company(&self, id: u64) -> Result<(), Refused> {
        self.act(|service| service.delete_company(id)).map(drop)
    }

    /// Fills the account quickly: nothing is validated, and a value that must be unique goes to
    /// the last who has it. Returns the ids in the order given.
    pub fn populate_contacts(&self, seeds: impl IntoIterator<Item = ContactSeed>) -> Vec<u64> {
        let fields = &self.shared.options.schema.contact;
        self.shared.with(|service| {
            let contact = |seed: ContactSeed| {
                let id = service.account.next_id();
                let at = seed.updated_at.unwrap_or_else(|| service.second());
                let mut contact = Contact::new(id, fields.len(), at);
                fill(fields, &mut contact.custom, seed.custom);
                contact.name = seed.name;
                contact.email = seed.email.map(|email| email.to_lowercase());
                contact.phone = seed.phone;
                contact.mobile = seed.mobile;
                contact.job_title = seed.job_title;
                contact.unique_external_id = seed.unique_external_id;
                contact.company_id = seed.company_id;
                contact.tags = seed.tags;
                contact
            };
            let contacts: Vec<Contact> = seeds.into_iter().map(contact).collect();
            let ids = contacts.iter().map(|it| it.id).collect();
            service.account.contacts.fill(contacts);
            ids
        })
    }

    /// Fills the account quickly, as [`populate_contacts`](Self::populate_contacts) does.
    pub fn populate_companies(&self, seeds: impl IntoIterator<Item = CompanySeed>) -> Vec<u64> {
        let fields = &self.shared.options.schema.company;
        self.shared.with(|service| {
            let mut ids = Vec::new();
            for seed in seeds {
                let id = service.account.next_id();
                let at = seed.updated_at.unwrap_or_else(|| service.second());
                let mut company = Company::new(id, fields.len(), at);
                fill(fields, &mut company.custom, seed.custom);
                company.name = seed.name;
                company.domains = seed.domains;
                company.description = seed.description;
                company.industry = seed.industry;
                service.account.companies.put(company);
                ids.push(id);
            }
            ids
        })
    }

    /// One contact, wherever it stands.
    #[must_use]
    pub fn contact(&self, id: u64) -> Option<Contact> {
        self.shared.account().contacts.get(id).cloned()
    }

    /// All contacts, wherever they stand, in the order of ids.
    #[must_use]
    pub fn contacts(&self) -> Vec<Contact> {
        let mut all: Vec<_> = self.shared.account().contacts.iter().cloned().collect();
        all.sort_unstable_by_key(|it| it.id);
        all
    }

    /// The contact with this main or further address, wherever it stands.
    #[must_use]
    pub fn contact_by_email(&self, email: &str) -> Option<Contact> {
        let account = self.shared.account();
        let id = account.contacts.with_email(&email.to_lowercase())?;
        account.contacts.get(id).cloned()
    }

    /// One company.
    #[must_use]
    pub fn company(&self, id: u64) -> Option<Company> {
        self.shared.account().companies.get(id).cloned()
    }

    /// All companies, in the order of ids.
    #[must_use]
    pub fn companies(&self) -> Vec<Company> {
        let mut all: Vec<_> = self.shared.account().companies.iter().cloned().collect();
        all.sort_unstable_by_key(|it| it.id);
        all
    }

    /// The value of a contact's custom field; `Null` where empty or unknown.
    #[must_use]
    pub fn contact_field(&self, contact: &Contact, name: &str) -> Value {
        let mut both = self
            .shared
            .options
            .schema
            .contact
            .iter()
            .zip(&contact.custom);
        both.find(|(field, _)| field.name == name)
            .map_or(Value::Null, |(_, it)| it.clone())
    }

    /// The value of a company's custom field; `Null` where empty or unknown.
    #[must_use]
    pub fn company_field(&self, company: &Company, name: &str) -> Value {
        let mut both = self
            .shared
            .options
            .schema
            .company
            .iter()
            .zip(&company.custom);
        both.find(|(field, _)| field.name == name)
            .map_or(Value::Null, |(_, it)| it.clone())
    }

    /// Switches API v2 off for the account, or on again: every path answers 404 while it is off.
    pub fn switch_off(&self, off: bool) {
        self.shared.account().switched_off = off;
    }
}

pub(super) fn body(attributes: &Value) -> Body {
    attributes.as_object().cloned().unwrap_or_default()
}

fn id_of(reply: &Reply) -> u64 {
    let record: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    record.get("id").and_then(Value::as_u64).unwrap_or_default()
}

pub(super) fn fill(
    fields: &[super::fields::CustomField],
    into: &mut [Value],
    custom: Vec<(&'static str, Value)>,
) {
    for (name, value) in custom {
        let mut both = fields.iter().zip(into.iter_mut());
        if let Some((_, slot)) = both.find(|(field, _)| field.name == name) {
            *slot = value;
        }
    }
}
