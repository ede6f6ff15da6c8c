//! One write as planned: which field gets which value, and by which rule; and what both sides agree
//! on once the server has confirmed it.

use super::PairState;
use super::merge::{blank, translate};
use crate::mapping::Mapping;
use crate::model::{Changes, Image, Pair, Side, Value, Version};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One field of one write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field, by the name of [`crate::mapping::Field`].
    pub field: String,
    /// What the written side showed when both last agreed.
    pub base: Vec<Value>,
    /// What the CRM shows.
    pub crm: Vec<Value>,
    /// What Freshdesk shows.
    pub freshdesk: Vec<Value>,
    /// What is written, by the written side's own names.
    pub set: Changes,
    /// Why.
    pub rule: Rule,
}

impl FieldChange {
    /// What `side` shows.
    fn shown(&self, side: Side) -> &[Value] {
        match side {
            Side::Crm => &self.crm,
            Side::Desk => &self.freshdesk,
        }
    }
}

/// Why a field is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// It was changed on that side, and on that side alone.
    Changed(Side),
    /// The other side had nothing there at the first sync.
    Filled,
    /// The field goes one way and its target was different.
    OneWay,
    /// Both sides differ, and the mapping prefers this one.
    Preferred(Side),
    /// Both sides differ, and this one's record was changed later (equal times fall to the CRM).
    Newest {
        /// Who won.
        winner: Side,
        /// What was compared.
        versions: Pair<Version>,
    },
    /// Both sides differ, and a person has chosen this one.
    Chosen(Side),
    /// The record is made on this occasion.
    Created,
    /// The standing that this ticket rule names holds.
    Standing(String),
    /// The standing of this ticket rule has ended.
    Ended(String),
    /// It is what the customer's tickets come to.
    Summary,
    /// A person takes back what this run has written.
    Reverted(i64),
    /// A person has discarded the change: nothing is written, and both sides keep what they have.
    Kept,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(side) => write!(f, "changed in {side}"),
            Self::Filled => f.write_str("first sync: was empty there"),
            Self::OneWay => f.write_str("one-way field: the source wins"),
            Self::Preferred(side) => write!(f, "both differ: {side} wins by the mapping"),
            Self::Newest { winner, versions } => write!(
                f,
                "both differ: {winner} is newer (crm {}, freshdesk {})",
                versions.crm.time().format("%F %T"),
                versions.desk.time().format("%F %T"),
            ),
            Self::Chosen(side) => write!(f, "both differ: a person has chosen {side}"),
            Self::Created => f.write_str("new record"),
            Self::Standing(rule) => write!(f, "ticket rule `{rule}`"),
            Self::Summary => f.write_str("support summary"),
            Self::Reverted(run) => write!(f, "takes back run {run}"),
            Self::Kept => f.write_str("a person has discarded the change"),
            Self::Ended(rule) => write!(f, "ticket rule `{rule}`: the standing has ended"),
        }
    }
}

/// Brings `pair` to where it is after `changes` were written to `target` and the server then showed
/// `stored`: the image there, and what both sides agree on.
///
/// The source agreed to what it said, the target to what it made of it. That is all there is to
/// echo suppression: our own write, however the server rewrites it, never looks like an edit.
pub fn settle(
    mapping: &Mapping,
    pair: &mut PairState,
    target: Side,
    changes: &[FieldChange],
    stored: &Image,
) {
    let image = pair.images.of_mut(target);
    for change in changes {
        image.overlay(&change.set);
    }
    image.overlay(stored);
    for change in changes {
        let Some(field) = mapping.fields.iter().find(|it| it.name == change.field) else {
            continue;
        };
        for side in Side::BOTH {
            for (at, name) in field.names(side).enumerate() {
                let written = side == target && change.set.get(name).is_some();
                // What was not written agreed to what it was when the write was decided: what it shows
                // by now may be a person's edit.
                let agreed = match change.shown(side).get(at) {
                    Some(shown) if !written => Some(shown),
                    _ => pair.images.of(side).get(name),
                };
                if let Some(agreed) = agreed {
                    pair.bases.of_mut(side).set(name, agreed.clone());
                }
            }
        }
    }
}

