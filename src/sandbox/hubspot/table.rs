//! All records of one kind, with what finds them.

use super::index::Index;
use super::record::{Author, Record, Version};
use super::schema::{Property, Schema, Slot};
use super::time::Millis;
use super::value::{self, Invalid};
use super::{Kind, Refused};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A new contact needs one of the first three, a new company one of the others.
const NAMING: [&str; 5] = ["email", "firstname", "lastname", "name", "domain"];

/// Checked values of one write: `None` clears.
pub(super) type Values = Vec<(Slot, Option<Box<str>>)>;

/// The result of a search, kept for its next page.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) query: String,
    pub(super) generation: u64,
    pub(super) ids: Vec<u64>,
}

/// Contacts, or companies.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) schema: Schema,
    pub(super) live: BTreeMap<u64, Record>,
    pub(super) archived: BTreeMap<u64, Record>,
    pub(super) index: Index,
    pub(super) kept: Vec<Kept>,
    /// Ids that were merged away, and into what.
    pub(super) forwards: HashMap<u64, u64>,
    /// Addresses of erased contacts.
    pub(super) blocked: HashSet<Box<str>>,
    owners: Vec<(Slot, HashMap<Box<str>, u64>)>,
    /// One of these must be there in a new record.
    naming: Vec<Slot>,
    /// A contact's address, and its further ones.
    addresses: Option<(Slot, Slot)>,
    history: HashMap<u64, Vec<Version>>,
}

impl Table {
    pub(super) fn new(kind: Kind, index: Index) -> Self {
        let mut table = Self {
            schema: Schema::new(kind),
            live: BTreeMap::new(),
            archived: BTreeMap::new(),
            index,
            kept: Vec::new(),
            forwards: HashMap::new(),
            blocked: HashSet::new(),
            owners: Vec::new(),
            naming: Vec::new(),
            addresses: None,
            history: HashMap::new(),
        };
        table.index_unique();
        let slot = |name: &str| table.schema.get(name).map(|property| property.slot);
        table.naming = NAMING.iter().copied().filter_map(slot).collect();
        table.addresses = slot("email").zip(slot("hs_additional_emails"));
        table
    }

    /// Whether a new record with these values can be told from others.
    pub(super) fn is_named(&self, values: &Values) -> bool {
        let naming = |slot: &Slot| self.naming.contains(slot);
        values
            .iter()
            .any(|(slot, value)| value.is_some() && naming(slot))
    }

    pub(super) const fn kind(&self) -> Kind {
        self.schema.kind
    }

    /// Adds or replaces a property.
    pub(super) fn add_property(&mut self, property: Property) {
        self.schema.add(property);
        self.index_unique();
    }

    fn index_unique(&mut self) {
        for property in self.schema.all().iter().filter(|property| property.unique) {
            if self.owners.iter().any(|(slot, _)| *slot == property.slot) {
                continue;
            }
            let held = self.live.values().filter_map(|record| {
                let value = record.get(property.slot)?;
                Some((Box::from(value), record.id))
            });
            self.owners.push((property.slot, held.collect()));
        }
    }

    /// The id that answers to `id`: itself, or what it was merged into.
    pub(super) fn resolve(&self, mut id: u64) -> u64 {
        while let Some(into) = self.forwards.get(&id) {
            id = *into;
        }
        id
    }

    /// The live record that answers to `id`.
    pub(super) fn find(&self, id: u64) -> Option<&Record> {
        self.live.get(&self.resolve(id))
    }

    /// The live record with this value of a unique property.
    pub(super) fn owner(&self, slot: Slot, value: &str) -> Option<u64> {
        let (_, owners) = self.owners.iter().find(|(known, _)| *known == slot)?;
        owners.get(value).copied()
    }

    /// Checks names and values of a write, all of them.
    pub(super) fn check<'a>(
        &self,
        properties: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Values, Refused> {
        let (mut values, mut invalid) = (Values::with_capacity(8), Vec::new());
        for (name, text) in properties {
            let checked = match self.schema.get(name) {
                None => Err(Invalid::unknown(name)),
                Some(property) if property.read_only => Err(Invalid::read_only(name)),
                Some(property) => {
                    value::normalised(property, text).map(|value| (property.slot, value))
                }
            };
            match checked {
                Ok(value) => values.push(value),
                Err(one) => invalid.push(one),
            }
        }
        if invalid.is_empty() {
            Ok(values)
        } else {
            Err(Refused::Invalid(invalid))
        }
    }

    /// Checks that nobody else owns a unique value; `own` is the record that is written.
    pub(super) fn check_unique(&self, own: Option<u64>, values: &Values) -> Result<(), Refused> {
        for (slot, owners) in &self.owners {
            let new = values.iter().rfind(|(written, _)| written == slot);
            let Some((_, Some(value))) = new else {
                continue;
            };
            if let Some(existing) = owners.get(value)
                && Some(*existing) != own
            {
                return Err(Refused::Duplicate {
                    property: self
                        .schema
                        .at(*slot)
                        .map_or_else(String::new, |p| p.name.clone()),
                    existing: *existing,
                });
            }
            if self.kind() == Kind::Contact && self.blocked.contains(value) {
                return Err(Refused::Blocked);
            }
        }
        Ok(())
    }

