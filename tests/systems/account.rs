//! One system's records, and what people do to them.

pub use super::record::{Entry, Record, Standing};
use super::traits::{Order, Traits};
use deskbridge::model::{COMPANY, Kind, Observed, Side, Value};
use std::collections::BTreeMap;

/// What a create or an update met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Another one has the value.
    Taken(u64),
    /// The value belongs to something else.
    TakenByOther,
}

/// One system's data.
#[derive(Debug, Clone)]
pub struct Account {
    pub side: Side,
    pub traits: Traits,
    pub companies: BTreeMap<u64, Record>,
    pub contacts: BTreeMap<u64, Record>,
    next: u64,
}

impl Account {
    pub fn new(side: Side, traits: Traits) -> Self {
        Self {
            side,
            next: traits.first,
            traits,
            companies: BTreeMap::new(),
            contacts: BTreeMap::new(),
        }
    }

    pub fn of(&self, kind: Kind) -> &BTreeMap<u64, Record> {
        match kind {
            Kind::Company => &self.companies,
            Kind::Contact => &self.contacts,
        }
    }

    pub fn of_mut(&mut self, kind: Kind) -> &mut BTreeMap<u64, Record> {
        match kind {
            Kind::Company => &mut self.companies,
            Kind::Contact => &mut self.contacts,
        }
    }

    pub fn live(&self, kind: Kind) -> Vec<u64> {
        let live = self.of(kind).values().filter(|it| it.is_live());
        live.map(|it| it.id).collect()
    }

    /// A time as this system tells it.
    pub fn stamp(&self, now: i64) -> i64 {
        if self.traits.seconds {
            now / 1000 * 1000
        } else {
            now
        }
    }

    /// Who has a unique value of `fields` already, apart from `id`.
    pub fn taken(
        &self,
        kind: Kind,
        fields: &BTreeMap<String, Value>,
        id: Option<u64>,
    ) -> Option<Refusal> {
        for (of, field) in self.traits.unique {
            let value = fields.get(*field).and_then(Value::as_text);
            let (true, Some(value)) = (*of == kind, value) else {
                continue;
            };
            let same = |it: &&Record| it.has(field, value);
            let others = self.of(kind).values();
            let mut others = others.filter(|it| Some(it.id) != id).filter(same);
            // A record in the trash keeps its address.
            let holder = others.find(|it| {
                matches!(
                    it.standing,
                    Standing::Live | Standing::Trashed | Standing::Converted
                )
            });
            match holder {
                Some(it) if it.standing == Standing::Converted => {
                    return Some(Refusal::TakenByOther);
                }
                Some(it) => return Some(Refusal::Taken(it.id)),
                None => {}
            }
        }
        None
    }

    /// Sets fields, with what the system makes of them.
    fn lay(&self, on: &mut BTreeMap<String, Value>, fields: &BTreeMap<String, Value>) {
        for (field, value) in fields {
            let value = self.traits.rewrite.of(field, value);
            let value = self.heir_of(field, value);
            if value.is_empty() {
                on.remove(field);
            } else {
                on.insert(field.clone(), value);
            }
        }
    }

    /// A company that was merged away stands for the one that it was merged into, where the system
    /// knows which that is: nobody can be put into one that is not there.
    fn heir_of(&self, field: &str, value: Value) -> Value {
        let asked = value.as_text().and_then(|id| id.parse::<u64>().ok());
        let Some(mut id) = asked.filter(|_| field == COMPANY && self.traits.names_heir) else {
            return value;
        };
        let standing = |id: u64| self.companies.get(&id).map(|it| it.standing);
        while let Some(Standing::MergedInto(heir)) = standing(id) {
            id = heir;
        }
        Value::text(id.to_string())
    }

    /// A new record; `lag` is how long it takes to show in searches.
    pub fn create(
        &mut self,
        kind: Kind,
        fields: &BTreeMap<String, Value>,
        now: i64,
        lag: i64,
    ) -> Result<u64, Refusal> {
        let mut laid = BTreeMap::new();
        self.lay(&mut laid, fields);
        if let Some(refusal) = self.taken(kind, &laid, None) {
            return Err(refusal);
        }
        let id = self.next;
        self.next += 1;
        let version = self.stamp(now);
        let record = Record {
            id,
            standing: Standing::Live,
            version,
            index: vec![Entry {
                from: now + lag,
                version,
                fields: laid.clone(),
            }],
            fields: laid,
            edits: BTreeMap::new(),
            human: false,
            known: false,
            back: false,
            seen: false,
        };
        self.of_mut(kind).insert(id, record);
        Ok(id)
    }

    /// Changes fields of a live record.
    pub fn update(
        &mut self,
        kind: Kind,
        id: u64,
        fields: &BTreeMap<String, Value>,
        now: i64,
        lag: i64,
    ) -> Result<(), Refusal> {
        let Some(record) = self.of(kind).get(&id) else {
            return Ok(());
        };
        let (mut laid, before) = (record.fields.clone(), record.version);
        self.lay(&mut laid, fields);
        // Whoever is put into a company that was merged away is touched, also where they are in its heir.
        let company = fields.get(COMPANY).filter(|it| !it.is_empty());
        let moved = company.is_some_and(|asked| laid.get(COMPANY) != Some(asked));
        if laid == record.fields && !moved {
            return Ok(());
        }
        if let Some(refusal) = self.taken(kind, &laid, Some(id)) {
            return Err(refusal);
        }
        let version = self.stamp(now).max(before);
        self.change(kind, id, now + lag, version, |record| record.fields = laid);
        Ok(())
    }

