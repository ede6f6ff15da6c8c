//! An office whose customers are in step on both sides, and guards that few of them cross.

use crate::world::{World, cycle, quiet};
use chrono::TimeDelta;
use deskbridge::plan::{Guards, Limit};
use deskbridge::sandbox::clock::SimClock;
use deskbridge::store::{Answer, HoldView};
use deskbridge::sync::{CycleReport, Engine};

const fn limit(count: u64, percent: f64) -> Limit {
    Limit { count, percent }
}

/// Low lines, so that few records cross them.
pub(super) const GUARDS: Guards = Guards {
    creates: limit(5, 20.0),
    updates: limit(6, 30.0),
    clears: limit(2, 5.0),
    deletes: limit(2, 5.0),
    tickets: limit(2, 5.0),
};

pub(super) struct Office {
    pub(super) world: World,
    pub(super) clock: SimClock,
    pub(super) engine: Engine,
    /// The linked contacts' ids in the CRM.
    pub(super) people: Vec<u64>,
}

pub(super) fn email(number: usize) -> String {
    format!("c{number}@acme.test")
}

impl Office {
    /// Ten linked contacts, and guards that begin to act only now.
    pub(super) async fn new() -> Self {
        Self::with(10, |_| ()).await
    }

    pub(super) async fn with(people: usize, set: impl FnOnce(&mut World)) -> Self {
        let (mut world, clock) = World::timed().await;
        set(&mut world);
        let people = (0..people)
            .map(|number| {
                world.crm_contact(&[
                    ("email", &email(number)),
                    ("firstname", "C"),
                    ("phone", "+1"),
                    ("jobtitle", "clerk"),
                ])
            })
            .collect();
        let mut engine = world.timed_engine(&clock).await;
        cycle(&mut engine).await;
        engine.guard(GUARDS);
        let mut office = Self {
            world,
            clock,
            engine,
            people,
        };
        office.turn().await;
        office
    }

    /// The same with another line in `sync.toml`.
    pub(super) async fn remapped(self, from: &str, to: &str) -> Self {
        let Self {
            mut world,
            clock,
            engine,
            people,
        } = self;
        engine.store.close().await.unwrap();
        world.remap(from, to);
        let mut engine = world.timed_engine(&clock).await;
        engine.guard(GUARDS);
        Self {
            world,
            clock,
            engine,
            people,
        }
    }

    /// A minute later, a cycle.
    pub(super) async fn turn(&mut self) -> CycleReport {
        self.clock.advance(TimeDelta::minutes(1));
        cycle(&mut self.engine).await
    }

    /// A minute later, a cycle that writes nothing to either system.
    pub(super) async fn rests(&mut self) {
        self.clock.advance(TimeDelta::minutes(1));
        self.world.forget_calls();
        quiet(&mut self.engine).await;
        assert_eq!(self.world.writes(), [""; 0]);
    }

    pub(super) fn edit(&self, people: std::ops::Range<usize>, fields: &[(&str, &str)]) {
        for person in &self.people[people] {
            self.world.crm_edit(*person, fields);
        }
    }

    /// Somebody imports so many new contacts into the CRM.
    pub(super) fn import(&self, people: usize) {
        for number in 0..people {
            let email = format!("new{number}@import.test");
            let fields = [("email", email.as_str()), ("firstname", "N")];
            self.world.crm_contact(&fields);
        }
    }

    /// How many contacts of Freshdesk show this.
    pub(super) fn showing(&self, phone: &str) -> usize {
        let contacts = self.world.desk.contacts();
        let shows = contacts
            .iter()
            .filter(|it| it.phone.as_deref() == Some(phone));
        shows.count()
    }

    pub(super) async fn only_hold(&self) -> HoldView {
        self.world.only_hold().await
    }

    pub(super) async fn answer(&self, answer: Answer) {
        let hold = self.only_hold().await;
        self.world.answer(hold.id, answer).await;
    }

    pub(super) async fn waiting(&self) -> i64 {
        self.world
            .count("SELECT coalesce(sum(count), 0) FROM guarded")
            .await
    }
}
