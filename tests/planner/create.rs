//! A record that is made: what it gets, and that nothing follows from it.

use crate::population::{side, world};
use crate::spelling::company;
use crate::world::World;
use deskbridge::model::{COMPANY, Image, Pair, Side, Value};
use deskbridge::plan::{FieldChange, Rule, created, first_fields};
use proptest::prelude::*;

/// What a counterpart of the record on `source` is made of.
fn fields(world: &World, source: Side) -> Vec<FieldChange> {
    let image = world.images.of(source);
    let shown = image.get(COMPANY);
    let id = shown.and_then(|shown| company(source.other(), shown));
    first_fields(&world.mapping, source, image, id)
}

/// The world before the counterpart of `source` was made: an empty record.
fn alone(mut world: World, source: Side) -> World {
    let target = source.other();
    world.bases = Pair::default();
    for value in world.records.of_mut(target).0.values_mut() {
        *value = Value::Empty;
    }
    world.hidden.of_mut(target).clear();
    *world.images.of_mut(target) = Image::default();
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_new_record_gets_what_crosses_over_and_nothing_else(world in world(), source in side()) {
        let (world, target) = (alone(world, source), source.other());
        let changes = fields(&world, source);
        for change in &changes {
            let field = world.mapping.fields.iter().find(|field| field.name == change.field).unwrap();
            prop_assert!(field.direction.writes(target), "a one-way field flows back");
            prop_assert_eq!(&change.rule, &Rule::Created);
            let from = match source {
                Side::Crm => &change.crm,
                Side::Desk => &change.freshdesk,
            };
            prop_assert_eq!(Some(from.clone()), field.read(source, world.images.of(source)));
            for (name, value) in &change.set.0 {
                prop_assert!(field.names(target).any(|own| own == name));
                prop_assert!(!value.is_empty());
            }
        }
        let names: Vec<_> = changes.iter().map(|change| &change.field).collect();
        let mut once = names.clone();
        once.dedup();
        prop_assert_eq!(names, once);
    }

    #[test]
    fn nothing_that_can_cross_over_is_left_out_of_a_new_record(world in world(), source in side()) {
        let world = alone(world, source);
        let made = fields(&world, source);
        // An existing empty record would be filled with the same.
        let mut there = world.clone();
        there.observe();
        let filled = there.plan().changes.of(source.other()).clone();
        let sets = |changes: &[FieldChange]| -> Vec<(String, Image)> {
            let mut sets: Vec<_> = changes.iter().map(|change| (change.field.clone(), change.set.clone())).collect();
            // A box that is not ticked is sent along, though an unset one says the same.
            sets.retain(|(_, set)| !set.0.values().all(|value| *value == Value::Bool(false)));
            sets
        };
        prop_assert_eq!(sets(&made), sets(&filled));
    }

    #[test]
    fn nothing_follows_from_a_create_however_the_server_rewrites_it(world in world(), source in side()) {
        let (mut world, target) = (alone(world, source), source.other());
        let changes = fields(&world, source);
        let stored = world.send(target, &changes);
        let mut pair = world.pair();
        created(&world.mapping, &mut pair, target, &changes, &stored);
        (world.bases, world.images) = (pair.bases, pair.images);
        prop_assert_eq!(world.plan().changes, Pair::default());
        world.observe();
        prop_assert_eq!(world.plan().changes, Pair::default());
    }
}
