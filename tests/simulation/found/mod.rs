//! What lives have brought to light, each as short as it can be told.

mod companies;
mod late;
mod merges;
mod tickets;
mod twice;

use crate::people::set;
use crate::systems::faults::Faults;
use crate::systems::place::{MAPPING, Place};
use crate::systems::record::OTHERS;
use crate::systems::run::cycle;
use crate::systems::traits::Traits;
use crate::systems::{People, State, Systems};
use deskbridge::model::{Kind, Pair, Side, Value};
use deskbridge::sync::Engine;
use std::collections::BTreeMap;

const MINUTE: i64 = 60_000;

struct Scene {
    systems: Systems,
    place: Place,
    engine: Engine,
}

impl Scene {
    /// A world with these in it, and an engine that has not turned yet.
    async fn new(crm: Traits, conflict: &str, fill: impl FnOnce(&mut State)) -> Self {
        let traits = Pair {
            crm,
            desk: Traits::desk(),
        };
        let systems = Systems::new(1, traits);
        let toml = MAPPING.replace("{CONFLICT}", conflict);
        let place = Place::new(toml.replace("{DELETE}", "hold"));
        fill(&mut systems.state());
        let engine = place.engine(&systems).await;
        Self {
            systems,
            place,
            engine,
        }
    }

    /// Another process with the same state.
    async fn reopened(self) -> Self {
        let Self {
            systems,
            place,
            engine,
        } = self;
        drop(engine);
        place.closed().await;
        let engine = place.engine(&systems).await;
        Self {
            systems,
            place,
            engine,
        }
    }

    async fn turn(&mut self, reconcile: bool) {
        self.systems.state().now += 10 * MINUTE;
        let ended = cycle(&self.systems, &mut self.engine, reconcile).await;
        ended.unwrap().unwrap();
    }

    fn value(&self, side: Side, field: &str) -> String {
        let state = self.systems.state();
        let mut contacts = state.accounts.of(side).contacts.values();
        contacts.next().unwrap().text(field).to_owned()
    }

    fn count(&self, side: Side) -> usize {
        self.systems.state().accounts.of(side).contacts.len()
    }
}

fn contact(state: &mut State, side: Side, of: &[(&str, &str)]) -> u64 {
    let fields: BTreeMap<String, Value> = of
        .iter()
        .map(|(field, value)| ((*field).to_owned(), Value::text(*value)))
        .collect();
    let now = state.now;
    let account = state.accounts.of_mut(side);
    account.create(Kind::Contact, &fields, now, 0).unwrap()
}

fn pair(state: &mut State) -> (u64, u64) {
    let ada = [
        ("email", "ada@x.test"),
        ("lastname", "King"),
        ("phone", "+1"),
    ];
    let crm = contact(state, Side::Crm, &ada);
    let desk = contact(
        state,
        Side::Desk,
        &[("email", "ada@x.test"), ("name", "Byron")],
    );
    (crm, desk)
}

/// One person who does one thing before call number `at`, and nothing afterwards.
fn at_call(at: u64, deed: impl Fn(&mut State) + Send + 'static) -> (Faults, People) {
    let faults = Faults {
        bustle: 1.0,
        ..Faults::default()
    };
    let people: People = Box::new(move |state| {
        if state.calls == at {
            deed(state);
        }
    });
    (faults, people)
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(test);
}

#[test]
fn an_edit_made_between_our_writes_to_both_sides_arrives() {
    run(async {
        let mut crm = 0;
        let fill = |state: &mut State| crm = pair(state).0;
        let mut scene = Scene::new(Traits::own(), "freshdesk", fill).await;
        // Four lists; then the CRM is written, and Freshdesk.
        let (faults, people) = at_call(5, move |state| {
            set(state, Side::Crm, Kind::Contact, crm, "phone", "+2".into());
        });
        scene.systems.state().faults = faults;
        scene.systems.state().people = Some(people);
        scene.turn(false).await;
        scene.turn(false).await;
        assert_eq!(scene.value(Side::Crm, "phone"), "+2");
        assert_eq!(scene.value(Side::Desk, "phone"), "+2");
    });
}

#[test]
fn an_edit_that_is_seen_while_its_pair_is_written_is_not_taken_for_agreed() {
    for at in 4..10 {
        run(async {
            let mut desk = 0;
            let fill = |state: &mut State| {
                desk = pair(state).1;
                // Bob's address is one of hers by now: his create is a duplicate, and leads to her.
                let bob = [("email", "bob@x.test"), ("lastname", "Bob")];
                contact(state, Side::Crm, &bob);
                let hers = Value::list(vec!["bob@x.test".to_owned()]);
                let account = &mut state.accounts.desk;
                let now = state.now;
                account.change(Kind::Contact, desk, now, now, |record| {
                    record.fields.insert(OTHERS.to_owned(), hers);
                    record.fields.insert("phone".to_owned(), "+1".into());
                });
            };
            let mut scene = Scene::new(Traits::own(), "freshdesk", fill).await;
            let (faults, people) = at_call(at, move |state| {
                set(state, Side::Desk, Kind::Contact, desk, "phone", "+2".into());
            });
            scene.systems.state().faults = faults;
            scene.systems.state().people = Some(people);
            for _ in 0..3 {
                scene.turn(false).await;
            }
            assert_eq!(scene.value(Side::Desk, "phone"), "+2");
            assert_eq!(scene.value(Side::Crm, "phone"), "+2", "at call {at}");
        });
    }
}

