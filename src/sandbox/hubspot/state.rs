//! The portal: its contacts and companies, the links between them, and what may be done to them.

use super::index::Index;
use super::limits::{Limiter, Limits};
use super::record::{Author, Link, Record};
use super::table::{Table, Values};
use super::time::Millis;
use super::value::Invalid;
use super::{Kind, MergedId, Options};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Ids do not fit into 32 bits.
const FIRST_ID: u64 = 31_000_000_001;

/// Why the portal refused a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such live record.
    #[error("no such record: {0}")]
    Missing(u64),
    /// Values or names that the properties do not take.
    #[error("invalid values: {0:?}")]
    Invalid(Vec<Invalid>),
    /// Another record owns a unique value.
    #[error("record {existing} has this {property}")]
    Duplicate {
        /// The unique property.
        property: String,
        /// The record that has the value.
        existing: u64,
    },
    /// The address belonged to a contact that was erased.
    #[error("the address was erased on request")]
    Blocked,
    /// None of the properties that a new record needs.
    #[error("a new record needs one of: {0}")]
    Nameless(&'static str),
    /// A record cannot be merged with itself.
    #[error("both are the same record")]
    Same,
}

/// All that the simulator knows, behind one lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) contacts: Table,
    pub(super) companies: Table,
    pub(super) limiter: Limiter,
    /// Scopes that the app was not granted.
    pub(super) denied: HashSet<String>,
    pub(super) token: String,
    pub(super) portal_id: u64,
    pub(super) time_zone: String,
    pub(super) utc_offset_minutes: i32,
    pub(super) shuffled_batches: bool,
    pub(super) merged_id: MergedId,
    pub(super) links_move_modified: bool,
    /// Requests so far, for correlation ids.
    pub(super) requests: u64,
    contacts_of: HashMap<u64, BTreeSet<u64>>,
    /// Links of archived companies, for the case that they come back.
    pub(super) severed: HashMap<u64, Vec<(u64, bool)>>,
    next_id: u64,
}

impl State {
    pub(super) fn new(options: &Options) -> Self {
        let millis = |time: std::time::Duration| Millis::try_from(time.as_millis()).unwrap_or(0);
        let (lag, jitter) = (millis(options.search_lag), millis(options.search_jitter));
        let table = |kind, salt| Table::new(kind, Index::new(lag, jitter, options.seed ^ salt));
        Self {
            contacts: table(Kind::Contact, 1),
            companies: table(Kind::Company, 2),
            limiter: Limiter::new(options.limits, options.utc_offset_minutes),
            denied: HashSet::new(),
            token: options.token.clone(),
            portal_id: options.portal_id,
            time_zone: options.time_zone.clone(),
            utc_offset_minutes: options.utc_offset_minutes,
            shuffled_batches: options.shuffled_batches,
            merged_id: options.merged_id,
            links_move_modified: options.links_move_modified,
            requests: 0,
            contacts_of: HashMap::new(),
            severed: HashMap::new(),
            next_id: FIRST_ID,
        }
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limiter = Limiter::new(limits, self.utc_offset_minutes);
    }

    pub(super) const fn table(&self, kind: Kind) -> &Table {
        match kind {
            Kind::Contact => &self.contacts,
            Kind::Company => &self.companies,
        }
    }

    pub(super) const fn table_mut(&mut self, kind: Kind) -> &mut Table {
        match kind {
            Kind::Contact => &mut self.contacts,
            Kind::Company => &mut self.companies,
        }
    }

    /// An id that no record ever had.
    pub(super) fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Whether the values of a new record name it, and nobody else owns them.
    pub(super) fn check_new(&self, kind: Kind, values: &Values) -> Result<(), Refused> {
        let table = self.table(kind);
        if !table.is_named(values) {
            return Err(Refused::Nameless(match kind {
                Kind::Contact => "email, firstname, lastname",
                Kind::Company => "name, domain",
            }));
        }
        table.check_unique(None, values)
    }

