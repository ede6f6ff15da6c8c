//! The admins' mapping, compiled: which field is which, and how a value crosses over. Pure.

mod lens;
mod rule;
mod support;
mod template;

pub use lens::{Half, Lens, Region, Untranslatable, ValueTable};
pub use rule::{
    Check, Known, Named, Naming, OnEnd, Standing, Test, TicketFilter, TicketRule, TicketStatus,
};
pub use support::{SupportFact, SupportSummary};
pub use template::{
    LONGEST_NOTE, Note, NoteError, NoteFact, NoteFacts, NoteFlaw, NoteFlawKind, NoteNames,
    NoteRead, TicketFact,
};

use crate::model::{COMPANY, Image, Kind, Pair, Side, Value};
use serde_json::{Value as Json, json};

/// Which way a field goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// An edit on either side reaches the other.
    Both,
    /// Only this side is ever written.
    To(Side),
}

impl Direction {
    /// Whether `side` may be written.
    #[must_use]
    pub const fn writes(self, side: Side) -> bool {
        match self {
            Self::Both => true,
            Self::To(target) => matches!(
                (target, side),
                (Side::Crm, Side::Crm) | (Side::Desk, Side::Desk)
            ),
        }
    }
}

/// What happens when both sides changed a field, differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictPolicy {
    /// The record that was changed later wins; equal times fall to the CRM.
    Newest,
    /// This side wins.
    Prefer(Side),
    /// Neither: the field waits for a person.
    Hold,
}

/// What happens when a linked record's counterpart was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletePolicy {
    /// A person decides.
    Hold,
    /// The link is dropped, the survivor stays and gets no new counterpart.
    Ignore,
    /// The survivor is put into the trash as well.
    Propagate,
}

/// One mapped field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What plans, journal and logs call it: Freshdesk's name, which is mapped once only.
    pub name: String,
    /// The CRM's names; more than one for a lens that joins.
    pub crm: Vec<String>,
    /// Freshdesk's name, such as `job_title` or `custom_fields.tier`.
    pub desk: String,
    /// How a value crosses over.
    pub lens: Lens,
    /// Which way it goes.
    pub direction: Direction,
    /// Who wins when both sides changed it.
    pub conflict: ConflictPolicy,
}

impl Field {
    /// The field that stands for a contact's company.
    #[must_use]
    pub fn company(direction: Direction, conflict: ConflictPolicy) -> Self {
        Self {
            name: "company".to_owned(),
            crm: vec![COMPANY.to_owned()],
            desk: COMPANY.to_owned(),
            lens: Lens::Company,
            direction,
            conflict,
        }
    }

    /// Its names on `side`.
    pub fn names(&self, side: Side) -> impl Iterator<Item = &str> {
        let (crm, desk) = match side {
            Side::Crm => (self.crm.as_slice(), None),
            Side::Desk => (&[] as &[String], Some(self.desk.as_str())),
        };
        crm.iter().map(String::as_str).chain(desk)
    }

    /// What it means that the two sides agree on it: both partners, how a value crosses over, and which way. The
    /// same for as long as that is the same.
    #[must_use]
    pub fn meaning(&self) -> Vec<Json> {
        let direction = match self.direction {
            Direction::Both => "both",
            Direction::To(side) => side.word(),
        };
        vec![
            json!(self.crm),
            json!(self.desk),
            self.lens.meaning(),
            json!(direction),
        ]
    }

    /// What `image` of `side` says of it, one value a name; `None` where any of them is unknown.
    #[must_use]
    pub fn read(&self, side: Side, image: &Image) -> Option<Vec<Value>> {
        self.names(side)
            .map(|name| image.get(name).cloned())
            .collect()
    }
}

/// Only records that meet this are kept in step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// This field of the record …
    pub field: String,
    /// … has one of these values.
    pub values: Vec<Value>,
}

impl Scope {
    /// Whether the record is inside; `None` where the field is unknown.
    #[must_use]
    pub fn admits(&self, image: &Image) -> Option<bool> {
        image
            .get(&self.field)
            .map(|value| self.values.contains(value))
    }
}

/// One way in which two unlinked records are found to be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchKey {
    /// The CRM's name of the field.
    pub crm: String,
    /// Freshdesk's name of the field that it is mapped to.
    pub desk: String,
}

