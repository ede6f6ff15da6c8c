//! What people do in both systems.

use crate::clients;
use crate::ends::end;
use crate::systems::connector::lag;
use crate::systems::record::Edit;
use crate::systems::{State, account::Record};
use deskbridge::model::{COMPANY, Kind, Side, Value};
use rand::Rng as _;
use std::collections::BTreeMap;

/// How the reference of somebody begins whom people entered on both sides. Their keys stay: with
/// another one on one side before they were linked they would be two.
const TWIN: &str = "b";

/// A field that no mapping has.
pub(crate) const UNTOUCHED: &str = "untouched";

type Fields = BTreeMap<String, Value>;

/// Everybody who works in one of the systems.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is true or not by itself"
)]
#[derive(Debug)]
pub(crate) struct People {
    counter: u64,
    /// Whether the same company may be founded on both sides at once.
    pub(crate) twins: bool,
    /// Whether an older state may come back. What was linked since then is found again by its keys
    /// alone: everybody has one, and nobody changes it.
    pub(crate) forgets: bool,
    /// Whether records are deleted, restored and merged.
    pub(crate) ends: bool,
    /// Whether they write tickets, and work on them.
    pub(crate) tickets: bool,
}

fn fields<const N: usize>(all: [(&str, String); N]) -> Fields {
    all.into_iter()
        .map(|(field, value)| (field.to_owned(), Value::text(value)))
        .collect()
}

impl People {
    pub(crate) fn new() -> Self {
        Self {
            counter: 0,
            twins: false,
            forgets: false,
            ends: false,
            tickets: false,
        }
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// One thing that somebody does.
    pub(crate) fn act(&mut self, state: &mut State) {
        if self.tickets && state.random.random_bool(0.5) {
            return clients::act(state);
        }
        match state.random.random_range(0..16) {
            0 => self.hire(state, Side::Crm, true),
            1 => self.hire(state, Side::Desk, true),
            2 if !state.busy => self.hire_in_both(state),
            3 => {
                let (side, keyed) = (any_side(state), self.forgets);
                self.hire(state, side, keyed);
            }
            4 => self.found(state),
            5 | 6 => employ(state),
            7 => clear(state),
            8 => self.edit_company(state),
            9 if self.ends => end(state),
            _ => self.edit(state),
        }
    }

    fn person(&mut self, side: Side, number: u64, keyed: bool) -> Fields {
        let n = self.next();
        let mut person = match side {
            Side::Crm => fields([
                ("firstname", format!("F{n}")),
                ("lastname", format!("L{n}")),
                ("ref", format!("r{number}")),
            ]),
            Side::Desk => fields([
                ("name", format!("F{n} L{n}")),
                ("custom_fields.ref", format!("r{number}")),
            ]),
        };
        let email = format!(
            "{}{number}@acme.test",
            ["p", "P"][usize::from(n.is_multiple_of(5))]
        );
        if keyed {
            person.insert("email".to_owned(), Value::text(email));
        }
        if n.is_multiple_of(3) {
            person.insert("phone".to_owned(), Value::text(format!("+{n}")));
        }
        person
    }

    fn hire(&mut self, state: &mut State, side: Side, keyed: bool) {
        let number = self.next();
        let person = self.person(side, number, keyed);
        make(state, side, Kind::Contact, person);
    }

    pub(crate) fn hire_in_both(&mut self, state: &mut State) {
        let number = self.next();
        for side in Side::BOTH {
            let mut person = self.person(side, number, true);
            let name = reference(side);
            person.insert(name.to_owned(), Value::text(format!("{TWIN}{number}")));
            make(state, side, Kind::Contact, person);
        }
    }

    pub(crate) fn found(&mut self, state: &mut State) {
        let n = self.next();
        let both = self.twins && !state.busy && state.random.random_bool(0.3);
        let first = any_side(state);
        for side in Side::BOTH {
            if both || side == first {
                let name = format!("Company {n}");
                let twin = if both { TWIN } else { "r" };
                let company = fields([("name", name), (reference(side), format!("{twin}{n}"))]);
                make(state, side, Kind::Company, company);
            }
        }
    }

    fn edit(&mut self, state: &mut State) {
        let side = any_side(state);
        let Some(id) = any(state, side, Kind::Contact) else {
            return;
        };
        let n = self.next();
        let blank = ["", " "][usize::from(n.is_multiple_of(7))];
        let (field, value) = match (side, state.random.random_range(0..6)) {
            (_, 0) => ("phone", format!("+{n}")),
            (Side::Crm, 1) => ("jobtitle", format!("Job {n}{blank}")),
            (Side::Desk, 1) => ("job_title", format!("Job {n}{blank}")),
            (Side::Crm, 2) => ("lastname", format!("L{n}")),
            (Side::Crm, 3) => ("firstname", format!("F{n}")),
            (Side::Desk, 2 | 3) => ("name", format!("F{n} L{n}")),
            (Side::Crm, 4) => (
                "customer_tier",
                ["vip", "standard"][usize::from(n.is_multiple_of(2))].to_owned(),
            ),
            (Side::Desk, 4) => ("custom_fields.tier", format!("T{n}")),
            _ => ("email", format!("p{n}@acme.test")),
        };
        if is_lost(state, side, id) {
            return;
        }
        if field != "email" || !self.forgets && rekeys(state, side, Kind::Contact, id) {
            set(state, side, Kind::Contact, id, field, Value::text(value));
        }
    }

    fn edit_company(&mut self, state: &mut State) {
        let side = any_side(state);
        let n = self.next();
        let Some(id) = any(state, side, Kind::Company) else {
            return;
        };
        let rekeys = !self.forgets && rekeys(state, side, Kind::Company, id);
        let field = match (side, state.random.random_range(0..3)) {
            (_, 0) if rekeys => "name",
            (Side::Crm, _) => "phone",
            (Side::Desk, _) => "description",
        };
        let value = Value::text(format!("C{n}"));
        set(state, side, Kind::Company, id, field, value);
    }
}

/// Whether it is what a create has made that had no key, and that the engine may not know of yet. It
/// can be found again by its values alone: people leave them.
fn is_lost(state: &State, side: Side, id: u64) -> bool {
    let record = &state.accounts.of(side).contacts[&id];
    record.text("email").is_empty() && !record.human && !record.known
}

/// Under which name a side has the reference.
pub(crate) fn reference(side: Side) -> &'static str {
    match side {
        Side::Crm => "ref",
        Side::Desk => "custom_fields.ref",
    }
}

