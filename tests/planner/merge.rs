//! One plan: who wins, what is written, and what is left alone.

use crate::population::{pair, world};
use crate::spelling::{blank, company};
use crate::world::World;
use deskbridge::mapping::{ConflictPolicy, Direction, Field, Lens};
use deskbridge::model::{Image, Pair, Side, Value};
use deskbridge::plan::{FieldChange, Merged, NoticeKind, Rule};
use proptest::prelude::*;

/// Whether the two sides say the same of `field`.
fn equal(field: &Field, now: &Pair<Vec<Value>>) -> bool {
    if field.lens != Lens::Company {
        return field.lens.equal(&now.crm, &now.desk[0]);
    }
    match &now.crm[0] {
        Value::Empty => now.desk[0].is_empty(),
        crm => company(Side::Desk, crm).is_some_and(|id| now.desk[0] == id.into()),
    }
}

/// What each side shows of `field`, where both say it.
fn now(world: &World, field: &Field) -> Option<Pair<Vec<Value>>> {
    Some(Pair {
        crm: field.read(Side::Crm, &world.images.crm)?,
        desk: field.read(Side::Desk, &world.images.desk)?,
    })
}

/// Which sides differ from what they showed when both agreed; `None` where they never did.
fn changed(world: &World, field: &Field) -> Option<Pair<bool>> {
    let now = now(world, field)?;
    Some(Pair {
        crm: field.read(Side::Crm, &world.bases.crm)? != now.crm,
        desk: field.read(Side::Desk, &world.bases.desk)? != now.desk,
    })
}

/// The write of `field`, and to which side.
fn written<'a>(merged: &'a Merged, field: &Field) -> Option<(Side, &'a FieldChange)> {
    let mut all = Side::BOTH.into_iter().flat_map(|side| {
        let changes = merged.changes.of(side).iter();
        changes.map(move |change| (side, change))
    });
    let found = all.find(|(_, change)| change.field == field.name);
    let second = all.find(|(_, change)| change.field == field.name);
    assert_eq!(second, None, "a field is written once");
    found
}

fn held(merged: &Merged, field: &Field) -> bool {
    let held = |kind: &NoticeKind| matches!(kind, NoticeKind::Held { .. });
    let mut notices = merged.notices.iter();
    notices.any(|notice| notice.field == field.name && held(&notice.kind))
}

fn untranslatable(merged: &Merged, field: &Field) -> Option<Side> {
    merged.notices.iter().find_map(|notice| match notice.kind {
        NoticeKind::Untranslatable { source, .. } if notice.field == field.name => Some(source),
        _ => None,
    })
}

