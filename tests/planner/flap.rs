//! Fields that somebody else changes whenever we have written them.

use crate::population::world;
use crate::world::World;
use deskbridge::model::{COMPANY, Side, Value};
use deskbridge::plan::{FieldChange, HOUR, PastWrite, flap};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use std::collections::{BTreeMap, BTreeSet};

/// Cycles, a minute apart: all within an hour.
const CYCLES: i64 = 40;
/// So many writes of one field within an hour are the most.
const MOST: usize = 6;

/// What something in a system does to a field that was written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opponent {
    /// Nothing.
    None,
    /// Sets back what stood there before.
    SetsBack,
    /// Sets what never stood there.
    SetsAnew,
}

fn opponent() -> impl Strategy<Value = Opponent> {
    prop::sample::select(vec![Opponent::None, Opponent::SetsBack, Opponent::SetsAnew])
}

struct Fight {
    world: World,
    now: i64,
    past: BTreeMap<String, Vec<PastWrite>>,
    held: BTreeSet<String>,
}

impl Fight {
    const fn new(world: World) -> Self {
        Self {
            world,
            now: 10 * HOUR,
            past: BTreeMap::new(),
            held: BTreeSet::new(),
        }
    }

    /// Whether a change is written; one that is part of a fight is held.
    fn passes(&mut self, side: Side, change: &FieldChange) -> bool {
        let past = self.past.entry(change.field.clone()).or_default();
        let fought = flap(past, side, &change.set, self.now).is_some();
        if fought {
            self.held.insert(change.field.clone());
        } else {
            let write = PastWrite::of(change.set.clone(), &change.rule, side, self.now);
            past.push(write);
        }
        !fought
    }

    /// One cycle, and what it has the opponent on each side do. Returns whether anything was written.
    fn cycle(&mut self, opponents: [Opponent; 2]) -> bool {
        self.now += 60_000;
        self.world.observe();
        let merged = self.world.plan();
        self.world.adopt(&merged);
        let mut written = false;
        for (side, opponent) in Side::BOTH.into_iter().zip(opponents) {
            let changes: Vec<FieldChange> = merged
                .changes
                .of(side)
                .iter()
                .filter(|change| self.passes(side, change))
                .cloned()
                .collect();
            if changes.is_empty() {
                continue;
            }
            written = true;
            let before = self.world.records.of(side).clone();
            let stored = self.world.send(side, &changes);
            self.world.settle(side, &changes, &stored);
            for name in changes.iter().flat_map(|change| change.set.0.keys()) {
                let value = match opponent {
                    Opponent::SetsAnew if name != COMPANY => Value::text(self.now.to_string()),
                    Opponent::SetsBack => before.get(name).cloned().unwrap_or_default(),
                    _ => continue,
                };
                self.world.records.of_mut(side).set(name, value);
                self.world.versions.of_mut(side).0 += 1;
            }
        }
        written
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_counterpart_that_changes_whatever_it_is_given_leads_to_a_hold_and_not_to_a_loop(
        world in world(), opponents in [opponent(), opponent()],
    ) {
        let mut fight = Fight::new(world);
        let mut written = false;
        for _ in 0..CYCLES {
            written = fight.cycle(opponents);
        }
        prop_assert!(!written, "it goes on for ever");
        for (field, past) in &fight.past {
            prop_assert!(past.len() <= MOST, "{field}: {past:?}");
        }
        if opponents == [Opponent::None; 2] {
            prop_assert!(fight.held.is_empty(), "{:?}", fight.held);
        }
    }
}

#[test]
fn two_automations_against_each_other_end_in_a_hold() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut held = 0;
    for _ in 0..64 {
        let world = world().new_tree(&mut runner).unwrap().current();
        let mut fight = Fight::new(world);
        for _ in 0..CYCLES {
            fight.cycle([Opponent::SetsAnew; 2]);
        }
        held += usize::from(!fight.held.is_empty());
    }
    // In the others nothing is written where the automation is, or it sets what cannot cross over.
    assert!(held > 16, "{held} of 64");
}
