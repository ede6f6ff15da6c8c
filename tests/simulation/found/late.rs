//! What lives have brought to light about requests that arrive when they were given up, and changes that
//! searches show late.

use super::{Scene, contact, pair, run};
use crate::clients::{self, RULE};
use crate::people::set;
use crate::systems::State;
use crate::systems::faults::{Failure, Faults};
use crate::systems::run::cycle;
use crate::systems::traits::{Rewrite, Traits};
use deskbridge::model::{Kind, Priority, Side};
use deskbridge::remote::ErrorKind;

const SECOND: i64 = 1000;

impl Scene {
    /// A cycle so much later.
    async fn after(&mut self, seconds: i64) {
        self.systems.state().now += seconds * SECOND;
        let ended = cycle(&self.systems, &mut self.engine, false).await;
        ended.unwrap().unwrap();
    }

    /// What is on its way arrives so much later.
    fn delay(&self, seconds: i64) {
        let state = &mut self.systems.state();
        let at = state.now + seconds * SECOND;
        assert_eq!(state.late.len(), 1, "{:?}", state.late);
        state.late[0].0 = at;
    }
}

#[test]
fn a_create_that_arrives_after_we_have_looked_for_what_it_made_makes_nobody_twice() {
    run(async {
        let fill = |state: &mut State| {
            contact(
                state,
                Side::Desk,
                &[("email", "ada@x.test"), ("name", "King")],
            );
        };
        let mut scene = Scene::new(Traits::own(), "crm", fill).await;
        scene.systems.state().faults.once = Some(Failure::Late);
        scene.after(600).await;
        scene.delay(40);
        scene.after(20).await;
        for _ in 0..3 {
            scene.after(60).await;
        }
        assert_eq!((scene.count(Side::Crm), scene.count(Side::Desk)), (1, 1));
    });
}

#[test]
fn a_person_without_a_key_whom_one_look_for_changes_leaves_out_is_not_made_twice() {
    run(async {
        let fill = |state: &mut State| {
            pair(state);
        };
        let mut scene = Scene::new(Traits::searching(), "crm", fill).await;
        scene.after(600).await;
        contact(&mut scene.systems.state(), Side::Desk, &[("name", "King")]);
        scene.systems.state().faults.once = Some(Failure::Done(ErrorKind::NoAnswer));
        scene.after(600).await;
        {
            // The CRM's two searches show nothing; its next ones do.
            let state = &mut scene.systems.state();
            (state.faults.hush, state.faults.bustle) = (1.0, 1.0);
            state.people = Some(Box::new(|state| {
                if state.hushes >= 2 {
                    state.faults.hush = 0.0;
                }
            }));
        }
        for _ in 0..5 {
            scene.after(600).await;
        }
        assert_eq!(scene.systems.state().hushes, 2);
        assert_eq!((scene.count(Side::Crm), scene.count(Side::Desk)), (2, 2));
    });
}

#[test]
fn two_people_without_a_key_who_look_alike_are_not_made_twice_each() {
    run(async {
        let fill = |state: &mut State| {
            pair(state);
        };
        let mut scene = Scene::new(Traits::own(), "crm", fill).await;
        scene.after(600).await;
        for _ in 0..2 {
            contact(&mut scene.systems.state(), Side::Desk, &[("name", "King")]);
        }
        scene.systems.state().faults.once = Some(Failure::Done(ErrorKind::NoAnswer));
        for _ in 0..5 {
            scene.after(600).await;
        }
        assert_eq!((scene.count(Side::Crm), scene.count(Side::Desk)), (3, 3));
    });
}

#[test]
fn a_person_without_a_key_of_whom_the_system_cuts_off_blanks_is_not_made_twice() {
    for rewrite in [Rewrite::Trims, Rewrite::TrimsAndLowers] {
        run(async {
            let fill = |state: &mut State| {
                pair(state);
                state.accounts.desk.traits.rewrite = rewrite;
            };
            let mut scene = Scene::new(Traits::own(), "crm", fill).await;
            scene.after(600).await;
            let bob = [("lastname", "Bob"), ("jobtitle", "Clerk ")];
            let bob = contact(&mut scene.systems.state(), Side::Crm, &bob);
            scene.systems.state().faults.once = Some(Failure::Done(ErrorKind::NoAnswer));
            for _ in 0..8 {
                scene.after(600).await;
            }
            assert_eq!((scene.count(Side::Crm), scene.count(Side::Desk)), (2, 2));
            // Nobody has edited it.
            let state = scene.systems.state();
            assert_eq!(state.accounts.crm.contacts[&bob].text("jobtitle"), "Clerk ");
        });
    }
}

