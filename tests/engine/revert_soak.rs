//! People edit at any time, runs are taken back at any time: no edit is taken away, and what came back
//! stays.

use crate::world::{World, cycle, quiet};
use chrono::TimeDelta;
use deskbridge::model::{Pair, Side};
use deskbridge::plan::SavedPlan;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::store::Which;
use deskbridge::sync::Engine;
use deskbridge::sync::revert::Selection;
use futures_util::future::join_all;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The fields that people edit: the CRM's name, Freshdesk's.
const FIELDS: [(&str, &str); 2] = [("phone", "phone"), ("jobtitle", "job_title")];
const PEOPLE: usize = 3;

/// One field of one person on one side.
type Spot = (Side, usize, usize);

struct Soak {
    world: World,
    clock: SimClock,
    engine: Engine,
    people: Vec<Pair<u64>>,
    dice: u64,
    /// What nobody but a person has put there.
    theirs: BTreeSet<Spot>,
    /// Edits that no cycle has seen yet, by person and field.
    pending: BTreeMap<(usize, usize), Vec<(Side, String)>>,
    typed: u32,
    runs: Vec<i64>,
}

impl Soak {
    async fn new(seed: u64) -> Self {
        let (world, clock) = World::timed().await;
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            let email = format!("p{number}@acme.test");
            let crm = world.crm_contact(&[("email", &email), ("firstname", "P")]);
            people.push(Pair { crm, desk: 0 });
        }
        let mut engine = world.timed_engine(&clock).await;
        cycle(&mut engine).await;
        for (number, ids) in people.iter_mut().enumerate() {
            ids.desk = world.desk_by_email(&format!("p{number}@acme.test")).id;
        }
        Self {
            world,
            clock,
            engine,
            people,
            dice: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            theirs: BTreeSet::new(),
            pending: BTreeMap::new(),
            typed: 0,
            runs: Vec::new(),
        }
    }

    fn roll(&mut self, faces: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        usize::try_from(self.dice % faces as u64).unwrap()
    }

    fn shown(&self) -> BTreeMap<Spot, String> {
        let mut shown = BTreeMap::new();
        for (person, ids) in self.people.iter().enumerate() {
            let crm = self.world.crm_row(ids.crm).properties;
            let desk = self.world.desk.contact(ids.desk).unwrap();
            let there = [desk.phone, desk.job_title].map(Option::unwrap_or_default);
            for (field, ((name, _), there)) in FIELDS.iter().zip(there).enumerate() {
                let here = crm.get(*name).cloned().unwrap_or_default();
                shown.insert((Side::Crm, person, field), here);
                shown.insert((Side::Desk, person, field), there);
            }
        }
        shown
    }

    fn edit(&mut self) {
        let (person, field) = (self.roll(PEOPLE), self.roll(FIELDS.len()));
        self.typed += 1;
        let value = format!("v{}", self.typed);
        let ids = self.people.get(person).copied().unwrap();
        let (crm, desk) = FIELDS.get(field).copied().unwrap();
        let side = if self.roll(2) == 0 {
            self.world.crm_edit(ids.crm, &[(crm, &value)]);
            Side::Crm
        } else {
            self.world.desk_edit(ids.desk, &json!({desk: value}));
            Side::Desk
        };
        self.theirs.insert((side, person, field));
        let pending = self.pending.entry((person, field)).or_default();
        pending.retain(|(of, _)| *of != side);
        pending.push((side, value));
        self.clock.advance(TimeDelta::seconds(20));
    }

    /// What was written is nobody's own any more; returns the spots.
    fn written(&mut self, before: &BTreeMap<Spot, String>) -> Vec<Spot> {
        let after = self.shown();
        let spots = before
            .iter()
            .filter(|(spot, value)| after.get(spot) != Some(value));
        let spots: Vec<Spot> = spots.map(|(spot, _)| *spot).collect();
        for spot in &spots {
            self.theirs.remove(spot);
        }
        spots
    }

    async fn turn(&mut self) {
        self.clock.advance(TimeDelta::minutes(1));
        let before = self.shown();
        let report = cycle(&mut self.engine).await;
        self.written(&before);
        let after = self.shown();
        for ((person, field), edits) in std::mem::take(&mut self.pending) {
            if let [(_, value)] = edits.as_slice() {
                for side in Side::BOTH {
                    let shown = after.get(&(side, person, field));
                    assert_eq!(shown, Some(value), "an edit of {side} did not go across");
                }
            }
        }
        if report.updated > 0 {
            self.runs.push(report.id);
        }
    }

    async fn revert(&mut self, seed: u64) {
        if self.runs.is_empty() {
            return;
        }
        let at = self.roll(self.runs.len());
        let run = self.runs.get(at).copied();
        let selection = Selection {
            which: Which { run, since: None },
            ..Selection::default()
        };
        self.clock.advance(TimeDelta::minutes(1));
        let undoing = self.engine.undo(&selection).await.unwrap();
        let plan = SavedPlan {
            made_at: chrono::DateTime::UNIX_EPOCH,
            accounts: Pair::default(),
            config: String::new(),
            records: undoing.records,
            writes: undoing.writes,
        };
        if plan.writes.is_empty() {
            return;
        }
        let (before, theirs) = (self.shown(), self.theirs.clone());
        let applied = self.engine.apply(&plan).await.unwrap();
        assert!(applied.is_whole(), "seed {seed}: {applied:?}");
        self.runs.push(applied.report.id);
        let spots = self.written(&before);
        for spot in &spots {
            assert!(
                !theirs.contains(spot),
                "seed {seed}: {spot:?} was a person's own"
            );
        }
        let back = self.shown();
        self.turn().await;
        let later = self.shown();
        for spot in &spots {
            assert_eq!(
                back.get(spot),
                later.get(spot),
                "seed {seed}: {spot:?} did not stay"
            );
        }
    }
}

#[tokio::test]
async fn whatever_people_edit_and_take_back_no_edit_is_lost_and_nothing_flaps() {
    join_all((1..=10).map(|seed| async move {
        let mut soak = Soak::new(seed).await;
        for _ in 0..24 {
            match soak.roll(6) {
                0..=2 => soak.edit(),
                3 | 4 => soak.turn().await,
                _ => soak.revert(seed).await,
            }
        }
        for _ in 0..2 {
            soak.turn().await;
        }
        soak.clock.advance(TimeDelta::minutes(1));
        quiet(&mut soak.engine).await;
        assert!(soak.runs.len() > 2, "seed {seed} does nothing");
    }))
    .await;
}
