//! What lives have brought to light, each as short as it can be told.

mod companies;
mod late;
mod merges;
mod tickets;

use crate::people::set;
use crate::systems::faults::{Failure, Faults, Moment};
use crate::systems::place::{MAPPING, Place};
use crate::systems::record::OTHERS;
use crate::systems::run::cycle;
use crate::systems::traits::Traits;
use crate::systems::{People, State, Systems};
use deskbridge::model::{Kind, Pair, Side, Value};
use deskbridge::remote::ErrorKind;
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
fn a_listing_that_passed_over_records_does_not_make_those_nobody_knows_yet_twice() {
    run(async {
        let fill = |state: &mut State| {
            pair(state);
        };
        let mut scene = Scene::new(Traits::own(), "crm", fill).await;
        scene.turn(false).await;
        let bob = [("email", "bob@x.test"), ("lastname", "Bob")];
        contact(&mut scene.systems.state(), Side::Crm, &bob);
        let bob = [("email", "bob@x.test"), ("name", "Bob")];
        contact(&mut scene.systems.state(), Side::Desk, &bob);
        {
            let faults = &mut scene.systems.state().faults;
            (faults.lies, faults.liar) = (1.0, Some(Side::Crm));
        }
        scene.turn(true).await;
        scene.systems.state().faults.lies = 0.0;
        scene.turn(false).await;
        assert_eq!((scene.count(Side::Crm), scene.count(Side::Desk)), (2, 2));
    });
}

#[test]
fn a_listing_that_ends_early_does_not_make_those_twice_whom_nobody_misses_in_it() {
    for at in 1..12 {
        run(async {
            let person = |state: &mut State, number: usize| {
                let email = format!("p{number}@x.test");
                contact(state, Side::Crm, &[("email", &email), ("lastname", "P")]);
                contact(state, Side::Desk, &[("email", &email), ("name", "P")]);
            };
            let fill = |state: &mut State| (0..8).for_each(|number| person(state, number));
            let mut scene = Scene::new(Traits::own(), "crm", fill).await;
            scene.turn(false).await;
            person(&mut scene.systems.state(), 8);
            let calls = scene.systems.state().calls;
            let (mut faults, people) = at_call(calls + at, |state| state.faults.lies = 1.0);
            faults.liar = Some(Side::Crm);
            scene.systems.state().faults = faults;
            scene.systems.state().people = Some(people);
            scene.turn(true).await;
            scene.systems.state().faults = Faults::default();
            scene.turn(false).await;
            let there = (scene.count(Side::Crm), scene.count(Side::Desk));
            assert_eq!(there, (9, 9), "it ends early from call {at} on");
        });
    }
}

#[test]
fn a_contact_whose_address_changes_while_a_create_is_in_doubt_is_made_once() {
    run(async {
        let mut desk = 0;
        let fill = |state: &mut State| {
            desk = contact(
                state,
                Side::Desk,
                &[("email", "ada@x.test"), ("name", "King")],
            );
        };
        let mut scene = Scene::new(Traits::own(), "crm", fill).await;
        scene.systems.state().faults.once = Some(Failure::Done(ErrorKind::NoAnswer));
        // The lists, then the create whose answer is lost.
        scene.turn(false).await;
        {
            // It was carried out, whatever chance says.
            let mut state = scene.systems.state();
            if state.accounts.crm.contacts.is_empty() {
                let lost = [("email", "ada@x.test"), ("lastname", "King")];
                contact(&mut state, Side::Crm, &lost);
            }
        }
        let email = Value::from("byron@x.test");
        set(
            &mut scene.systems.state(),
            Side::Desk,
            Kind::Contact,
            desk,
            "email",
            email,
        );
        for _ in 0..3 {
            scene.turn(false).await;
        }
        assert_eq!((scene.count(Side::Crm), scene.count(Side::Desk)), (1, 1));
        assert_eq!(scene.value(Side::Crm, "email"), "byron@x.test");
        assert_eq!(scene.value(Side::Desk, "email"), "byron@x.test");
    });
}

