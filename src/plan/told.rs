//! What a person said about one pair, in the place of what the mapping says.

use super::{FieldChange, Merged, NoticeKind, PairState, Rule, merge};
use crate::mapping::{ConflictPolicy, Mapping, Untranslatable};
use crate::model::Side;
use std::collections::BTreeMap;

/// What a person said about one conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// This side's value stands.
    Take(Side),
    /// That of the record that was changed later stands; equal times fall to the CRM.
    Newest,
    /// Both keep what they have, until one of them changes.
    Keep,
}

/// Merges a pair whose conflicts were left to a person, who has said something about these fields.
/// What was said about a field that is in no conflict any more is passed over.
#[must_use]
pub fn merge_as_told(mapping: &Mapping, pair: &PairState, told: &BTreeMap<String, Told>) -> Merged {
    let asked = merge(mapping, pair);
    let open = |field: &str| {
        asked
            .notices
            .iter()
            .any(|notice| notice.field == field && matches!(notice.kind, NoticeKind::Held { .. }))
    };
    let mut decided = mapping.clone();
    for field in &mut decided.fields {
        match told.get(&field.name).filter(|_| open(&field.name)) {
            Some(Told::Take(side)) => field.conflict = ConflictPolicy::Prefer(*side),
            Some(Told::Newest) => field.conflict = ConflictPolicy::Newest,
            Some(Told::Keep) | None => {}
        }
    }
    let mut merged = merge(&decided, pair);
    for target in Side::BOTH {
        for change in merged.changes.of_mut(target) {
            if told.contains_key(&change.field) && open(&change.field) {
                change.rule = Rule::Chosen(target.other());
            }
        }
    }
    let keeps = |field: &str| told.get(field) == Some(&Told::Keep);
    let kept: Vec<String> = merged
        .notices
        .extract_if(.., |notice| {
            keeps(&notice.field) && matches!(notice.kind, NoticeKind::Held { .. })
        })
        .map(|notice| notice.field)
        .collect();
    for field in kept {
        keep(mapping, pair, &field, &mut merged);
    }
    merged
}

impl Merged {
    /// Whose value of `field` was to stand and cannot cross over, and why.
    #[must_use]
    pub fn stuck(&self, field: &str) -> Option<(Side, &Untranslatable)> {
        let mut notices = self.notices.iter().filter(|it| it.field == field);
        notices.find_map(|notice| match &notice.kind {
            NoticeKind::Untranslatable { source, why } => Some((*source, why)),
            NoticeKind::Held { .. } => None,
        })
    }
}

/// Takes the changes that `unwanted` names out of `merged`: what both sides show there stands until
/// one of them changes.
pub fn leave_be(
    mapping: &Mapping,
    pair: &PairState,
    merged: &mut Merged,
    unwanted: impl Fn(Side, &FieldChange) -> bool,
) {
    for target in Side::BOTH {
        let changes = merged.changes.of_mut(target);
        let left: Vec<FieldChange> = changes
            .extract_if(.., |change| unwanted(target, change))
            .collect();
        for change in left {
            keep(mapping, pair, &change.field, merged);
        }
    }
}

/// From now on each side is measured against what it shows of `field`.
fn keep(mapping: &Mapping, pair: &PairState, field: &str, merged: &mut Merged) {
    merged.kept.push(field.to_owned());
    for field in mapping.fields.iter().filter(|it| it.name == field) {
        for side in Side::BOTH {
            for name in field.names(side) {
                if let Some(value) = pair.images.of(side).get(name) {
                    merged.agreed.of_mut(side).set(name, value.clone());
                }
            }
        }
    }
}
