//! The three-way merge of one linked pair, field by field.
//!
//! | CRM | Freshdesk | result |
//! |---|---|---|
//! | same | same | nothing |
//! | changed | same | the CRM's value goes to Freshdesk, if the direction allows it |
//! | same | changed | the mirror |
//! | changed | changed, equal through the mapping | no conflict: the base moves |
//! | changed | changed, different | the field's conflict policy |
//!
//! "Changed" means: different from what *that same side* showed when both last agreed. A side that
//! stores `+44 20` as `+4420` has therefore not changed anything.

#[cfg(test)]
mod table;

use super::{FieldChange, PairState, Rule};
use crate::mapping::{ConflictPolicy, Direction, Field, Half, Lens, Mapping, Untranslatable};
use crate::model::{Image, Pair, Side, Value};

/// What it takes to make a linked pair agree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merged {
    /// What to write to each side, in the order of the mapping.
    pub changes: Pair<Vec<FieldChange>>,
    /// What both sides agree on already: to be taken into the bases without a write.
    pub agreed: Pair<Image>,
    /// Fields that nothing is done about, and why.
    pub notices: Vec<Notice>,
    /// Fields that a person wants left as they are, different as they may be.
    pub kept: Vec<String>,
}

impl Merged {
    /// Whether there is nothing to do, to take note of or to tell.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        let Self {
            changes,
            agreed,
            notices,
            kept,
        } = self;
        notices.is_empty()
            && kept.is_empty()
            && Side::BOTH
                .into_iter()
                .all(|side| changes.of(side).is_empty() && agreed.of(side).is_empty())
    }
}

/// A field that nothing is done about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The field.
    pub field: String,
    /// Why.
    pub kind: NoticeKind,
}

/// Why nothing is done about a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeKind {
    /// Both sides have a value of their own and the policy leaves it to a person.
    Held {
        /// What each side shows.
        values: Pair<Vec<Value>>,
        /// Whether they agreed on it once, and both changed it since.
        agreed_once: bool,
    },
    /// The value of this side cannot cross over.
    Untranslatable {
        /// Whose value it is.
        source: Side,
        /// Why.
        why: Untranslatable,
    },
}

/// Merges the two images of a pair.
#[must_use]
pub fn merge(mapping: &Mapping, pair: &PairState) -> Merged {
    let mut out = Merged::default();
    for field in &mapping.fields {
        if is_still(field, pair) {
            continue;
        }
        let sides = Side::BOTH.map(|side| field.read(side, pair.images.of(side)));
        // A side that did not say what it has is unknown, and decides nothing.
        if let [Some(crm), Some(desk)] = sides {
            one(field, pair, &Pair { crm, desk }, &mut out);
        }
    }
    out
}

/// The fields on which the two sides differ and nothing is to be done, since neither has changed since
/// they were last compared: a person has said so, or they could differ from the beginning.
#[must_use]
pub fn apart<'a>(mapping: &'a Mapping, pair: &PairState) -> Vec<&'a str> {
    let differ = |field: &&Field| {
        let sides = Side::BOTH.map(|side| field.read(side, pair.images.of(side)));
        match sides {
            [Some(crm), Some(desk)] => {
                is_still(field, pair) && !equal(field, pair, &Pair { crm, desk })
            }
            _ => false,
        }
    };
    let fields = mapping.fields.iter().filter(differ);
    fields.map(|field| field.name.as_str()).collect()
}

/// Whether both sides show just what they showed when they last agreed. Then nothing has to be done,
/// whether what they show is equal or not; most fields of most pairs are like that.
fn is_still(field: &Field, pair: &PairState) -> bool {
    Side::BOTH.into_iter().all(|side| {
        let (now, base) = (pair.images.of(side), pair.bases.of(side));
        field.names(side).all(|name| {
            let now = now.get(name);
            now.is_some() && now == base.get(name)
        })
    })
}

