//! People who are on one side alone, or seem to be: nobody is made twice.

use super::{MINUTE, Scene, at_call, contact, pair, run};
use crate::people::set;
use crate::systems::State;
use crate::systems::faults::{Failure, Faults, Moment};
use crate::systems::record::OTHERS;
use crate::systems::run::cycle;
use crate::systems::traits::Traits;
use deskbridge::model::{Kind, Side, Value};
use deskbridge::remote::ErrorKind;

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
