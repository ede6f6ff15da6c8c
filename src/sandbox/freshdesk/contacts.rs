//! All contacts of the account, and the indexes that keep every call cheap.

use super::fields::Schema;
use super::ranked::Ranked;
use super::record::{Contact, Standing};
use super::reply::Problem;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

#[derive(Debug)]
pub(super) struct Contacts {
    rows: HashMap<u64, Contact>,
    /// Live, deleted, blocked.
    shelves: [Shelf; 3],
    /// For each unique field: value → holder, whatever the holder's standing.
    holders: Vec<(Unique, HashMap<String, u64>)>,
    phones: BTreeSet<(String, u64)>,
    mobiles: BTreeSet<(String, u64)>,
    by_company: BTreeSet<(u64, u64)>,
    /// Grows with every change.
    generation: u64,
}

/// The contacts of one standing.
#[derive(Debug, Default)]
struct Shelf {
    by_name: Ranked<(String, u64)>,
    by_update: BTreeSet<(i64, u64)>,
}

/// A field of which no two contacts may hold the same value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unique {
    Email,
    ExternalId,
    Twitter,
    Mobile,
    Phone,
    Custom(usize, String),
}

impl Unique {
    fn field(&self) -> String {
        match self {
            Self::Email => "email".to_owned(),
            Self::ExternalId => "unique_external_id".to_owned(),
            Self::Twitter => "twitter_id".to_owned(),
            Self::Mobile => "mobile".to_owned(),
            Self::Phone => "phone".to_owned(),
            Self::Custom(_, name) => format!("custom_fields.{name}"),
        }
    }

    fn values<'a>(&self, contact: &'a Contact) -> impl Iterator<Item = &'a String> {
        let (one, more): (&Option<String>, &[String]) = match self {
            Self::Email => (&contact.email, &contact.other_emails),
            Self::ExternalId => (&contact.unique_external_id, &[]),
            Self::Twitter => (&contact.twitter_id, &[]),
            Self::Mobile => (&contact.mobile, &[]),
            Self::Phone => (&contact.phone, &[]),
            Self::Custom(..) => (&None, &[]),
        };
        let custom = match self {
            Self::Custom(at, _) => match contact.custom.get(*at) {
                Some(Value::String(text)) => Some(text),
                _ => None,
            },
            _ => None,
        };
        one.iter().chain(more).chain(custom)
    }
}