/// What a record of `source` looks like on the other side when it is made there: every field that
/// may be written there and has a value. Values that cannot cross over are left out.
#[must_use]
pub fn first_fields(
    mapping: &Mapping,
    source: Side,
    image: &Image,
    company: Option<&str>,
) -> Vec<FieldChange> {
    let target = source.other();
    let mut changes = Vec::new();
    for field in &mapping.fields {
        let Some(shown) = field.read(source, image) else {
            continue;
        };
        if !field.direction.writes(target) || blank(&shown) {
            continue;
        }
        let nothing = vec![Value::Empty; field.names(target).count()];
        let mut sides = Pair {
            crm: shown.clone(),
            desk: shown,
        };
        sides.of_mut(target).clone_from(&nothing);
        let Ok(values) = translate(field, target, &sides, &Pair::default(), company) else {
            continue;
        };
        if values.iter().all(Value::is_empty) {
            continue;
        }
        changes.push(FieldChange {
            field: field.name.clone(),
            base: nothing,
            crm: sides.crm,
            freshdesk: sides.desk,
            set: Image(
                field
                    .names(target)
                    .map(str::to_owned)
                    .zip(values)
                    .filter(|(_, value)| !value.is_empty())
                    .collect(),
            ),
            rule: Rule::Created,
        });
    }
    changes
}