fn one(field: &Field, pair: &PairState, now: &Pair<Vec<Value>>, out: &mut Merged) {
    let base = Pair {
        crm: field.read(Side::Crm, &pair.bases.crm),
        desk: field.read(Side::Desk, &pair.bases.desk),
    };
    if equal(field, pair, now) {
        agree(field, now, &base, out);
        return;
    }
    let source = match (&base.crm, &base.desk) {
        (Some(crm), Some(desk)) => later(
            field,
            pair,
            Pair {
                crm: crm != &now.crm,
                desk: desk != &now.desk,
            },
        ),
        _ => first(field, pair, now),
    };
    match source {
        Source::Nobody => {}
        Source::Accepted => agree(field, now, &base, out),
        Source::Person => out.notices.push(Notice {
            field: field.name.clone(),
            kind: NoticeKind::Held {
                values: now.clone(),
                agreed_once: base.crm.is_some() && base.desk.is_some(),
            },
        }),
        Source::Wins(source, rule) => write(field, pair, now, &base, source, rule, out),
    }
}

/// Whose value is to stand.
enum Source {
    Nobody,
    /// The difference stands; from now on each side is measured against what it has.
    Accepted,
    Person,
    Wins(Side, Rule),
}

/// The two never agreed on this field: fill what is empty, never clear.
fn first(field: &Field, pair: &PairState, now: &Pair<Vec<Value>>) -> Source {
    let empty = now.as_ref().map(|values| blank(values));
    match (field.direction, empty.crm, empty.desk) {
        (Direction::To(target), ..) => {
            let source = target.other();
            if *empty.of(source) {
                Source::Accepted
            } else if *empty.of(target) {
                Source::Wins(source, Rule::Filled)
            } else {
                Source::Wins(source, Rule::OneWay)
            }
        }
        (Direction::Both, true, true) => Source::Accepted,
        (Direction::Both, true, _) => Source::Wins(Side::Desk, Rule::Filled),
        (Direction::Both, _, true) => Source::Wins(Side::Crm, Rule::Filled),
        (Direction::Both, false, false) => conflict(field, pair),
    }
}

/// Whether there is nothing in `values` that a person would see. A blank would cross over as nothing
/// where the lens trims: a first sync that took it for a value would clear the other side.
pub(super) fn blank(values: &[Value]) -> bool {
    let bare = |text: &str| text.trim().is_empty();
    values.iter().all(|value| match value {
        Value::Empty => true,
        Value::Text(text) => bare(text),
        Value::List(members) => members.iter().all(|member| bare(member)),
        Value::Bool(_) | Value::Number(_) => false,
    })
}

/// The two agreed once; who moved away since?
fn later(field: &Field, pair: &PairState, changed: Pair<bool>) -> Source {
    match (field.direction, changed.crm, changed.desk) {
        (_, false, false) => Source::Nobody,
        (Direction::To(target), ..) => {
            let source = target.other();
            let rule = if *changed.of(source) {
                Rule::Changed(source)
            } else {
                Rule::OneWay
            };
            Source::Wins(source, rule)
        }
        (Direction::Both, true, false) => Source::Wins(Side::Crm, Rule::Changed(Side::Crm)),
        (Direction::Both, false, true) => Source::Wins(Side::Desk, Rule::Changed(Side::Desk)),
        (Direction::Both, true, true) => conflict(field, pair),
    }
}

fn conflict(field: &Field, pair: &PairState) -> Source {
    match field.conflict {
        ConflictPolicy::Hold => Source::Person,
        ConflictPolicy::Prefer(side) => Source::Wins(side, Rule::Preferred(side)),
        ConflictPolicy::Newest => {
            let versions = pair.versions;
            let winner = if versions.desk > versions.crm {
                Side::Desk
            } else {
                Side::Crm
            };
            Source::Wins(winner, Rule::Newest { winner, versions })
        }
    }
}