    /// Adds a record with values that were checked; `indexed` if search sees it at once. A company
    /// becomes the contact's primary one.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        values: Values,
        company: Option<u64>,
        at: Millis,
        indexed: bool,
    ) -> u64 {
        let mut record = Record::new(self.take_id(), at);
        let id = record.id;
        if let Some(company) = company {
            self.contacts_of.entry(company).or_default().insert(id);
            record.companies.push(Link {
                company,
                primary: true,
            });
        }
        let now = (!indexed).then_some(at);
        self.table_mut(kind).insert(record, values, now);
        id
    }

    /// Archives a live record; its unique values are free again.
    pub(super) fn archive(&mut self, kind: Kind, id: u64, now: Millis) -> Result<(), Refused> {
        let id = self.table(kind).resolve(id);
        let removed = self.table_mut(kind).remove(id, now);
        let mut record = removed.ok_or(Refused::Missing(id))?;
        self.detach(kind, &record, now);
        record.archived_at = Some(now);
        self.table_mut(kind).archived.insert(id, record);
        Ok(())
    }

    /// Takes the record out of its links; a company's are remembered.
    pub(super) fn detach(&mut self, kind: Kind, record: &Record, now: Millis) {
        match kind {
            Kind::Contact => {
                for link in &record.companies {
                    if let Some(contacts) = self.contacts_of.get_mut(&link.company) {
                        contacts.remove(&record.id);
                    }
                }
            }
            Kind::Company => {
                let contacts = self.contacts_of.remove(&record.id).unwrap_or_default();
                let mut severed = Vec::with_capacity(contacts.len());
                for contact in contacts {
                    self.edit_links(contact, now, |links| {
                        let gone = links.iter().find(|link| link.company == record.id);
                        severed.push((contact, gone.is_some_and(|link| link.primary)));
                        links.retain(|link| link.company != record.id);
                    });
                }
                self.severed.insert(record.id, severed);
            }
        }
    }

    /// Brings an archived record back, with its links.
    pub(super) fn restore(&mut self, kind: Kind, id: u64, now: Millis) -> Result<(), Refused> {
        let table = self.table_mut(kind);
        let Some(record) = table.archived.get(&id) else {
            return Err(Refused::Missing(id));
        };
        let values: Values = record
            .values()
            .map(|(slot, value)| (slot, Some(value.into())))
            .collect();
        table.check_unique(Some(id), &values)?;
        let Some(mut record) = table.archived.remove(&id) else {
            return Err(Refused::Missing(id));
        };
        record.archived_at = None;
        record.modified = now;
        let links = std::mem::take(&mut record.companies);
        table.insert(record, values, Some(now));
        match kind {
            Kind::Contact => {
                for link in links {
                    self.link(id, link.company, link.primary, now).ok();
                }
            }
            Kind::Company => {
                for (contact, primary) in self.severed.remove(&id).unwrap_or_default() {
                    self.link(contact, id, primary, now).ok();
                }
            }
        }
        Ok(())
    }

    /// Erases a contact, live or archived, and blocks its addresses.
    pub(super) fn erase(&mut self, id: u64, now: Millis) -> Result<(), Refused> {
        let id = self.contacts.resolve(id);
        if self.contacts.live.contains_key(&id) {
            self.archive(Kind::Contact, id, now)?;
        }
        let gone = self.contacts.archived.remove(&id);
        let record = gone.ok_or(Refused::Missing(id))?;
        self.contacts.forget(id);
        if let Some(email) = self.contacts.schema.get("email")
            && let Some(address) = record.get(email.slot)
        {
            self.contacts.blocked.insert(address.into());
        }
        Ok(())
    }

    /// The companies of a live contact, or the contacts of a live company.
    pub(super) fn linked(&self, kind: Kind, id: u64) -> Vec<(u64, bool)> {
        match kind {
            Kind::Contact => {
                let links = self.contacts.live.get(&id).map(|record| &record.companies);
                let links = links.into_iter().flatten();
                links.map(|link| (link.company, link.primary)).collect()
            }
            Kind::Company => {
                let contacts = self.contacts_of.get(&id).into_iter().flatten();
                contacts
                    .map(|contact| {
                        let record = self.contacts.live.get(contact);
                        let primary = record.and_then(Record::primary_company) == Some(id);
                        (*contact, primary)
                    })
                    .collect()
            }
        }
    }

    /// Links a contact to a company. The first becomes the primary one; making another the primary
    /// one demotes the former.
    pub(super) fn link(
        &mut self,
        contact: u64,
        company: u64,
        primary: bool,
        now: Millis,
    ) -> Result<(), Refused> {
        let company = self
            .companies
            .find(company)
            .ok_or(Refused::Missing(company))?
            .id;
        let contact = self
            .contacts
            .find(contact)
            .ok_or(Refused::Missing(contact))?
            .id;
        self.contacts_of.entry(company).or_default().insert(contact);
        self.edit_links(contact, now, |links| {
            let primary = primary || !links.iter().any(|link| link.primary);
            if primary {
                for link in links.iter_mut() {
                    link.primary = false;
                }
            }
            match links.iter_mut().find(|link| link.company == company) {
                Some(link) => link.primary |= primary,
                None => links.push(Link { company, primary }),
            }
        });
        Ok(())
    }

    /// Ends a link. If it was the primary one, none of the others takes its place.
    pub(super) fn unlink(&mut self, contact: u64, company: u64, now: Millis) {
        let (contact, company) = (
            self.contacts.resolve(contact),
            self.companies.resolve(company),
        );
        if let Some(contacts) = self.contacts_of.get_mut(&company)
            && contacts.remove(&contact)
        {
            self.edit_links(contact, now, |links| {
                links.retain(|link| link.company != company);
            });
        }
    }

    fn edit_links(&mut self, contact: u64, now: Millis, edit: impl FnOnce(&mut Vec<Link>)) {
        let moves = self.links_move_modified;
        self.contacts.change(contact, now, |record| {
            edit(&mut record.companies);
            if moves {
                record.modified = now;
            }
        });
    }

    /// Checks and writes values of a live record.
    pub(super) fn edit<'a>(
        &mut self,
        kind: Kind,
        id: u64,
        properties: impl IntoIterator<Item = (&'a str, &'a str)>,
        author: Author,
        now: Millis,
    ) -> Result<u64, Refused> {
        let table = self.table_mut(kind);
        let id = table.find(id).ok_or(Refused::Missing(id))?.id;
        let values = table.check(properties)?;
        table.check_unique(Some(id), &values)?;
        table.write(id, values, author, now);
        Ok(id)
    }
}