/// What `side` shows of `field` after the write.
fn outcome(world: &World, field: &Field, side: Side, change: &FieldChange) -> Vec<Value> {
    let mut image = world.images.of(side).clone();
    image.overlay(&change.set);
    field.read(side, &image).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_field_that_a_side_left_out_is_not_touched(world in world()) {
        let merged = world.plan();
        for field in world.mapping.fields.iter().filter(|field| now(&world, field).is_none()) {
            prop_assert_eq!(written(&merged, field), None);
            prop_assert!(merged.notices.iter().all(|notice| notice.field != field.name));
            for side in Side::BOTH {
                let agreed = merged.agreed.of(side);
                prop_assert!(field.names(side).all(|name| agreed.get(name).is_none()));
            }
        }
    }

    #[test]
    fn what_already_says_the_same_is_neither_written_nor_a_conflict(world in world()) {
        let merged = world.plan();
        let mut after = world.clone();
        after.adopt(&merged);
        for field in &world.mapping.fields {
            let Some(now) = now(&world, field).filter(|now| equal(field, now)) else { continue };
            prop_assert_eq!(written(&merged, field), None);
            prop_assert!(merged.notices.iter().all(|notice| notice.field != field.name));
            // From now on each side is measured against its own spelling.
            prop_assert_eq!(field.read(Side::Crm, &after.bases.crm), Some(now.crm));
            prop_assert_eq!(field.read(Side::Desk, &after.bases.desk), Some(now.desk));
        }
    }

    #[test]
    fn what_nobody_changed_is_left_as_it_is_even_if_it_differs(world in world()) {
        let merged = world.plan();
        for field in &world.mapping.fields {
            if changed(&world, field) == Some(pair((false, false))) {
                prop_assert_eq!(written(&merged, field), None);
                prop_assert!(merged.notices.iter().all(|notice| notice.field != field.name));
            }
        }
    }

    #[test]
    fn an_edit_on_one_side_reaches_the_other(world in world()) {
        let merged = world.plan();
        for field in world.mapping.fields.iter().filter(|field| field.direction == Direction::Both) {
            let source = match changed(&world, field) {
                Some(Pair { crm: true, desk: false }) => Side::Crm,
                Some(Pair { crm: false, desk: true }) => Side::Desk,
                _ => continue,
            };
            if equal(field, &now(&world, field).unwrap()) || untranslatable(&merged, field) == Some(source) {
                continue;
            }
            match written(&merged, field) {
                Some((target, change)) => {
                    prop_assert_eq!(target, source.other());
                    prop_assert_eq!(&change.rule, &Rule::Changed(source));
                }
                // A cleared value whose list has lost it already.
                None => prop_assert!(field.lens == Lens::List && blank(&now(&world, field).unwrap().crm)),
            }
        }
    }

    #[test]
    fn a_one_way_field_never_flows_back_and_its_source_wins(world in world()) {
        let merged = world.plan();
        for field in &world.mapping.fields {
            let Direction::To(target) = field.direction else { continue };
            prop_assert!(!held(&merged, field));
            prop_assert!(untranslatable(&merged, field) != Some(target));
            if let Some((side, change)) = written(&merged, field) {
                prop_assert_eq!(side, target);
                let by_rule = matches!(&change.rule, Rule::OneWay | Rule::Filled)
                    || change.rule == Rule::Changed(target.other());
                prop_assert!(by_rule, "{:?}", change.rule);
            } else if changed(&world, field).is_some_and(|changed| changed.crm || changed.desk) {
                let now = now(&world, field).unwrap();
                let nothing_to_do = equal(field, &now)
                    || untranslatable(&merged, field).is_some()
                    || (field.lens == Lens::List && blank(&now.crm));
                prop_assert!(nothing_to_do, "the source does not win: {field:?}");
            }
        }
    }

    #[test]
    fn a_conflict_falls_as_the_mapping_says(world in world()) {
        let merged = world.plan();
        for field in world.mapping.fields.iter().filter(|field| field.direction == Direction::Both) {
            let Some(now) = now(&world, field) else { continue };
            let fought = match changed(&world, field) {
                Some(changed) => changed.crm && changed.desk,
                None => !blank(&now.crm) && !blank(&now.desk),
            };
            if !fought || equal(field, &now) {
                prop_assert!(!held(&merged, field), "nobody disagrees");
                continue;
            }
            let versions = world.versions;
            let (winner, rule) = match field.conflict {
                ConflictPolicy::Hold => {
                    prop_assert!(held(&merged, field));
                    prop_assert_eq!(written(&merged, field), None);
                    continue;
                }
                ConflictPolicy::Prefer(side) => (side, Rule::Preferred(side)),
                ConflictPolicy::Newest if versions.desk > versions.crm => {
                    (Side::Desk, Rule::Newest { winner: Side::Desk, versions })
                }
                ConflictPolicy::Newest => (Side::Crm, Rule::Newest { winner: Side::Crm, versions }),
            };
            if let Some((target, change)) = written(&merged, field) {
                prop_assert_eq!(target, winner.other());
                prop_assert_eq!(&change.rule, &rule);
            } else {
                let cleared_list = field.lens == Lens::List && blank(&now.crm);
                prop_assert!(cleared_list || untranslatable(&merged, field) == Some(winner));
            }
        }
    }

    #[test]
    fn what_is_written_says_what_the_winner_says_and_nothing_else(world in world()) {
        let merged = world.plan();
        for field in &world.mapping.fields {
            let Some((target, change)) = written(&merged, field) else { continue };
            let before = now(&world, field).unwrap();
            let mut after = before.clone();
            *after.of_mut(target) = outcome(&world, field, target, change);
            let cleared_list = field.lens == Lens::List && target == Side::Desk && blank(&before.crm);
            if cleared_list {
                let members = |value: &Value| match value {
                    Value::List(members) => members.clone(),
                    value => value.as_text().map(str::to_owned).into_iter().collect(),
                };
                let known: Vec<_> = members(&before.desk[0]).iter().map(|one| one.trim().to_owned()).collect();
                prop_assert!(members(&after.desk[0]).iter().all(|member| known.contains(member)));
            } else {
                prop_assert!(equal(field, &after), "{before:?} became {after:?}");
            }
        }
    }

    #[test]
    fn every_value_that_is_overwritten_is_in_the_change_that_overwrites_it(world in world()) {
        let merged = world.plan();
        for side in Side::BOTH {
            for change in merged.changes.of(side) {
                let field = world.mapping.fields.iter().find(|field| field.name == change.field).unwrap();
                let now = now(&world, field).unwrap();
                prop_assert_eq!((&change.crm, &change.freshdesk), (&now.crm, &now.desk));
                let base = field.read(side, &world.bases.of(side).clone()).unwrap_or_default();
                prop_assert_eq!(&change.base, &base);
                // Only the field's own names, and of those only what becomes different.
                prop_assert!(!change.set.is_empty());
                for (name, value) in &change.set.0 {
                    prop_assert!(field.names(side).any(|own| own == name));
                    prop_assert_ne!(world.images.of(side).get(name), Some(value));
                }
            }
        }
    }

    #[test]
    fn a_first_sync_never_clears(mut world in world()) {
        world.bases = Pair::default();
        let merged = world.plan();
        for field in &world.mapping.fields {
            let Some((target, change)) = written(&merged, field) else { continue };
            let now = now(&world, field).unwrap();
            let after = outcome(&world, field, target, change);
            prop_assert!(blank(now.of(target)) || !blank(&after), "{now:?} became {after:?}");
            prop_assert!(!blank(now.of(target.other())), "nothing was copied over {now:?}");
            prop_assert!(!matches!(change.rule, Rule::Changed(_)));
        }
    }

    #[test]
    fn a_first_sync_fills_what_is_empty_whoever_is_preferred(mut world in world()) {
        world.bases = Pair::default();
        let merged = world.plan();
        for field in &world.mapping.fields {
            let Some(now) = now(&world, field) else { continue };
            for target in Side::BOTH {
                let source = target.other();
                let (empty, there) = (now.of(target), now.of(source));
                let fills = empty.iter().all(Value::is_empty) && !blank(there)
                    && field.direction.writes(target) && !equal(field, &now);
                if fills && untranslatable(&merged, field) != Some(source) {
                    let (side, change) = written(&merged, field).unwrap();
                    prop_assert_eq!(side, target);
                    prop_assert_eq!(&change.rule, &Rule::Filled);
                }
            }
        }
    }

    #[test]
    fn the_order_of_the_fields_and_the_other_fields_decide_nothing(world in world(), seed in any::<prop::sample::Index>()) {
        let whole = world.plan();
        let fields = world.mapping.fields.clone();
        let mut alone = Vec::new();
        for field in &fields {
            let mut one = world.clone();
            one.mapping.fields = vec![field.clone()];
            alone.push(one.plan());
        }
        let union = |plans: &[Merged]| {
            let mut all = Merged::default();
            for plan in plans {
                for side in Side::BOTH {
                    all.changes.of_mut(side).extend(plan.changes.of(side).clone());
                    all.agreed.of_mut(side).overlay(plan.agreed.of(side));
                }
                all.notices.extend(plan.notices.clone());
            }
            all
        };
        prop_assert_eq!(&whole, &union(&alone));
        let mut turned = world.clone();
        turned.mapping.fields.rotate_left(seed.index(fields.len()));
        alone.rotate_left(seed.index(fields.len()));
        prop_assert_eq!(turned.plan(), union(&alone));
    }

    #[test]
    fn unmapped_fields_are_neither_read_nor_written(world in world(), note in "[a-z]{0,3}") {
        let mut other = world.clone();
        for side in Side::BOTH {
            other.records.of_mut(side).set("note", note.as_str().into());
        }
        other.observe();
        prop_assert_eq!(world.plan(), other.plan());
        let before = other.records.clone();
        other.round();
        for side in Side::BOTH {
            let unmapped = |image: &Image| {
                let mapped = world.mapping.reads(side);
                let mut image = image.clone();
                image.0.retain(|name, _| !mapped.contains(name) || world.hidden.of(side).contains(name));
                image
            };
            prop_assert_eq!(unmapped(before.of(side)), unmapped(other.records.of(side)));
        }
    }
}