impl MatchKey {
    /// Its name on `side`.
    #[must_use]
    pub fn name(&self, side: Side) -> &str {
        match side {
            Side::Crm => &self.crm,
            Side::Desk => &self.desk,
        }
    }

    /// The values of `image` under which it can be found: trimmed, inner blanks single, in lower
    /// case. Empty where it has none, so that what cannot be normalised never matches.
    #[must_use]
    pub fn values(&self, side: Side, image: &Image) -> Vec<String> {
        let normal = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
            words.join(" ")
        };
        let mut values = match image.get(self.name(side)) {
            Some(Value::Text(text)) => vec![normal(text)],
            Some(Value::Number(number)) => vec![number.to_string()],
            Some(Value::List(members)) => members.iter().map(|text| normal(text)).collect(),
            Some(Value::Bool(_) | Value::Empty) | None => Vec::new(),
        };
        values.retain(|value| !value.is_empty());
        values.sort_unstable();
        values.dedup();
        values
    }
}

/// Everything that `sync.toml` says about one kind of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Of this kind.
    pub kind: Kind,
    /// In the order of `sync.toml`; the company link last, where it is kept.
    pub fields: Vec<Field>,
    /// First that hits wins.
    pub keys: Vec<MatchKey>,
    /// Whether a missing counterpart may be created, by the side it would be created on.
    pub create: Pair<bool>,
    /// What a deletion leads to.
    pub delete: DeletePolicy,
    /// Which records of each side take part.
    pub scope: Pair<Option<Scope>>,
    /// Fields of each side that are read though they are not mapped: ticket rules, notes and the support summary
    /// look at them.
    pub watched: Pair<Vec<String>>,
}

impl Mapping {
    /// Every field of `side` that has to be read, without repetition, sorted.
    #[must_use]
    pub fn reads(&self, side: Side) -> Vec<String> {
        let mut names: Vec<String> = self
            .fields
            .iter()
            .flat_map(|field| field.names(side))
            .map(str::to_owned)
            .chain(self.scope.of(side).iter().map(|scope| scope.field.clone()))
            .chain(self.keys.iter().map(|key| key.name(side).to_owned()))
            .chain(self.watched.of(side).iter().cloned())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether a field of `side` says the same with what it was `given` and with what it has made of that, see
    /// [`Lens::alike`].
    #[must_use]
    pub fn alike(&self, side: Side, name: &str, given: &Value, stored: &Value) -> bool {
        let mut fields = self.fields.iter();
        let field = fields.find(|field| field.names(side).any(|it| it == name));
        let lens = field.map_or(&Lens::Same, |field| &field.lens);
        lens.alike(given, stored)
    }

    /// Whether a record of `side` takes part; what is unknown leaves it where it was, so `None`.
    #[must_use]
    pub fn in_scope(&self, side: Side, image: &Image) -> Option<bool> {
        self.scope
            .of(side)
            .as_ref()
            .map_or(Some(true), |scope| scope.admits(image))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_by(value: Value) -> Vec<String> {
        let key = MatchKey {
            crm: "email".to_owned(),
            desk: "emails".to_owned(),
        };
        key.values(Side::Crm, &Image::from([("email", value)]))
    }

    #[test]
    fn one_person_is_found_however_the_address_or_name_is_spelled() {
        assert_eq!(found_by(" Ada@Example.COM ".into()), ["ada@example.com"]);
        assert_eq!(found_by("Ada \t King\n Noel".into()), ["ada king noel"]);
        assert_eq!(found_by(42.into()), ["42"]);
    }

    #[test]
    fn a_company_is_found_by_each_of_its_domains_once() {
        let domains = ["B.com", "a.com", " ", "b.com "].map(str::to_owned);
        assert_eq!(found_by(Value::list(domains.into())), ["a.com", "b.com"]);
    }

    #[test]
    fn two_records_without_an_address_are_never_taken_for_one() {
        for value in [Value::Empty, " ".into(), true.into(), false.into()] {
            assert_eq!(found_by(value.clone()), [""; 0], "{value:?}");
        }
        let key = MatchKey {
            crm: "email".to_owned(),
            desk: "emails".to_owned(),
        };
        let unknown = Image::from([("email", Value::from("ada@example.com"))]);
        assert_eq!(key.values(Side::Desk, &unknown), [""; 0]);
    }
}
