//! When a counterpart is gone.

use crate::population::{pair, world};
use crate::world::World;
use deskbridge::mapping::{DeletePolicy, Scope};
use deskbridge::model::{Pair, Presence, Side, Value};
use deskbridge::plan::{PairState, PairVerdict, decide, merge};
use proptest::prelude::*;
use proptest::sample::select;

fn presence() -> impl Strategy<Value = Presence> {
    prop_oneof![
        3 => Just(Presence::Live),
        1 => Just(Presence::Trashed),
        1 => Just(Presence::Gone),
    ]
}

/// Whether a record is in the scope; `None` where its side did not say.
fn inside() -> impl Strategy<Value = Option<bool>> {
    select(vec![Some(true), Some(true), Some(true), Some(false), None])
}

type Case = (World, PairState, Pair<Option<bool>>, Pair<bool>);

/// A pair of which either side may be gone, in or out of scope, and what can be undone.
fn case() -> impl Strategy<Value = Case> {
    (
        world(),
        select(vec![
            DeletePolicy::Hold,
            DeletePolicy::Ignore,
            DeletePolicy::Propagate,
            DeletePolicy::Propagate,
        ]),
        (presence(), presence()),
        (inside(), inside()),
        (any::<bool>(), any::<bool>()),
    )
        .prop_map(|(mut world, policy, presence, inside, undoable)| {
            world.mapping.delete = policy;
            let inside = pair(inside);
            for side in Side::BOTH {
                *world.mapping.scope.of_mut(side) = Some(Scope {
                    field: "segment".to_owned(),
                    values: vec!["customer".into()],
                });
                let said = inside
                    .of(side)
                    .map(|inside| Value::from(if inside { "customer" } else { "lead" }));
                if let Some(said) = said {
                    world.images.of_mut(side).set("segment", said);
                }
            }
            let mut state = world.pair();
            state.presence = pair(presence);
            (world, state, inside, pair(undoable))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn nothing_is_deleted_without_proof((world, pair, _, undoable) in case()) {
        let verdict = decide(&world.mapping, &pair, undoable);
        let live = pair.presence.map(|presence| presence == Presence::Live);
        match verdict {
            PairVerdict::HoldDelete(reason) | PairVerdict::Unlink(reason) | PairVerdict::Trash(_, reason) => {
                prop_assert!(!live.of(reason.side) && *live.of(reason.side.other()));
                prop_assert_eq!(*pair.presence.of(reason.side), reason.seen);
            }
            PairVerdict::BothGone => prop_assert!(!live.crm && !live.desk),
            PairVerdict::Merge(_) => prop_assert!(live.crm && live.desk),
            PairVerdict::OutOfScope => prop_assert!(live.crm || live.desk),
        }
    }

    #[test]
    fn only_propagate_deletes_and_only_what_can_be_brought_back((world, pair, _, undoable) in case()) {
        let verdict = decide(&world.mapping, &pair, undoable);
        match (world.mapping.delete, &verdict) {
            (DeletePolicy::Propagate, PairVerdict::Trash(side, reason)) => {
                prop_assert_eq!(*side, reason.side.other());
                prop_assert!(*undoable.of(*side));
            }
            (DeletePolicy::Propagate, PairVerdict::HoldDelete(reason)) => {
                prop_assert!(!*undoable.of(reason.side.other()));
            }
            (DeletePolicy::Hold, PairVerdict::HoldDelete(_))
            | (DeletePolicy::Ignore, PairVerdict::Unlink(_))
            | (_, PairVerdict::Merge(_) | PairVerdict::OutOfScope | PairVerdict::BothGone) => {}
            _ => prop_assert!(false, "{verdict:?}"),
        }
    }

    #[test]
    fn what_left_the_scope_is_neither_deleted_nor_written((world, pair, inside, undoable) in case()) {
        let verdict = decide(&world.mapping, &pair, undoable);
        let outside = Side::BOTH.iter().any(|side| {
            let live = *pair.presence.of(*side) == Presence::Live;
            // Of a record that is gone, nothing but its last image can be known.
            *inside.of(*side) == Some(false) || (live && inside.of(*side).is_none())
        });
        if outside {
            prop_assert!(matches!(verdict, PairVerdict::OutOfScope | PairVerdict::BothGone), "{verdict:?}");
        } else {
            prop_assert_ne!(verdict, PairVerdict::OutOfScope);
        }
    }

    #[test]
    fn a_pair_that_is_there_and_inside_is_merged((world, pair, inside, undoable) in case()) {
        let there = Side::BOTH.iter().all(|side| *pair.presence.of(*side) == Presence::Live);
        if there && inside == (Pair { crm: Some(true), desk: Some(true) }) {
            let merged = merge(&world.mapping, &pair);
            prop_assert_eq!(decide(&world.mapping, &pair, undoable), PairVerdict::Merge(merged));
        }
    }
}
