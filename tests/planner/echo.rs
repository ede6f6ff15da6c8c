//! What follows a write: no echo, no loop, and no edit that got lost.

use crate::population::{Fate, after, fate, side, world};
use crate::world::{World, quiet};
use deskbridge::mapping::{ConflictPolicy, Field};
use deskbridge::model::{Pair, Side, Value};
use deskbridge::plan::FieldChange;
use proptest::prelude::*;
use proptest::sample::Index;

/// What happens to a pair over time.
#[derive(Debug, Clone)]
enum Step {
    /// A person edits a field.
    Edit(Side, Index, Fate),
    /// A side stops or starts to say what a field has.
    Hide(Side, Index),
    /// Plan and write.
    Round,
    /// Plan and write, and die before this side's answer is remembered.
    Crash(Side),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (side(), any::<Index>(), fate()).prop_map(|(side, at, fate)| Step::Edit(side, at, fate)),
        1 => (side(), any::<Index>()).prop_map(|(side, at)| Step::Hide(side, at)),
        3 => Just(Step::Round),
        1 => side().prop_map(Step::Crash),
    ]
}

/// A person's edit that must not get lost: where, which field, what.
type Edit = (Side, String, Vec<Value>);

/// A world, with the edits whose values are still to be accounted for.
struct History {
    world: World,
    edits: Vec<Edit>,
}

impl History {
    fn shown(&self, side: Side, name: &str) -> Vec<Value> {
        let mut fields = self.world.mapping.fields.iter();
        let field = fields.find(|field| field.name == name).unwrap();
        field.read(side, self.world.records.of(side)).unwrap()
    }

    fn edit(&mut self, side: Side, at: Index, fate: &Fate) {
        let field = at.get(&self.world.mapping.fields).clone();
        let before = self.shown(side, &field.name);
        let now = after(&field, side, &before, fate);
        for (name, value) in field.names(side).zip(&now) {
            self.world.records.of_mut(side).set(name, value.clone());
        }
        self.world.versions.of_mut(side).0 += 1;
        // A person's own later edit replaces the earlier one.
        self.edits
            .retain(|(where_, which, _)| (*where_, which) != (side, &field.name));
        self.edits.push((side, field.name, now));
    }

    fn hide(&mut self, side: Side, at: Index) {
        let field = at.get(&self.world.mapping.fields);
        for name in field.names(side) {
            let hidden = self.world.hidden.of_mut(side);
            if !hidden.remove(name) {
                hidden.insert(name.to_owned());
            }
        }
    }

    fn round(&mut self, crash: Option<Side>) {
        self.world.observe();
        let merged = self.world.plan();
        self.world.adopt(&merged);
        for side in Side::BOTH {
            let changes = merged.changes.of(side);
            self.note(side, changes);
            if !changes.is_empty() {
                let stored = self.world.send(side, changes);
                if crash != Some(side) {
                    self.world.settle(side, changes, &stored);
                }
            }
        }
    }

    /// What a change overwrites stands in it, so in the journal.
    fn note(&mut self, side: Side, changes: &[FieldChange]) {
        for change in changes {
            let said = match side {
                Side::Crm => &change.crm,
                Side::Desk => &change.freshdesk,
            };
            self.edits.retain(|(where_, which, value)| {
                (*where_, which) != (side, &change.field) || value != said
            });
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Edit(side, at, fate) => self.edit(*side, *at, fate),
            Step::Hide(side, at) => self.hide(*side, *at),
            Step::Round => self.round(None),
            Step::Crash(side) => self.round(Some(*side)),
        }
        for (side, name, value) in &self.edits {
            assert_eq!(
                &self.shown(*side, name),
                value,
                "{side} {name}: lost by {step:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn our_own_write_is_no_edit_however_the_server_rewrites_it(mut world in world()) {
        let first = world.round();
        // Where the newest value cannot cross over, our write of another field makes the other
        // side's record the newest.
        let stuck = |field: &Field| field.conflict == ConflictPolicy::Newest
            && first.notices.iter().any(|notice| notice.field == field.name);
        world.mapping.fields.retain(|field| !stuck(field));
        let second = world.clone().plan();
        prop_assert!(quiet(&second), "from the answers: {first:?} then {second:?}");
        world.observe();
        let third = world.plan();
        prop_assert!(quiet(&third), "read back: {first:?} then {third:?}");
    }

    #[test]
    fn after_any_history_the_two_come_to_rest_and_no_edit_is_lost(
        world in world(), steps in prop::collection::vec(step(), 0..10)
    ) {
        let mut history = History { world, edits: Vec::new() };
        for step in &steps {
            history.take(step);
        }
        history.take(&Step::Round);
        history.take(&Step::Round);
        history.world.observe();
        let third = history.world.plan();
        prop_assert!(quiet(&third), "{third:?}");
    }

    #[test]
    fn an_edit_while_we_write_another_field_is_seen_afterwards(
        mut world in world(), at in any::<Index>(), fate in fate()
    ) {
        let merged = world.plan();
        world.adopt(&merged);
        for target in Side::BOTH {
            let changes = merged.changes.of(target).clone();
            let written = |name: &str| changes.iter().any(|change| change.field == name);
            let field = at.get(&world.mapping.fields).clone();
            if changes.is_empty() || written(&field.name) {
                continue;
            }
            let before = field.read(target, world.records.of(target)).unwrap();
            for (name, value) in field.names(target).zip(after(&field, target, &before, &fate)) {
                world.records.of_mut(target).set(name, value);
            }
            let bases = world.bases.clone();
            let stored = world.send(target, &changes);
            world.settle(target, &changes, &stored);
            // What was not written is not agreed.
            for side in Side::BOTH {
                for untouched in world.mapping.fields.iter().filter(|field| !written(&field.name)) {
                    let (was, is) = (bases.of(side), world.bases.of(side));
                    prop_assert_eq!(untouched.read(side, was), untouched.read(side, is));
                }
            }
        }
    }

    #[test]
    fn each_side_is_remembered_as_it_is_and_not_as_it_was_meant(mut world in world()) {
        let merged = world.round();
        for side in Side::BOTH {
            for change in merged.changes.of(side) {
                let field = world.mapping.fields.iter().find(|field| field.name == change.field).unwrap();
                let bases = Pair {
                    crm: field.read(Side::Crm, &world.bases.crm),
                    desk: field.read(Side::Desk, &world.bases.desk),
                };
                let records = Pair {
                    crm: field.read(Side::Crm, &world.records.crm),
                    desk: field.read(Side::Desk, &world.records.desk),
                };
                prop_assert_eq!(bases, records);
            }
        }
    }
}