    /// Adds a record with checked values.
    pub(super) fn insert(&mut self, mut record: Record, values: Values, now: Option<Millis>) {
        record.reserve(values.len());
        for (slot, value) in values {
            record.set(slot, value);
        }
        self.own(&record);
        let (id, modified) = (record.id, record.modified);
        match now {
            Some(now) if !self.index.is_prompt(id) => {
                self.index.defer(now, id, None, Some(record.clone()));
            }
            _ => self.index.shift(id, None, Some(modified)),
        }
        self.live.insert(id, record);
    }

    /// Writes checked values; the modified time moves even if nothing differs.
    pub(super) fn write(&mut self, id: u64, values: Values, author: Author, now: Millis) {
        let Some(record) = self.live.get(&id) else {
            return;
        };
        for (slot, value) in &values {
            let before = record.get(*slot);
            if before == value.as_deref() {
                continue;
            }
            let owners = self.owners.iter_mut().find(|(known, _)| known == slot);
            if let Some((_, owners)) = owners {
                if let Some(before) = before {
                    owners.remove(before);
                }
                if let Some(value) = value {
                    owners.insert(value.clone(), id);
                }
            }
            let versions = self.history.entry(id).or_default();
            if let Some(before) = before
                && !versions.iter().any(|version| version.slot == *slot)
            {
                versions.push(Version {
                    slot: *slot,
                    at: record.created,
                    value: before.into(),
                    author: Author::Person,
                });
            }
            versions.push(Version {
                slot: *slot,
                at: now,
                value: value.clone().unwrap_or_default(),
                author,
            });
        }
        self.change(id, now, |record| {
            for (slot, value) in values {
                record.set(slot, value);
            }
            record.modified = now;
        });
    }

    /// Changes a live record in place, and has search see it in time.
    pub(super) fn change(&mut self, id: u64, now: Millis, edit: impl FnOnce(&mut Record)) {
        let Some(record) = self.live.get_mut(&id) else {
            return;
        };
        if self.index.is_prompt(id) {
            let from = record.modified;
            edit(record);
            self.index.shift(id, Some(from), Some(record.modified));
        } else {
            let before = record.clone();
            edit(record);
            self.index
                .defer(now, id, Some(before), Some(record.clone()));
        }
    }

    /// Takes a live record out; its unique values are free again.
    pub(super) fn remove(&mut self, id: u64, now: Millis) -> Option<Record> {
        let record = self.live.remove(&id)?;
        for (slot, value) in self.unique_values(&record) {
            if let Some(owners) = self.owners_of(slot) {
                owners.remove(&value);
            }
        }
        if self.index.is_prompt(id) {
            self.index.shift(id, Some(record.modified), None);
        } else {
            self.index.defer(now, id, Some(record.clone()), None);
        }
        Some(record)
    }

    /// Registers the unique values of a record, a contact's further addresses among them.
    pub(super) fn own(&mut self, record: &Record) {
        for (slot, value) in self.unique_values(record) {
            if let Some(owners) = self.owners_of(slot) {
                owners.insert(value, record.id);
            }
        }
    }

    fn owners_of(&mut self, slot: Slot) -> Option<&mut HashMap<Box<str>, u64>> {
        let found = self.owners.iter_mut().find(|(known, _)| *known == slot);
        found.map(|(_, owners)| owners)
    }

    fn unique_values(&self, record: &Record) -> Vec<(Slot, Box<str>)> {
        let owned = self.owners.iter().filter_map(|(slot, _)| {
            let value = record.get(*slot)?;
            Some((*slot, Box::from(value)))
        });
        let mut values: Vec<_> = owned.collect();
        if let Some((email, further)) = self.addresses
            && let Some(addresses) = record.get(further)
        {
            let addresses = addresses.split(';');
            values.extend(addresses.map(|address| (email, Box::from(address))));
        }
        values
    }

    /// The versions of one property, newest first; one that was never changed has its first only.
    pub(super) fn versions(&self, record: &Record, property: &Property) -> Vec<Version> {
        let known = self.history.get(&record.id).into_iter().flatten();
        let mut versions: Vec<Version> = known
            .filter(|version| version.slot == property.slot)
            .cloned()
            .collect();
        versions.reverse();
        if versions.is_empty()
            && let Some(value) = record.show(property)
        {
            versions.push(Version {
                slot: property.slot,
                at: record.created,
                value: value.into_owned().into(),
                author: Author::Person,
            });
        }
        versions
    }

    /// Forgets a record's past.
    pub(super) fn forget(&mut self, id: u64) {
        self.history.remove(&id);
    }
}