/// As [`settle`], for a create: nothing was agreed on before but what was written, and what is equal
/// without a write.
pub fn created(
    mapping: &Mapping,
    pair: &mut PairState,
    target: Side,
    changes: &[FieldChange],
    stored: &Image,
) {
    settle(mapping, pair, target, changes, stored);
    let merged = super::merge(mapping, pair);
    for side in Side::BOTH {
        pair.bases.of_mut(side).overlay(merged.agreed.of(side));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{ConflictPolicy, DeletePolicy, Direction, Field, Lens};
    use crate::model::{Kind, LinkId, Presence};

    /// `name` and `mail` both ways, `score` from the CRM, `rank` from Freshdesk.
    fn mapping() -> Mapping {
        let field = |name: &str, lens, direction| Field {
            name: name.to_owned(),
            crm: vec![name.to_owned()],
            desk: name.to_owned(),
            lens,
            direction,
            conflict: ConflictPolicy::Newest,
        };
        Mapping {
            kind: Kind::Contact,
            fields: vec![
                field("name", Lens::Trim, Direction::Both),
                field("mail", Lens::Lowercase, Direction::Both),
                field("score", Lens::Number, Direction::To(Side::Desk)),
                field("rank", Lens::Number, Direction::To(Side::Crm)),
            ],
            keys: Vec::new(),
            create: Pair::default(),
            delete: DeletePolicy::Hold,
            scope: Pair::default(),
            watched: Pair::default(),
        }
    }

    fn image(fields: &[(&str, &str)]) -> Image {
        let fields = fields.iter();
        Image(
            fields
                .map(|(name, text)| ((*name).to_owned(), (*text).into()))
                .collect(),
        )
    }

    fn pair(crm: &[(&str, &str)], desk: &[(&str, &str)]) -> PairState {
        PairState {
            link: LinkId(1),
            ids: Pair {
                crm: "1".into(),
                desk: "2".into(),
            },
            versions: Pair::default(),
            presence: Pair {
                crm: Presence::Live,
                desk: Presence::Live,
            },
            images: Pair {
                crm: image(crm),
                desk: image(desk),
            },
            bases: Pair::default(),
            companies: Pair::default(),
        }
    }

    #[test]
    fn a_server_that_rewrites_our_value_has_not_edited_it() {
        let mut pair = pair(
            &[("name", "Ada King"), ("mail", "a@x")],
            &[("name", ""), ("mail", "b@x")],
        );
        let change = FieldChange {
            field: "name".to_owned(),
            base: Vec::new(),
            crm: vec!["Ada King".into()],
            freshdesk: vec![Value::Empty],
            set: image(&[("name", "Ada King")]),
            rule: Rule::Filled,
        };
        // It cuts the name, and a person has changed the address meanwhile.
        let stored = image(&[("name", "Ada"), ("mail", "c@x")]);
        settle(&mapping(), &mut pair, Side::Desk, &[change], &stored);
        assert_eq!(pair.bases.crm, image(&[("name", "Ada King")]));
        assert_eq!(pair.bases.desk, image(&[("name", "Ada")]));
        assert_eq!(pair.images.desk, stored);
    }

    #[test]
    fn an_answer_that_says_nothing_confirms_what_was_sent() {
        let mut pair = pair(&[("name", "Ada")], &[("name", ""), ("mail", "b@x")]);
        let change = FieldChange {
            field: "name".to_owned(),
            base: Vec::new(),
            crm: vec!["Ada".into()],
            freshdesk: vec![Value::Empty],
            set: image(&[("name", "Ada")]),
            rule: Rule::Filled,
        };
        settle(
            &mapping(),
            &mut pair,
            Side::Desk,
            &[change],
            &Image::default(),
        );
        assert_eq!(pair.bases.desk, image(&[("name", "Ada")]));
        assert_eq!(pair.images.desk, image(&[("name", "Ada"), ("mail", "b@x")]));
    }

    #[test]
    fn an_edit_made_while_we_wrote_is_still_an_edit_afterwards() {
        let mut pair = pair(&[("name", "Ada")], &[("name", "")]);
        let change = FieldChange {
            field: "name".to_owned(),
            base: Vec::new(),
            crm: vec!["Ada".into()],
            freshdesk: vec![Value::Empty],
            set: image(&[("name", "Ada")]),
            rule: Rule::Filled,
        };
        // Another write's answer has shown it already.
        pair.images.crm = image(&[("name", "Augusta")]);
        let stored = image(&[("name", "Ada")]);
        settle(&mapping(), &mut pair, Side::Desk, &[change], &stored);
        assert_eq!(pair.bases.crm, image(&[("name", "Ada")]));
        assert_eq!(pair.bases.desk, stored);
    }

    #[test]
    fn an_edit_of_the_first_name_while_we_wrote_the_last_name_is_still_an_edit_afterwards() {
        let mut mapping = mapping();
        mapping.fields[0].crm = vec!["first".to_owned(), "last".to_owned()];
        let mut pair = pair(
            &[("first", "Ada"), ("last", "King")],
            &[("name", "Ada Byron")],
        );
        let change = FieldChange {
            field: "name".to_owned(),
            base: Vec::new(),
            crm: vec!["Ada".into(), "King".into()],
            freshdesk: vec!["Ada Byron".into()],
            set: image(&[("last", "Byron")]),
            rule: Rule::Changed(Side::Desk),
        };
        let stored = image(&[("first", "Augusta"), ("last", "Byron")]);
        settle(&mapping, &mut pair, Side::Crm, &[change], &stored);
        assert_eq!(
            pair.bases.crm,
            image(&[("first", "Ada"), ("last", "Byron")])
        );
        assert_eq!(pair.images.crm, stored);
    }

    #[test]
    fn a_new_record_gets_only_what_may_be_written_there_and_can_cross_over() {
        let source = image(&[
            ("name", " Ada "),
            ("mail", " "),
            ("score", "many"),
            ("rank", "1"),
        ]);
        let changes = first_fields(&mapping(), Side::Crm, &source, None);
        let sets: Vec<_> = changes.into_iter().map(|change| change.set).collect();
        assert_eq!(sets, [image(&[("name", "Ada")])]);
    }

    #[test]
    fn a_new_records_other_fields_are_agreed_on_where_they_are_equal() {
        let mut pair = pair(&[("name", "Ada"), ("mail", "")], &[]);
        let changes = first_fields(&mapping(), Side::Crm, &pair.images.crm, None);
        let stored = image(&[("name", "ADA"), ("mail", "")]);
        created(&mapping(), &mut pair, Side::Desk, &changes, &stored);
        assert_eq!(pair.bases.crm, pair.images.crm);
        assert_eq!(pair.bases.desk, stored);
    }
}
