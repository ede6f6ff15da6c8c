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
    /// When each was last changed.
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
    /// One of the two is outside of the scope: leave both alone, keep the link.
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
    let side = match gone {
        [true, true] => return PairVerdict::BothGone,
        [true, false] => Side::Crm,
        [false, true] => Side::Desk,
        [false, false] => {
            let outside = Side::BOTH
                .iter()
                .any(|side| mapping.in_scope(*side, pair.images.of(*side)) != Some(true));
            return if outside {
                PairVerdict::OutOfScope
            } else {
                PairVerdict::Merge(merge(mapping, pair))
            };
        }
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
