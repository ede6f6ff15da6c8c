//! Neither side is special: seen in a mirror, the plan is the mirrored plan.

use crate::population::with;
use crate::spelling::lenses;
use crate::world::World;
use deskbridge::mapping::{ConflictPolicy, Direction, Field, Lens};
use deskbridge::model::{Pair, Side, Version};
use deskbridge::plan::{FieldChange, Merged, Notice, NoticeKind, Rule, merge};
use proptest::prelude::*;

fn field(field: &Field) -> Field {
    Field {
        name: field.name.clone(),
        crm: vec![field.desk.clone()],
        desk: field.crm[0].clone(),
        lens: field.lens.clone(),
        direction: match field.direction {
            Direction::Both => Direction::Both,
            Direction::To(side) => Direction::To(side.other()),
        },
        conflict: match field.conflict {
            ConflictPolicy::Prefer(side) => ConflictPolicy::Prefer(side.other()),
            policy => policy,
        },
    }
}

fn change(change: FieldChange) -> FieldChange {
    FieldChange {
        crm: change.freshdesk,
        freshdesk: change.crm,
        rule: match change.rule {
            Rule::Changed(side) => Rule::Changed(side.other()),
            Rule::Chosen(side) => Rule::Chosen(side.other()),
            Rule::Preferred(side) => Rule::Preferred(side.other()),
            Rule::Newest { winner, versions } => Rule::Newest {
                winner: winner.other(),
                versions: versions.swap(),
            },
            rule @ (Rule::Filled
            | Rule::OneWay
            | Rule::Created
            | Rule::Standing(_)
            | Rule::Ended(_)
            | Rule::Summary
            | Rule::Reverted(_)
            | Rule::Kept) => rule,
        },
        ..change
    }
}

fn notice(notice: Notice) -> Notice {
    Notice {
        kind: match notice.kind {
            NoticeKind::Held {
                values,
                agreed_once,
            } => NoticeKind::Held {
                agreed_once,
                values: values.swap(),
            },
            NoticeKind::Untranslatable { source, why } => NoticeKind::Untranslatable {
                source: source.other(),
                why,
            },
        },
        ..notice
    }
}

fn merged(merged: Merged) -> Merged {
    let turn = |changes: Vec<FieldChange>| changes.into_iter().map(change).collect();
    Merged {
        changes: merged.changes.swap().map(turn),
        agreed: merged.agreed.swap(),
        notices: merged.notices.into_iter().map(notice).collect(),
        kept: merged.kept,
    }
}

/// The lenses that do the same in both directions.
fn symmetric() -> Vec<Lens> {
    let mut lenses = lenses();
    lenses.retain(|lens| !matches!(lens, Lens::FullName | Lens::List | Lens::Values(_)));
    lenses
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_side_is_preferred_unless_the_mapping_says_so(mut world in with(symmetric())) {
        // Equal times fall to the CRM, by rule.
        if world.versions.crm == world.versions.desk {
            world.versions.desk = Version(9);
        }
        let World { mapping, .. } = &world;
        let pair = world.pair();
        let mut mirrored = mapping.clone();
        mirrored.fields = mapping.fields.iter().map(field).collect();
        let mut reflection = pair.clone();
        reflection.versions = pair.versions.swap();
        reflection.images = pair.images.clone().swap();
        reflection.bases = pair.bases.clone().swap();
        reflection.companies = pair.companies.clone().swap();
        prop_assert_eq!(merge(&mirrored, &reflection), merged(merge(mapping, &pair)));
    }

    #[test]
    fn equal_times_fall_to_the_crm(mut world in with(symmetric()), at in 0_i64..3) {
        world.versions = Pair { crm: Version(at), desk: Version(at) };
        for field in &mut world.mapping.fields {
            field.conflict = ConflictPolicy::Newest;
        }
        for changes in [world.plan().changes.crm, world.plan().changes.desk] {
            for change in changes {
                if let Rule::Newest { winner, .. } = change.rule {
                    prop_assert_eq!(winner, Side::Crm);
                }
            }
        }
    }
}