/// Whether people give this record another key. They do not where nobody could tell any more who it
/// is: a twin, before it is linked, would be two people; and what a lost create has made could not be
/// found again by what was sent.
fn rekeys(state: &State, side: Side, kind: Kind, id: u64) -> bool {
    let record = &state.accounts.of(side).of(kind)[&id];
    let twin = record.text(reference(side)).starts_with(TWIN);
    !twin && (record.human || record.known)
}

pub(crate) fn any_side(state: &mut State) -> Side {
    Side::BOTH[usize::from(state.random.random_bool(0.5))]
}

pub(crate) fn any(state: &mut State, side: Side, kind: Kind) -> Option<u64> {
    let live = state.accounts.of(side).live(kind);
    let at = state.random.random_range(0..live.len().max(1));
    live.get(at).copied()
}

/// Somebody puts a contact into a company, or takes it out.
fn employ(state: &mut State) {
    let side = any_side(state);
    let company = any(state, side, Kind::Company).filter(|_| state.random.random_bool(0.9));
    let value = company.map_or(Value::Empty, |id| Value::text(id.to_string()));
    let contact = any(state, side, Kind::Contact);
    // The company is one of the values by which it is found again.
    if let Some(id) = contact.filter(|id| !is_lost(state, side, *id)) {
        set(state, side, Kind::Contact, id, COMPANY, value);
    }
}

fn clear(state: &mut State) {
    let side = any_side(state);
    let field = match (side, state.random.random_bool(0.5)) {
        (_, true) => "phone",
        (Side::Crm, false) => "jobtitle",
        (Side::Desk, false) => "job_title",
    };
    let contact = any(state, side, Kind::Contact);
    if let Some(id) = contact.filter(|id| !is_lost(state, side, *id)) {
        set(state, side, Kind::Contact, id, field, Value::Empty);
    }
}

fn behind(state: &mut State, side: Side) -> i64 {
    match state.accounts.of(side).traits.late {
        0 => 0,
        most => state.random.random_range(0..most),
    }
}

/// Remembers what a field shows now as the last thing that a person did to it.
pub(crate) fn note(state: &mut State, side: Side, kind: Kind, id: u64, field: &str) {
    let (cycle, within) = (state.cycle, state.busy);
    let records = state.accounts.of_mut(side).of_mut(kind);
    if let Some(record) = records.get_mut(&id) {
        let edit = Edit {
            value: record.fields.get(field).cloned().unwrap_or_default(),
            cycle,
            within,
            shown: false,
            known: false,
            hidden: false,
        };
        record.edits.insert(field.to_owned(), edit);
    }
}

fn make(state: &mut State, side: Side, kind: Kind, mut fields: Fields) {
    let untouched = Value::text(format!("u{}", state.random.random_range(0..1_000_000)));
    fields.insert(UNTOUCHED.to_owned(), untouched);
    let (lag, late) = (lag(state, side), behind(state, side));
    let now = state.now - late;
    let made = state
        .accounts
        .of_mut(side)
        .create(kind, &fields, now, lag + late);
    let Ok(id) = made else { return };
    state.tell(|| format!("somebody makes {side} {kind} {id} {fields:?}"));
    if let Some(record) = state.accounts.of_mut(side).of_mut(kind).get_mut(&id) {
        record.human = true;
    }
    for field in fields.keys() {
        note(state, side, kind, id, field);
    }
}

/// Somebody edits a field.
pub(crate) fn set(state: &mut State, side: Side, kind: Kind, id: u64, field: &str, value: Value) {
    let (lag, late) = (lag(state, side), behind(state, side));
    let now = state.now - late;
    state.tell(|| format!("somebody sets {side} {kind} {id} {field} to {value}"));
    let account = state.accounts.of_mut(side);
    let before = account.of(kind).get(&id).map(|it| it.fields.clone());
    let fields = BTreeMap::from([(field.to_owned(), value)]);
    let done = account.update(kind, id, &fields, now, lag + late);
    let after = account
        .of(kind)
        .get(&id)
        .map(|it: &Record| it.fields.clone());
    if done.is_ok() && before != after {
        note(state, side, kind, id, field);
        crate::ends::honour(state, side, kind, id);
    }
}