#[test]
fn an_edit_that_the_search_does_not_show_yet_is_not_overwritten_when_a_pair_is_found() {
    run(async {
        let mut crm = 0;
        let fill = |state: &mut State| crm = pair(state).0;
        let mut scene = Scene::new(Traits::searching(), "freshdesk", fill).await;
        // All is read, and then the state cannot be written: nobody is linked yet.
        scene.place.fill("journal", "INSERT").await;
        let ended = cycle(&scene.systems, &mut scene.engine, false).await;
        assert!(ended.unwrap().is_err(), "the disk is full");
        scene.place.empty().await;
        {
            let mut state = scene.systems.state();
            let now = state.now;
            // Searches know of it only in a day.
            let account = &mut state.accounts.crm;
            account.change(Kind::Contact, crm, now + 86_400_000, now, |record| {
                let fields = &mut record.fields;
                fields.insert("lastname".to_owned(), "Lovelace".into());
            });
        }
        scene.turn(false).await;
        let journal = scene.place.journal().await;
        let known = journal
            .iter()
            .any(|row| row.fields.contains("\"Lovelace\""));
        assert!(known, "what was overruled is in the journal: {journal:?}");
    });
}

#[test]
fn an_edit_that_a_look_for_who_has_an_address_already_has_shown_is_in_the_journal_when_it_is_overruled()
 {
    run(async {
        let (mut crm, mut desk) = (0, 0);
        let fill = |state: &mut State| {
            (crm, desk) = pair(state);
            state.accounts.desk.traits.names_holder = false;
            let now = state.now;
            let account = &mut state.accounts.desk;
            account.change(Kind::Contact, desk, now, now, |record| {
                let others = Value::list(vec!["bob@x.test".to_owned()]);
                record.fields.insert(OTHERS.to_owned(), others);
            });
        };
        let mut scene = Scene::new(Traits::own(), "crm", fill).await;
        scene.turn(false).await;
        let calls = {
            let state = &mut scene.systems.state();
            let bob = [("email", "bob@x.test"), ("lastname", "Bob")];
            contact(state, Side::Crm, &bob);
            let tier = "customer_tier";
            set(state, Side::Crm, Kind::Contact, crm, tier, "vip".into());
            state.calls
        };
        // Four lists, the create that is refused, and the look for who has his address.
        let (faults, people) = at_call(calls + 6, move |state| {
            let tier = "custom_fields.tier";
            set(state, Side::Desk, Kind::Contact, desk, tier, "T1".into());
        });
        scene.systems.state().faults = faults;
        scene.systems.state().people = Some(people);
        scene.turn(false).await;
        assert_eq!(scene.value(Side::Desk, "custom_fields.tier"), "VIP");
        let journal = scene.place.journal().await;
        let told = journal.iter().any(|row| row.fields.contains("\"T1\""));
        assert!(told, "{journal:#?}");
    });
}

#[test]
fn what_somebody_emptied_and_a_merge_filled_again_is_no_lost_edit() {
    run(async {
        let (mut ada, mut bob) = (0, 0);
        let fill = |state: &mut State| {
            ada = pair(state).1;
            let his = [("email", "bob@x.test"), ("name", "Bob"), ("phone", "+2")];
            bob = contact(state, Side::Desk, &his);
        };
        let scene = Scene::new(Traits::own(), "crm", fill).await;
        let state = &mut scene.systems.state();
        for phone in ["+1".into(), Value::Empty] {
            set(state, Side::Desk, Kind::Contact, ada, "phone", phone);
        }
        crate::ends::merge_into(state, Side::Desk, Kind::Contact, (bob, ada));
        let hers = &state.accounts.desk.contacts[&ada];
        assert_eq!(hers.text("phone"), "+2");
        assert_eq!(hers.edits["phone"].value, Value::from("+2"));
    });
}

#[test]
fn what_a_merge_brings_in_the_second_of_an_edit_is_shown_to_whoever_looks_for_changes() {
    run(async {
        let (mut ada, mut bob) = (0, 0);
        let fill = |state: &mut State| {
            ada = pair(state).0;
            let his = [
                ("email", "bob@x.test"),
                ("lastname", "Bob"),
                ("jobtitle", "Clerk"),
            ];
            bob = contact(state, Side::Crm, &his);
        };
        let mut scene = Scene::new(Traits::searching(), "crm", fill).await;
        scene.turn(false).await;
        {
            let state = &mut scene.systems.state();
            // This CRM tells times to the millisecond. A merge that is told to the second would seem to
            // come before the edit, and searches would never show it.
            state.now += 1087 - state.now % 1000;
            set(state, Side::Crm, Kind::Contact, ada, "phone", "+2".into());
            state.now += 438;
            crate::ends::merge_into(state, Side::Crm, Kind::Contact, (bob, ada));
        }
        scene.turn(false).await;
        assert_eq!(scene.value(Side::Desk, "phone"), "+2");
        assert_eq!(scene.value(Side::Desk, "job_title"), "Clerk");
    });
}
