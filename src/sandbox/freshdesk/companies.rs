//! All companies of the account, and the indexes that keep every call cheap.

use super::fields::Schema;
use super::ranked::Ranked;
use super::record::Company;
use super::reply::Problem;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

#[derive(Debug)]
pub(super) struct Companies {
    rows: HashMap<u64, Company>,
    by_name: Ranked<(String, u64)>,
    by_update: BTreeSet<(i64, u64)>,
    /// Lower-case name → id.
    names: HashMap<String, u64>,
    domains: HashMap<String, u64>,
    /// For each unique custom field: its place, its name, value → holder.
    custom: Vec<(usize, String, HashMap<String, u64>)>,
    generation: u64,
}

impl Companies {
    pub(super) fn new(schema: &Schema) -> Self {
        let custom = schema
            .company
            .iter()
            .enumerate()
            .filter(|(_, field)| field.unique);
        Self {
            rows: HashMap::new(),
            by_name: Ranked::default(),
            by_update: BTreeSet::new(),
            names: HashMap::new(),
            domains: HashMap::new(),
            custom: custom
                .map(|(at, field)| (at, field.name.clone(), HashMap::new()))
                .collect(),
            generation: 0,
        }
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn get(&self, id: u64) -> Option<&Company> {
        self.rows.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Company> {
        self.rows.values()
    }

    /// Puts a company in, in place of the one with its id.
    pub(super) fn put(&mut self, company: Company) {
        self.take(company.id);
        self.generation += 1;
        let (id, name) = (company.id, company.name.to_lowercase());
        self.by_name.insert((name.clone(), id));
        self.names.insert(name, id);
        self.by_update.insert((company.updated_at, id));
        self.domains
            .extend(company.domains.iter().map(|domain| (domain.clone(), id)));
        for (at, _, holders) in &mut self.custom {
            if let Some(Value::String(text)) = company.custom.get(*at) {
                holders.insert(text.clone(), id);
            }
        }
        self.rows.insert(id, company);
    }

    /// Takes a company out for good.
    pub(super) fn take(&mut self, id: u64) -> Option<Company> {
        let company = self.rows.remove(&id)?;
        self.generation += 1;
        let key = (company.name.to_lowercase(), id);
        self.by_name.remove(&key);
        self.names.remove(&key.0);
        self.by_update.remove(&(company.updated_at, id));
        for domain in &company.domains {
            self.domains.remove(domain);
        }
        for (at, _, holders) in &mut self.custom {
            if let Some(Value::String(text)) = company.custom.get(*at) {
                holders.remove(text);
            }
        }
        Some(company)
    }

    /// The unique values of `company` that others hold; nobody is told whose they are.
    pub(super) fn conflicts(&self, company: &Company) -> Vec<Problem> {
        let other = |holder: Option<&u64>| holder.is_some_and(|&id| id != company.id);
        let mut found = Vec::new();
        if other(self.names.get(&company.name.to_lowercase())) {
            found.push(Problem::taken("name".to_owned(), None));
        }
        if company
            .domains
            .iter()
            .any(|domain| other(self.domains.get(domain)))
        {
            found.push(Problem::taken("domains".to_owned(), None));
        }
        for (at, name, holders) in &self.custom {
            if let Some(Value::String(text)) = company.custom.get(*at)
                && other(holders.get(text))
            {
                found.push(Problem::taken(format!("custom_fields.{name}"), None));
            }
        }
        found
    }

    /// The company that owns the domain of an e-mail address.
    pub(super) fn of_email(&self, email: &str) -> Option<u64> {
        let (_, domain) = email.rsplit_once('@')?;
        self.domains.get(domain).copied()
    }

    /// In the order of names, from the `skip`-th on.
    pub(super) fn by_name(&self, skip: usize) -> impl Iterator<Item = &Company> {
        self.by_name
            .from(skip)
            .filter_map(|(_, id)| self.rows.get(id))
    }

    /// Those changed at or after `second`.
    pub(super) fn changed_since(&self, second: i64) -> impl Iterator<Item = u64> {
        self.by_update.range((second, 0)..).map(|(_, id)| *id)
    }

    /// Whether every one of them was changed at or after `second`.
    pub(super) fn all_changed_since(&self, second: i64) -> bool {
        self.by_update.first().is_none_or(|(at, _)| *at >= second)
    }
}
