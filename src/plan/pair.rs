//! What is to be done about one linked pair: merge it, or answer a deletion.

use super::{Merged, merge};
use crate::mapping::{DeletePolicy, Mapping};
use crate::model::{Image, LinkId, Pair, Presence, RecordId, Side, Version};

/// What the state knows of one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairState {
    /// Which link.
    pub link: LinkId,
    /// The two records.
    pub ids: Pair<RecordId>,
    /// When each was last changed by somebody else than us.
    pub versions: Pair<Version>,
    /// Whether each is there.
    pub presence: Pair<Presence>,
    /// What each shows now.
    pub images: Pair<Image>,
    /// What each showed when both last agreed; a field on which they never did is not in it.
    pub bases: Pair<Image>,
    /// For a contact, each side's own id of the company that the *other* side's image names.
    pub companies: Pair<Option<RecordId>>,
}

/// What is to be done about a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairVerdict {
    /// Bring the fields together.
    Merge(Merged),
    /// One of the two is outside of the scope: leave both alone, keep the link, also where the other
    /// one is gone.
    OutOfScope,
    /// Both are gone: forget the link.
    BothGone,
    /// A counterpart was deleted, and a person decides.
    HoldDelete(DeleteReason),
    /// A counterpart was deleted: drop the link, leave the survivor alone.
    Unlink(DeleteReason),
    /// A counterpart was deleted: put the survivor on this side into the trash.
    Trash(Side, DeleteReason),
}

/// The positive sign of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeleteReason {
    /// Where the record was deleted.
    pub side: Side,
    /// What was seen there.
    pub seen: Presence,
}

/// Decides one pair. `undoable` says for each side whether a delete there can be undone: what
/// cannot be undone is never propagated, but held.
#[must_use]
pub fn decide(mapping: &Mapping, pair: &PairState, undoable: Pair<bool>) -> PairVerdict {
    let gone = Side::BOTH.map(|side| *pair.presence.of(side) != Presence::Live);
    if gone == [true, true] {
        return PairVerdict::BothGone;
    }
    let outside = Side::BOTH.iter().zip(gone).any(|(side, gone)| {
        let inside = mapping.in_scope(*side, pair.images.of(*side));
        // A record that is gone shows nothing any more: what it showed last has to put it outside.
        inside.map_or(!gone, |inside| !inside)
    });
    let side = match gone {
        _ if outside => return PairVerdict::OutOfScope,
        [true, _] => Side::Crm,
        [_, true] => Side::Desk,
        [false, false] => return PairVerdict::Merge(merge(mapping, pair)),
    };
    let reason = DeleteReason {
        side,
        seen: *pair.presence.of(side),
    };
    match mapping.delete {
        DeletePolicy::Ignore => PairVerdict::Unlink(reason),
        DeletePolicy::Propagate if *undoable.of(side.other()) => {
            PairVerdict::Trash(side.other(), reason)
        }
        DeletePolicy::Hold | DeletePolicy::Propagate => PairVerdict::HoldDelete(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Scope;
    use crate::model::{Kind, Value};

    const BOTH: Pair<bool> = Pair {
        crm: true,
        desk: true,
    };

    /// Contacts of which only customers take part, told by the CRM.
    fn mapping(delete: DeletePolicy) -> Mapping {
        Mapping {
            kind: Kind::Contact,
            fields: Vec::new(),
            keys: Vec::new(),
            create: BOTH,
            delete,
            scope: Pair {
                crm: Some(Scope {
                    field: "stage".to_owned(),
                    values: vec!["customer".into()],
                }),
                desk: None,
            },
            watched: Pair::default(),
        }
    }

    fn state(crm: Presence, desk: Presence, stage: Option<&str>) -> PairState {
        let shown = stage.map(|stage| Image::from([("stage", Value::from(stage))]));
        PairState {
            link: LinkId(1),
            ids: Pair {
                crm: "1".into(),
                desk: "2".into(),
            },
            versions: Pair::default(),
            presence: Pair { crm, desk },
            images: Pair {
                crm: shown.unwrap_or_default(),
                desk: Image::default(),
            },
            bases: Pair::default(),
            companies: Pair::default(),
        }
    }

    #[test]
    fn a_deletion_does_what_the_mapping_says_and_never_what_cannot_be_undone() {
        use Presence::{Gone, Live, Trashed};
        let reason = |side, seen| DeleteReason { side, seen };
        let (crm, desk) = (reason(Side::Crm, Trashed), reason(Side::Desk, Gone));
        for (policy, at_crm, at_desk, undoable, expected) in [
            (
                DeletePolicy::Hold,
                Trashed,
                Live,
                true,
                PairVerdict::HoldDelete(crm),
            ),
            (
                DeletePolicy::Hold,
                Live,
                Gone,
                true,
                PairVerdict::HoldDelete(desk),
            ),
            (
                DeletePolicy::Ignore,
                Trashed,
                Live,
                true,
                PairVerdict::Unlink(crm),
            ),
            (
                DeletePolicy::Propagate,
                Trashed,
                Live,
                true,
                PairVerdict::Trash(Side::Desk, crm),
            ),
            (
                DeletePolicy::Propagate,
                Live,
                Gone,
                true,
                PairVerdict::Trash(Side::Crm, desk),
            ),
            (
                DeletePolicy::Propagate,
                Live,
                Gone,
                false,
                PairVerdict::HoldDelete(desk),
            ),
            (
                DeletePolicy::Propagate,
                Trashed,
                Gone,
                true,
                PairVerdict::BothGone,
            ),
            (
                DeletePolicy::Propagate,
                Live,
                Live,
                true,
                PairVerdict::Merge(Merged::default()),
            ),
        ] {
            let pair = state(at_crm, at_desk, Some("customer"));
            let undoable = Pair {
                crm: undoable,
                desk: undoable,
            };
            let verdict = decide(&mapping(policy), &pair, undoable);
            assert_eq!(verdict, expected, "{policy:?} {at_crm:?} {at_desk:?}");
        }
    }

    #[test]
    fn the_survivor_of_a_pair_that_left_the_scope_is_left_alone() {
        use Presence::{Gone, Live};
        for (crm, desk, stage, outside) in [
            (Live, Live, Some("customer"), false),
            (Live, Live, Some("lead"), true),
            (Live, Live, None, true),
            (Live, Gone, Some("lead"), true),
            (Live, Gone, None, true),
            (Gone, Live, Some("lead"), true),
            // The deletion is proven; that it left the scope before is not.
            (Gone, Live, None, false),
            (Gone, Live, Some("customer"), false),
        ] {
            let verdict = decide(
                &mapping(DeletePolicy::Propagate),
                &state(crm, desk, stage),
                BOTH,
            );
            let left = verdict == PairVerdict::OutOfScope;
            assert_eq!(left, outside, "{crm:?} {desk:?} {stage:?}: {verdict:?}");
        }
    }
}