    /// Changes a record and lets searches know from `from` on.
    pub fn change(
        &mut self,
        kind: Kind,
        id: u64,
        from: i64,
        version: i64,
        change: impl FnOnce(&mut Record),
    ) {
        if let Some(record) = self.of_mut(kind).get_mut(&id) {
            change(record);
            record.version = version;
            record.index.push(Entry {
                from,
                version,
                fields: record.fields.clone(),
            });
        }
    }

    /// Puts a record into the trash, or where it has none, away.
    pub fn trash(&mut self, kind: Kind, id: u64, now: i64) {
        let standing = if (self.traits.caps.soft_delete)(kind) {
            Standing::Trashed
        } else {
            Standing::Gone
        };
        self.stand(kind, id, now, standing);
        if kind == Kind::Company {
            self.leave(id, now);
        }
    }

    /// Gives a record another standing.
    pub fn stand(&mut self, kind: Kind, id: u64, now: i64, standing: Standing) {
        let version = self.stamp(now);
        self.change(kind, id, now, version, |record| {
            record.back |= standing == Standing::Live;
            record.standing = standing;
        });
    }

    /// A company is gone: nobody is in it any more.
    pub fn leave(&mut self, company: u64, now: i64) {
        let company = company.to_string();
        let version = self.stamp(now);
        let members: Vec<u64> = self
            .contacts
            .values()
            .filter(|it| it.text(COMPANY) == company)
            .map(|it| it.id)
            .collect();
        for id in members {
            self.change(Kind::Contact, id, now, version, |record| {
                record.fields.remove(COMPANY);
                record.edits.remove(COMPANY);
            });
        }
    }

    /// The records of a feed above a place in it, with that place: a page and one more.
    pub fn feed(&self, kind: Kind, changes: Option<i64>, now: i64, trash: bool) -> Vec<(u64, u64)> {
        let mut rows: Vec<(u64, u64)> = Vec::new();
        let both = changes.is_some() && self.traits.caps.trash_in_changes;
        for record in self.of(kind).values() {
            let wanted = match record.standing {
                Standing::Live => !trash,
                Standing::Trashed => trash || both,
                _ => false,
            };
            let lags = self.traits.index_lag > 0 && changes.is_some() && !trash;
            let version = if lags {
                record.indexed(now).map(|it| it.version)
            } else {
                Some(record.version)
            };
            let Some(version) = version.filter(|_| wanted) else {
                continue;
            };
            if changes.is_some_and(|since| version < since) {
                continue;
            }
            let by_time = self.traits.order == Order::Time && changes.is_some();
            let place = if by_time {
                u64::try_from(version).unwrap_or(0) * 100_000 + record.id
            } else {
                record.id
            };
            rows.push((place, record.id));
        }
        rows.sort_unstable();
        rows
    }

    /// A cycle is over: what it has seen is known from now on, if it came to its end.
    pub fn cycle_over(&mut self, ended: bool) {
        for record in self
            .companies
            .values_mut()
            .chain(self.contacts.values_mut())
        {
            record.known |= record.seen && ended;
            record.seen = false;
            for edit in record.edits.values_mut() {
                edit.known |= edit.shown && ended;
            }
        }
    }

    /// A record as a page shows it.
    pub fn show(
        &mut self,
        kind: Kind,
        id: u64,
        fields: &[String],
        search: bool,
        now: i64,
    ) -> Observed {
        let lags = search && self.traits.index_lag > 0;
        let record = self.of_mut(kind).get_mut(&id).unwrap();
        let entry = record.indexed(now).filter(|_| lags).cloned();
        record.show(fields, entry.as_ref())
    }

    /// The ids of those that show this value, as a look-up sees them.
    pub fn find(&self, kind: Kind, field: &str, value: &str, now: i64) -> Vec<u64> {
        let current = self.traits.index_lag == 0 || field == "email";
        let records = self.of(kind).values();
        let records = records.filter(|it| {
            it.is_live() || (it.standing == Standing::Trashed && self.side == Side::Desk)
        });
        let is = |known: Option<&Value>| match known {
            Some(Value::Text(text)) => text.eq_ignore_ascii_case(value),
            Some(Value::List(members)) => members.iter().any(|it| it.eq_ignore_ascii_case(value)),
            _ => false,
        };
        let has = |it: &&Record| {
            if current {
                is(it.fields.get(field))
            } else {
                is(it.indexed(now).and_then(|entry| entry.fields.get(field)))
            }
        };
        records.filter(has).map(|it| it.id).collect()
    }

    /// The ids of those that have this address beside the one that they show.
    pub fn find_beside(&self, kind: Kind, field: &str, value: &str) -> Vec<u64> {
        let records = self.of(kind).values();
        let beside = |it: &&Record| field == "email" && it.is_live() && it.has_beside(value);
        records.filter(beside).map(|it| it.id).collect()
    }
}