impl Contacts {
    pub(super) fn new(schema: &Schema) -> Self {
        let mut unique = vec![Unique::Email, Unique::ExternalId, Unique::Twitter];
        unique.extend(schema.unique_mobile.then_some(Unique::Mobile));
        unique.extend(schema.unique_phone.then_some(Unique::Phone));
        let custom = schema
            .contact
            .iter()
            .enumerate()
            .filter(|(_, field)| field.unique);
        unique.extend(custom.map(|(at, field)| Unique::Custom(at, field.name.clone())));
        Self {
            rows: HashMap::new(),
            shelves: Default::default(),
            holders: unique
                .into_iter()
                .map(|unique| (unique, HashMap::new()))
                .collect(),
            phones: BTreeSet::new(),
            mobiles: BTreeSet::new(),
            by_company: BTreeSet::new(),
            generation: 0,
        }
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn get(&self, id: u64) -> Option<&Contact> {
        self.rows.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Contact> {
        self.rows.values()
    }

    /// Puts a contact in, in place of the one with its id.
    pub(super) fn put(&mut self, contact: Contact) {
        self.take(contact.id);
        self.generation += 1;
        let id = contact.id;
        if let Some(shelf) = self.shelf_mut(contact.standing) {
            shelf.by_name.insert((contact.name.to_lowercase(), id));
            shelf.by_update.insert((contact.updated_at, id));
        }
        for (unique, holders) in &mut self.holders {
            for value in unique.values(&contact) {
                holders.insert(value.clone(), id);
            }
        }
        self.phones
            .extend(contact.phone.iter().map(|it| (it.clone(), id)));
        self.mobiles
            .extend(contact.mobile.iter().map(|it| (it.clone(), id)));
        self.by_company
            .extend(companies(&contact).map(|company| (company, id)));
        self.rows.insert(id, contact);
    }

    /// Puts many new live contacts in at once.
    pub(super) fn fill(&mut self, contacts: Vec<Contact>) {
        self.generation += 1;
        if let Some(shelf) = self.shelf_mut(Standing::Live) {
            let names = contacts.iter().map(|it| (it.name.to_lowercase(), it.id));
            shelf.by_name.extend(names);
            let mut updates = contacts.iter().map(|it| (it.updated_at, it.id)).collect();
            shelf.by_update.append(&mut updates);
        }
        for (unique, holders) in &mut self.holders {
            for contact in &contacts {
                holders.extend(unique.values(contact).map(|it| (it.clone(), contact.id)));
            }
        }
        let with_id = |number: &Option<String>, id| number.as_ref().map(|it| (it.clone(), id));
        let phones = contacts.iter().filter_map(|it| with_id(&it.phone, it.id));
        self.phones.append(&mut phones.collect());
        let mobiles = contacts.iter().filter_map(|it| with_id(&it.mobile, it.id));
        self.mobiles.append(&mut mobiles.collect());
        let pairs = contacts
            .iter()
            .flat_map(|it| companies(it).map(|company| (company, it.id)));
        self.by_company.append(&mut pairs.collect());
        self.rows.extend(contacts.into_iter().map(|it| (it.id, it)));
    }

    /// Takes a contact out for good.
    pub(super) fn take(&mut self, id: u64) -> Option<Contact> {
        let contact = self.rows.remove(&id)?;
        self.generation += 1;
        if let Some(shelf) = self.shelf_mut(contact.standing) {
            shelf.by_name.remove(&(contact.name.to_lowercase(), id));
            shelf.by_update.remove(&(contact.updated_at, id));
        }
        for (unique, holders) in &mut self.holders {
            for value in unique.values(&contact) {
                holders.remove(value);
            }
        }
        if let Some(phone) = &contact.phone {
            self.phones.remove(&(phone.clone(), id));
        }
        if let Some(mobile) = &contact.mobile {
            self.mobiles.remove(&(mobile.clone(), id));
        }
        for company in companies(&contact) {
            self.by_company.remove(&(company, id));
        }
        Some(contact)
    }

    /// The unique values of `contact` that others hold. `bare`: only e-mails tell whose they are.
    pub(super) fn conflicts(&self, contact: &Contact, bare: bool) -> Vec<Problem> {
        let mut found = Vec::new();
        for (unique, holders) in &self.holders {
            let mut values = unique
                .values(contact)
                .filter_map(|value| holders.get(value));
            if let Some(&holder) = values.find(|&&holder| holder != contact.id) {
                let tells = match unique {
                    Unique::Custom(..) => false,
                    Unique::Email => true,
                    _ => !bare,
                };
                found.push(Problem::taken(unique.field(), tells.then_some(holder)));
            }
        }
        found
    }

    pub(super) fn with_email(&self, email: &str) -> Option<u64> {
        let (_, holders) = self.holders.iter().find(|(it, _)| *it == Unique::Email)?;
        holders.get(email).copied()
    }

    pub(super) fn with_external_id(&self, id: &str) -> Option<u64> {
        let unique = Unique::ExternalId;
        let (_, holders) = self.holders.iter().find(|(it, _)| *it == unique)?;
        holders.get(id).copied()
    }

    pub(super) fn with_phone(&self, phone: &str) -> Vec<u64> {
        with_number(&self.phones, phone)
    }

    pub(super) fn with_mobile(&self, mobile: &str) -> Vec<u64> {
        with_number(&self.mobiles, mobile)
    }

    /// The contacts of a company, main or further, whatever their standing.
    pub(super) fn of_company(&self, company: u64) -> Vec<u64> {
        let range = self.by_company.range((company, 0)..=(company, u64::MAX));
        range.map(|(_, id)| *id).collect()
    }

    /// How many have this standing.
    pub(super) fn count(&self, standing: Standing) -> usize {
        self.shelf(standing).map_or(0, |shelf| shelf.by_name.len())
    }

    /// In the order of names, from the `skip`-th on.
    pub(super) fn by_name(
        &self,
        standing: Standing,
        skip: usize,
    ) -> impl Iterator<Item = &Contact> {
        let rows = self.shelf(standing).map(|shelf| shelf.by_name.from(skip));
        rows.into_iter()
            .flatten()
            .filter_map(|(_, id)| self.rows.get(id))
    }

    /// Those changed at or after `second`.
    pub(super) fn changed_since(
        &self,
        standing: Standing,
        second: i64,
    ) -> impl Iterator<Item = u64> {
        let rows = self
            .shelf(standing)
            .map(|it| it.by_update.range((second, 0)..));
        rows.into_iter().flatten().map(|(_, id)| *id)
    }

    /// Whether every one of them was changed at or after `second`.
    pub(super) fn all_changed_since(&self, standing: Standing, second: i64) -> bool {
        let first = self
            .shelf(standing)
            .and_then(|shelf| shelf.by_update.first());
        first.is_none_or(|(at, _)| *at >= second)
    }

    fn shelf(&self, standing: Standing) -> Option<&Shelf> {
        self.shelves.get(shelf_of(standing)?)
    }

    fn shelf_mut(&mut self, standing: Standing) -> Option<&mut Shelf> {
        self.shelves.get_mut(shelf_of(standing)?)
    }
}

const fn shelf_of(standing: Standing) -> Option<usize> {
    match standing {
        Standing::Live => Some(0),
        Standing::Deleted => Some(1),
        Standing::Blocked => Some(2),
        Standing::Agent => None,
    }
}

fn companies(contact: &Contact) -> impl Iterator<Item = u64> {
    let others = contact.other_companies.iter().map(|(id, _)| *id);
    contact.company_id.into_iter().chain(others)
}

fn with_number(numbers: &BTreeSet<(String, u64)>, number: &str) -> Vec<u64> {
    let range = numbers.range((number.to_owned(), 0)..);
    let same = range.take_while(|(it, _)| it == number);
    same.map(|(_, id)| *id).collect()
}