#[test]
fn somebody_whose_create_is_in_doubt_takes_nobody_who_only_has_their_address_as_well() {
    run(async {
        let mut ada = 0;
        let fill = |state: &mut State| {
            let bob = [("email", "bob@x.test"), ("lastname", "Bob")];
            contact(state, Side::Crm, &bob);
            let hers = [("email", "ada@x.test"), ("name", "King")];
            ada = contact(state, Side::Desk, &hers);
            let others = Value::list(vec!["bob@x.test".to_owned()]);
            let now = state.now;
            let account = &mut state.accounts.desk;
            account.change(Kind::Contact, ada, now, now, |record| {
                record.fields.insert(OTHERS.to_owned(), others);
            });
        };
        let mut scene = Scene::new(Traits::own(), "crm", fill).await;
        // Four lists, then Ada's create; Bob's is under way by then.
        scene.systems.state().faults.death = Some(Moment::After(5));
        scene.systems.state().now += 10 * MINUTE;
        let ended = cycle(&scene.systems, &mut scene.engine, false).await;
        assert!(
            ended.is_none() && scene.count(Side::Crm) == 2,
            "it died of the create"
        );
        let mut scene = scene.reopened().await;
        for _ in 0..3 {
            scene.turn(false).await;
        }
        let phone = Value::from("+7");
        set(
            &mut scene.systems.state(),
            Side::Desk,
            Kind::Contact,
            ada,
            "phone",
            phone,
        );
        scene.turn(false).await;
        assert_eq!((scene.count(Side::Crm), scene.count(Side::Desk)), (2, 1));
        // He is the first one there.
        assert_eq!(scene.value(Side::Crm, "email"), "bob@x.test");
        assert_eq!(scene.value(Side::Crm, "phone"), "");
        let state = scene.systems.state();
        let mut hers = state.accounts.crm.contacts.values();
        let hers = hers.find(|it| it.text("email") == "ada@x.test").unwrap();
        assert_eq!(hers.text("phone"), "+7");
    });
}

#[test]
fn a_contact_without_an_address_is_made_once_when_a_field_leaves_the_mapping_meanwhile() {
    run(async {
        let fill = |state: &mut State| {
            contact(state, Side::Desk, &[("name", "King"), ("phone", "+1")]);
        };
        let mut scene = Scene::new(Traits::own(), "crm", fill).await;
        scene.systems.state().faults.death = Some(Moment::After(5));
        scene.systems.state().now += 10 * MINUTE;
        let ended = cycle(&scene.systems, &mut scene.engine, false).await;
        assert!(
            ended.is_none() && scene.count(Side::Crm) == 1,
            "it died of the create"
        );
        let phone = "[[contacts.field]]\ncrm       = \"phone\"\nfreshdesk = \"phone\"\n";
        scene.place.toml = scene.place.toml.replace(phone, "");
        let mut scene = scene.reopened().await;
        for _ in 0..4 {
            scene.turn(false).await;
        }
        assert_eq!((scene.count(Side::Crm), scene.count(Side::Desk)), (1, 1));
    });
}

#[test]
fn somebody_whom_both_sides_got_while_a_page_failed_is_not_made_twice() {
    run(async {
        let mut scene = Scene::new(Traits::own(), "crm", |_| ()).await;
        scene.turn(false).await;
        let failing = {
            let state = &mut scene.systems.state();
            state.now += 9 * MINUTE;
            for number in 1..=5 {
                let email = format!("{number}@x.test");
                contact(state, Side::Crm, &[("email", &email), ("lastname", "King")]);
            }
            state.now -= 9 * MINUTE;
            // Companies, a page of contacts, and the second one.
            state.calls + 3
        };
        let (faults, people) = at_call(failing, |state| state.faults.rate = 1.0);
        scene.systems.state().faults = faults;
        scene.systems.state().people = Some(people);
        scene.turn(false).await;
        {
            let state = &mut scene.systems.state();
            (state.faults, state.people) = (Faults::default(), None);
            // It surfaces two minutes late, among those whom the first page has shown.
            state.now -= 2 * MINUTE;
            contact(
                state,
                Side::Crm,
                &[("email", "bob@x.test"), ("lastname", "Bob")],
            );
            state.now += 2 * MINUTE;
            contact(
                state,
                Side::Desk,
                &[("email", "bob@x.test"), ("name", "Bob")],
            );
        }
        scene.turn(false).await;
        assert_eq!((scene.count(Side::Crm), scene.count(Side::Desk)), (6, 6));
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
fn a_contact_without_an_address_is_made_once_when_our_clock_is_behind_and_the_next_look_fails() {
    run(async {
        let fill = |state: &mut State| {
            contact(state, Side::Crm, &[("lastname", "King"), ("phone", "+1")]);
        };
        let mut scene = Scene::new(Traits::own(), "crm", fill).await;
        {
            let state = &mut scene.systems.state();
            state.skew = -50_000;
            state.now += 10 * MINUTE;
            // Four lists, and the create.
            state.faults.death = Some(Moment::After(5));
        }
        let ended = cycle(&scene.systems, &mut scene.engine, false).await;
        let made = scene.count(Side::Desk) == 1;
        assert!(ended.is_none() && made, "it died of the create");
        let mut scene = scene.reopened().await;
        // No page is read, and what became of the create is looked up all the same.
        scene.systems.state().faults.death = Some(Moment::Before(6));
        let ended = cycle(&scene.systems, &mut scene.engine, false).await;
        assert!(ended.is_none(), "it died of its first page");
        let mut scene = scene.reopened().await;
        scene.systems.state().faults.dying = false;
        for _ in 0..3 {
            scene.turn(false).await;
        }
        assert_eq!((scene.count(Side::Crm), scene.count(Side::Desk)), (1, 1));
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