fn write(
    field: &Field,
    pair: &PairState,
    now: &Pair<Vec<Value>>,
    base: &Pair<Option<Vec<Value>>>,
    source: Side,
    rule: Rule,
    out: &mut Merged,
) {
    let target = source.other();
    let company = pair.companies.of(target).as_ref().map(|id| id.0.as_str());
    match translate(field, target, now, base, company) {
        // The translation is what the target has already: only the base was behind.
        Ok(values) if &values == now.of(target) => agree(field, now, base, out),
        Ok(values) => {
            let names = field.names(target).map(str::to_owned);
            // Of several names on one side, those that stay as they are are not sent.
            let set = names
                .zip(values)
                .zip(now.of(target))
                .filter(|((_, value), before)| value != *before)
                .map(|(change, _)| change)
                .collect();
            out.changes.of_mut(target).push(FieldChange {
                field: field.name.clone(),
                base: base.of(target).clone().unwrap_or_default(),
                crm: now.crm.clone(),
                freshdesk: now.desk.clone(),
                set: Image(set),
                rule,
            });
        }
        Err(why) => out.notices.push(Notice {
            field: field.name.clone(),
            kind: NoticeKind::Untranslatable { source, why },
        }),
    }
}

fn agree(field: &Field, now: &Pair<Vec<Value>>, base: &Pair<Option<Vec<Value>>>, out: &mut Merged) {
    for side in Side::BOTH {
        if base.of(side).as_ref() == Some(now.of(side)) {
            continue;
        }
        for (name, value) in field.names(side).zip(now.of(side)) {
            out.agreed.of_mut(side).set(name, value.clone());
        }
    }
}

fn equal(field: &Field, pair: &PairState, now: &Pair<Vec<Value>>) -> bool {
    let company = pair.companies.desk.as_ref().map(|id| id.0.as_str());
    says_the_same(field, now, company)
}

/// Whether the two sides' values are equal through the mapping. `company` is Freshdesk's id of the company that
/// the CRM's value names.
fn says_the_same(field: &Field, values: &Pair<Vec<Value>>, company: Option<&str>) -> bool {
    let (Some(crm), Some(desk)) = (values.crm.first(), values.desk.first()) else {
        return true;
    };
    if field.lens != Lens::Company {
        return field.lens.equal(&values.crm, desk);
    }
    match (crm.is_empty(), desk.as_text()) {
        (empty, None) => empty,
        (true, Some(_)) => false,
        (false, Some(desk)) => company == Some(desk),
    }
}

/// Whether two bases are no agreement on a field that means something else than when they were taken: what both
/// sides showed then is not equal through what it means now. Where it is equal they stand, and whoever has changed
/// it since is known. `company` as in [`PairState::companies`], for the company that the CRM's base names.
#[must_use]
pub fn is_no_agreement(field: &Field, bases: &Pair<Image>, company: Option<&str>) -> bool {
    let [crm, desk] = Side::BOTH.map(|side| field.read(side, bases.of(side)));
    let (Some(crm), Some(desk)) = (crm, desk) else {
        return false;
    };
    !says_the_same(field, &Pair { crm, desk }, company)
}

/// The values that `target` is to have. `company` is the target's own id of the source's company.
pub(super) fn translate(
    field: &Field,
    target: Side,
    now: &Pair<Vec<Value>>,
    base: &Pair<Option<Vec<Value>>>,
    company: Option<&str>,
) -> Result<Vec<Value>, Untranslatable> {
    if field.lens == Lens::Company {
        let none = now.of(target.other()).iter().all(Value::is_empty);
        return match (none, company) {
            (true, _) => Ok(vec![Value::Empty]),
            (false, Some(id)) => Ok(vec![Value::text(id)]),
            (false, None) => Err(Untranslatable::CompanyNotLinked),
        };
    }
    let half = |side| Half {
        now: now.of(side),
        base: base.of(side).as_deref(),
    };
    let (crm, desk) = (half(Side::Crm), half(Side::Desk));
    match target {
        Side::Crm => field.lens.to_crm(crm, desk),
        Side::Desk => field.lens.to_desk(crm, desk).map(|value| vec![value]),
    }
}
