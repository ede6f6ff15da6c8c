//! One contact or company as the portal keeps it.

use super::schema::{Property, Slot, Source};
use super::time::{self, Millis};
use std::borrow::Cow;
use std::fmt::Write as _;

/// A contact's company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) company: u64,
    pub(super) primary: bool,
}

/// A contact or company.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) created: Millis,
    pub(super) modified: Millis,
    pub(super) archived_at: Option<Millis>,
    /// Ids that were merged into this one.
    pub(super) merged: Vec<u64>,
    /// A contact's companies that are not archived, oldest link first.
    pub(super) companies: Vec<Link>,
    values: Vec<(Slot, Box<str>)>,
}

impl Record {
    pub(super) fn new(id: u64, at: Millis) -> Self {
        Self {
            id,
            created: at,
            modified: at,
            ..Self::default()
        }
    }

    /// The stored value.
    pub(super) fn get(&self, slot: Slot) -> Option<&str> {
        let place = self.values.binary_search_by_key(&slot, |(slot, _)| *slot);
        let (_, value) = self.values.get(place.ok()?)?;
        Some(value)
    }

    /// Makes room for so many values.
    pub(super) fn reserve(&mut self, values: usize) {
        self.values.reserve_exact(values);
    }

    /// Sets or clears the stored value.
    pub(super) fn set(&mut self, slot: Slot, value: Option<Box<str>>) {
        let place = self.values.binary_search_by_key(&slot, |(slot, _)| *slot);
        match (place, value) {
            (Ok(place), Some(value)) => {
                if let Some((_, old)) = self.values.get_mut(place) {
                    *old = value;
                }
            }
            (Ok(place), None) => {
                self.values.remove(place);
            }
            (Err(place), Some(value)) => self.values.insert(place, (slot, value)),
            (Err(_), None) => {}
        }
    }

    /// All stored values.
    pub(super) fn values(&self) -> impl Iterator<Item = (Slot, &str)> {
        self.values.iter().map(|(slot, value)| (*slot, &**value))
    }

    /// The company that `associatedcompanyid` shows.
    pub(super) fn primary_company(&self) -> Option<u64> {
        let primary = self.companies.iter().find(|link| link.primary)?;
        Some(primary.company)
    }

    /// What a read shows of this property.
    pub(super) fn show(&self, property: &Property) -> Option<Cow<'_, str>> {
        match property.source {
            Source::Stored => self.get(property.slot).map(Cow::Borrowed),
            Source::Id => Some(self.id.to_string().into()),
            Source::Created => Some(time::iso(self.created).into()),
            Source::Modified => Some(time::iso(self.modified).into()),
            Source::PrimaryCompany => Some(self.primary_company()?.to_string().into()),
            Source::MergedIds => joined(&self.merged).map(Cow::Owned),
        }
    }
}

fn joined(ids: &[u64]) -> Option<String> {
    let (first, rest) = ids.split_first()?;
    let mut text = first.to_string();
    for id in rest {
        write!(text, ";{id}").ok()?;
    }
    Some(text)
}

/// One version of one property, for `propertiesWithHistory`.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) slot: Slot,
    pub(super) at: Millis,
    pub(super) value: Box<str>,
    pub(super) author: Author,
}

/// Who wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// A person in the vendor's user interface.
    Person,
    /// An app with a key.
    App,
}