#[test]
fn a_person_without_a_key_is_not_made_twice_where_our_clock_is_ahead() {
    run(async {
        let fill = |state: &mut State| {
            pair(state);
        };
        let mut scene = Scene::new(Traits::own(), "crm", fill).await;
        scene.systems.state().skew = 20 * 60 * SECOND;
        scene.after(600).await;
        contact(&mut scene.systems.state(), Side::Desk, &[("name", "King")]);
        scene.systems.state().faults.once = Some(Failure::Done(ErrorKind::NoAnswer));
        for _ in 0..8 {
            scene.after(600).await;
        }
        assert_eq!((scene.count(Side::Crm), scene.count(Side::Desk)), (2, 2));
    });
}

#[test]
fn a_note_that_arrives_after_we_have_looked_for_it_is_not_posted_twice() {
    run(async {
        let mut both = (0, 0);
        let fill = |state: &mut State| both = pair(state);
        let mut scene = Scene::new(Traits::own(), "crm", fill).await;
        scene.place.toml += &RULE.replace("{ON_END}", "restore");
        let mut scene = scene.reopened().await;
        scene.after(600).await;
        {
            let state = &mut scene.systems.state();
            let now = state.now;
            state.tickets.open(&both.1.to_string(), None, now);
            set(
                state,
                Side::Crm,
                Kind::Contact,
                both.0,
                "customer_tier",
                "vip".into(),
            );
            state.faults.bustle = 1.0;
            // The first write after the ticket was raised.
            let mut once = Some(Failure::Late);
            state.people = Some(Box::new(move |state| {
                let mut tickets = state.tickets.all.values();
                if tickets.any(|it| it.ticket.image.priority == Priority::Urgent) {
                    state.faults.once = state.faults.once.or(once.take());
                }
            }));
        }
        scene.after(600).await;
        scene.delay(40);
        {
            let state = &mut scene.systems.state();
            (state.people, state.faults) = (None, Faults::default());
        }
        scene.after(20).await;
        for _ in 0..3 {
            scene.after(60).await;
        }
        let state = scene.systems.state();
        let notes: Vec<usize> = state
            .tickets
            .all
            .values()
            .map(|it| it.notes.len())
            .collect();
        assert_eq!(notes, [1]);
    });
}

/// The tier of a contact of the CRM changes, and searches show it so many seconds later.
fn promote(state: &mut State, contact: u64, tier: &str, seconds: i64) {
    let (side, kind) = (Side::Crm, Kind::Contact);
    set(state, side, kind, contact, "customer_tier", tier.into());
    let from = state.now + seconds * SECOND;
    let record = state.accounts.crm.contacts.get_mut(&contact).unwrap();
    record.index.last_mut().unwrap().from = from;
}

#[test]
fn a_standing_that_was_seen_to_end_after_a_ticket_came_begins_anew_for_that_ticket_too() {
    run(async {
        let mut both = (0, 0);
        let fill = |state: &mut State| both = pair(state);
        let mut scene = Scene::new(Traits::searching(), "crm", fill).await;
        scene.place.toml += &RULE.replace("{ON_END}", "keep");
        let mut scene = scene.reopened().await;
        scene.after(600).await;
        promote(&mut scene.systems.state(), both.0, "vip", 0);
        scene.after(600).await;
        let ticket = {
            let state = &mut scene.systems.state();
            promote(state, both.0, "standard", 90);
            clients::write(state, both.1)
        };
        let shown = |scene: &Scene| {
            let state = scene.systems.state();
            state.tickets.all[&ticket].ticket.image.priority
        };
        scene.after(60).await;
        assert_eq!(shown(&scene), Priority::Urgent, "she seems to be a VIP");
        scene.after(120).await;
        {
            // The standing is over: what somebody sets now is what the next one finds.
            let state = &mut scene.systems.state();
            state.touch_ticket(ticket, |it| it.image.priority = Priority::High);
            assert!(!state.tickets.all[&ticket].unclear);
            promote(state, both.0, "vip", 0);
        }
        scene.after(600).await;
        assert_eq!(shown(&scene), Priority::Urgent);
        let crimes = scene.systems.state().witness.crimes.clone();
        assert_eq!(crimes, [""; 0]);
    });
}
