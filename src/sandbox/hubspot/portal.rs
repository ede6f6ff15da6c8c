//! The portal past HTTP: what people do in the vendor's user interface, and what tests look at.

use super::super::clock::SimClock;
use super::record::{Author, Record};
use super::state::State;
use super::table::Table;
use super::{Kind, Limits, Property, Refused};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The portal's records; clones share them.
#[derive(Debug, Clone)]
pub struct Portal {
    state: Arc<Mutex<State>>,
    clock: SimClock,
}

/// A record as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: u64,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
    /// When it was last changed, in milliseconds since 1970.
    pub modified: i64,
    /// Whether it is archived.
    pub archived: bool,
    /// Its stored values; what is empty is not there.
    pub properties: BTreeMap<String, String>,
    /// A contact's companies, the primary one first.
    pub companies: Vec<u64>,
    /// Ids merged into it.
    pub merged: Vec<u64>,
}

/// A record to begin with.
#[derive(Debug, Clone, Default)]
pub struct Seed {
    /// Names and values.
    pub properties: Vec<(&'static str, String)>,
    /// A contact's primary company.
    pub company: Option<u64>,
}

impl Portal {
    pub(super) fn new(state: State, clock: SimClock) -> Self {
        Self {
            state: Arc::new(Mutex::new(state)),
            clock,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The portal's time in milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }

    /// A person makes a record.
    ///
    /// # Errors
    ///
    /// Values, duplicates and missing names, as over the API.
    pub fn create(&self, kind: Kind, properties: &[(&str, &str)]) -> Result<u64, Refused> {
        let (now, mut state) = (self.now(), self.lock());
        let values = state.table(kind).check(properties.iter().copied())?;
        state.check_new(kind, &values)?;
        Ok(state.add(kind, values, None, now, false))
    }

    /// A person changes a record; an empty value clears.
    ///
    /// # Errors
    ///
    /// As over the API.
    pub fn edit(&self, kind: Kind, id: u64, properties: &[(&str, &str)]) -> Result<(), Refused> {
        let now = self.now();
        let properties = properties.iter().copied();
        self.lock()
            .edit(kind, id, properties, Author::Person, now)?;
        Ok(())
    }

    /// A person deletes a record; it can be restored.
    ///
    /// # Errors
    ///
    /// It is not there.
    pub fn archive(&self, kind: Kind, id: u64) -> Result<(), Refused> {
        let now = self.now();
        self.lock().archive(kind, id, now)
    }

    /// A person brings a deleted record back, with its links.
    ///
    /// # Errors
    ///
    /// It is not archived, or its address is taken by now.
    pub fn restore(&self, kind: Kind, id: u64) -> Result<(), Refused> {
        let now = self.now();
        self.lock().restore(kind, id, now)
    }

    /// A contact is erased for good and its address blocked.
    ///
    /// # Errors
    ///
    /// It is not there.
    pub fn erase(&self, contact: u64) -> Result<(), Refused> {
        let now = self.now();
        self.lock().erase(contact, now)
    }

    /// A person merges `loser` into `primary`; the id under which the survivor lives.
    ///
    /// # Errors
    ///
    /// One is not there, or both are the same.
    pub fn merge(&self, kind: Kind, primary: u64, loser: u64) -> Result<u64, Refused> {
        let now = self.now();
        self.lock().merge(kind, primary, loser, now)
    }

    /// A person adds a contact to a company; the first is the primary one, or this if `primary`.
    ///
    /// # Errors
    ///
    /// One is not there.
    pub fn associate(&self, contact: u64, company: u64, primary: bool) -> Result<(), Refused> {
        let now = self.now();
        self.lock().link(contact, company, primary, now)
    }

    /// A person takes a contact out of a company.
    pub fn dissociate(&self, contact: u64, company: u64) {
        let now = self.now();
        self.lock().unlink(contact, company, now);
    }

    /// Many records that have been there since `at`; search sees them at once.
    ///
    /// # Errors
    ///
    /// The first that the API would refuse; those before it stay.
    pub fn populate(
        &self,
        kind: Kind,
        at: DateTime<Utc>,
        seeds: impl IntoIterator<Item = Seed>,
    ) -> Result<Vec<u64>, Refused> {
        let (at, mut state) = (at.timestamp_millis(), self.lock());
        let seeds = seeds.into_iter();
        let mut ids = Vec::with_capacity(seeds.size_hint().0);
        for seed in seeds {
            let properties = seed.properties.iter();
            let properties = properties.map(|(name, value)| (*name, value.as_str()));
            let values = state.table(kind).check(properties)?;
            state.check_new(kind, &values)?;
            let company = seed.company.filter(|_| kind == Kind::Contact);
            if let Some(company) = company.filter(|id| !state.companies.live.contains_key(id)) {
                return Err(Refused::Missing(company));
            }
            let id = state.add(kind, values, company, at, true);
            ids.push(id);
        }
        Ok(ids)
    }

    /// The vendor touches every record at the same millisecond without a change, as its monthly jobs do.
    pub fn touch_all(&self, kind: Kind) {
        let (now, mut state) = (self.now(), self.lock());
        let table = state.table_mut(kind);
        let ids: Vec<u64> = table.live.keys().copied().collect();
        for id in ids {
            table.change(id, now, |record| record.modified = now);
        }
    }

    /// The live record under this id; an id that was merged away shows nothing.
    #[must_use]
    pub fn row(&self, kind: Kind, id: u64) -> Option<Row> {
        let state = self.lock();
        let table = state.table(kind);
        let record = table.live.get(&id).or_else(|| table.archived.get(&id))?;
        Some(row(table, record))
    }

    /// All live records in the order of their ids.
    #[must_use]
    pub fn rows(&self, kind: Kind) -> Vec<Row> {
        let state = self.lock();
        let table = state.table(kind);
        table
            .live
            .values()
            .map(|record| row(table, record))
            .collect()
    }

    /// All archived records in the order of their ids.
    #[must_use]
    pub fn archived_rows(&self, kind: Kind) -> Vec<Row> {
        let state = self.lock();
        let table = state.table(kind);
        table
            .archived
            .values()
            .map(|record| row(table, record))
            .collect()
    }

    /// How many live records there are.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.lock().table(kind).live.len()
    }

    /// The live record with this address.
    #[must_use]
    pub fn contact_by_email(&self, email: &str) -> Option<u64> {
        let state = self.lock();
        let slot = state.contacts.schema.get("email")?.slot;
        state.contacts.owner(slot, &email.to_lowercase())
    }

    /// Adds a property, or replaces the one of that name.
    pub fn add_property(&self, kind: Kind, property: Property) {
        self.lock().table_mut(kind).add_property(property);
    }

    /// Takes a scope such as `crm.objects.contacts.write` away from the app, or gives it back.
    pub fn set_scope(&self, scope: &str, granted: bool) {
        let mut state = self.lock();
        if granted {
            state.denied.remove(scope);
        } else {
            state.denied.insert(scope.to_owned());
        }
    }

    /// Other limits from now on, with nothing used up yet.
    pub fn set_limits(&self, limits: Limits) {
        self.lock().set_limits(limits);
    }

    /// Another lag of search for changes from now on.
    pub fn set_search_lag(&self, lag: Duration, jitter: Duration) {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let mut state = self.lock();
        for kind in Kind::ALL {
            let index = &mut state.table_mut(kind).index;
            index.set_lag(millis(lag), millis(jitter));
        }
    }
}

fn row(table: &Table, record: &Record) -> Row {
    let values = record.values().filter_map(|(slot, value)| {
        let property = table.schema.at(slot)?;
        Some((property.name.clone(), value.to_owned()))
    });
    let mut links = record.companies.clone();
    links.sort_by_key(|link| !link.primary);
    Row {
        id: record.id,
        created: record.created,
        modified: record.modified,
        archived: record.archived_at.is_some(),
        properties: values.collect(),
        companies: links.iter().map(|link| link.company).collect(),
        merged: record.merged.clone(),
    }
}
