//! Records that a system has a fault with, again and again: they wait, and nobody waits with them.

use crate::office::Office;
use crate::world::hooked::Hooked;
use crate::world::{EngineClock, World, attempt, cycle, quiet};
use chrono::TimeDelta;
use deskbridge::model::Kind;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::sync::Engine;
use serde_json::json;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const CONTACTS: &str = "/api/v2/contacts";

/// Cycles, one a minute. Returns how many calls they wrote with.
async fn minutes(world: &World, engine: &mut Engine, clock: &SimClock, cycles: u32) -> usize {
    world.forget_calls();
    for _ in 0..cycles {
        clock.advance(TimeDelta::minutes(1));
        attempt(engine).await;
    }
    world.writes().len()
}

#[tokio::test]
async fn a_contact_that_freshdesk_chokes_on_is_tried_at_once_and_then_ever_more_rarely() {
    let (world, clock) = World::timed().await;
    let ada = world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    let faults = &world.desk.backstage().faults;
    for (verb, action) in [("POST", "create"), ("PUT", "update")] {
        faults.inject(verb, CONTACTS, Fault::Refuse(500), u32::MAX);
        world.crm_edit(ada, &[("phone", "+1")]);
        let writes = minutes(&world, &mut engine, &clock, 2).await;
        assert_eq!(writes, 2, "{action}: once more as soon as it was looked up");
        world.forget_calls();
        clock.advance(TimeDelta::seconds(20));
        attempt(&mut engine).await;
        assert_eq!(world.writes(), [""; 0], "{action}");
        let parked = world.parked().await;
        let [parked] = parked.as_slice() else {
            panic!("{action}: {parked:?}");
        };
        assert_eq!((&*parked.state, &*parked.action), ("failed", action));
        let error = parked.error.as_deref().unwrap();
        assert!(
            error.starts_with("no answer, and it was not made: "),
            "{error}"
        );
        assert!(error.contains("500"), "the server's own words: {error}");
        let writes = minutes(&world, &mut engine, &clock, 60).await;
        assert!((3..=7).contains(&writes), "{action}: {writes} in an hour");
        // When it changes, at once.
        faults.clear();
        world.crm_edit(ada, &[("phone", "+2")]);
        minutes(&world, &mut engine, &clock, 2).await;
        let there = world.desk_by_email("ada@acme.test");
        assert_eq!(there.phone.as_deref(), Some("+2"), "{action}");
        assert_eq!(world.parked().await, [], "{action}");
        quiet(&mut engine).await;
    }
}

#[tokio::test]
async fn a_write_that_was_made_though_nobody_answered_is_not_shown_as_failed() {
    let (world, clock) = World::timed().await;
    let ada = world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    let faults = &world.desk.backstage().faults;
    for (verb, phone) in [("POST", "+1"), ("PUT", "+2")] {
        faults.inject(verb, CONTACTS, Fault::ApplyThenFail(503), 1);
        world.crm_edit(ada, &[("phone", phone)]);
        minutes(&world, &mut engine, &clock, 1).await;
        assert_eq!(world.parked().await[0].state, "sent", "{verb}");
        let writes = minutes(&world, &mut engine, &clock, 1).await;
        assert_eq!((writes, world.parked().await), (0, vec![]), "{verb}");
    }
}

#[tokio::test]
async fn nobodys_edits_are_held_because_one_of_them_fails_again_and_again() {
    let mut office = Office::new().await;
    let faults = office.world.desk.backstage().faults.clone();
    faults.inject("PUT", CONTACTS, Fault::Refuse(500), u32::MAX);
    office.edit(0..1, &[("phone", "+2")]);
    for _ in 0..20 {
        office.clock.advance(TimeDelta::minutes(61));
        attempt(&mut office.engine).await;
    }
    faults.clear();
    // One that fails and these are as many as a day allows.
    office.edit(1..6, &[("phone", "+2")]);
    office.turn().await;
    assert_eq!(office.world.holds().await, []);
    office.clock.advance(TimeDelta::minutes(80));
    office.turn().await;
    assert_eq!(office.showing("+2"), 6);
}

/// An engine to whose CRM a test can do harm.
async fn poisoned(world: &World, clock: &SimClock) -> (Engine, Arc<Hooked>) {
    let stop = CancellationToken::new();
    let mut connectors = world.connectors(&stop);
    let hooked = Arc::new(Hooked::new(Arc::clone(&connectors.crm), Kind::Contact));
    connectors.crm = hooked.clone();
    let clock = Arc::new(EngineClock(clock.clone()));
    let engine = world.engine_between(connectors, clock, stop).await;
    (engine, hooked)
}

#[tokio::test]
async fn a_contact_that_the_crm_chokes_on_keeps_nobody_else_of_its_batch_out() {
    let (world, clock) = World::timed().await;
    let (mut engine, hooked) = poisoned(&world, &clock).await;
    hooked.poison("666");
    let mut people = Vec::new();
    for n in 0..20 {
        let phone = if n == 7 { "666" } else { "1" };
        let email = format!("c{n}@acme.test");
        people.push(world.desk_contact(&json!({"name": "C", "email": email, "phone": phone})));
    }
    attempt(&mut engine).await;
    let there = || world.crm.portal().count(CrmKind::Contact);
    assert_eq!(there(), 0, "one batch");
    minutes(&world, &mut engine, &clock, 15).await;
    assert_eq!(there(), 19, "who is not made waits for nobody");
    // The same with edits.
    let edit = |n: usize, phone: &str| {
        let news = json!({ "phone": phone });
        world.desk_edit(people[n], &news);
    };
    edit(7, "1");
    minutes(&world, &mut engine, &clock, 15).await;
    assert_eq!(there(), 20);
    for n in 0..20 {
        edit(n, if n == 7 { "666" } else { "2" });
    }
    clock.advance(TimeDelta::minutes(1));
    attempt(&mut engine).await;
    let shows = |phone: &str| {
        let rows = world.crm.portal().rows(CrmKind::Contact);
        let shows = |it: &&_| phone_of(it) == phone;
        rows.iter().filter(shows).count()
    };
    assert_eq!(shows("2"), 0, "one batch");
    minutes(&world, &mut engine, &clock, 2).await;
    assert_eq!(shows("2"), 19);
    assert_eq!(world.parked().await.len(), 1);
    edit(7, "2");
    minutes(&world, &mut engine, &clock, 1).await;
    assert_eq!((shows("2"), world.parked().await), (20, vec![]));
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    quiet(&mut engine).await;
}

fn phone_of(row: &deskbridge::sandbox::hubspot::Row) -> &str {
    row.properties.get("phone").map_or("", |it| it.as_str())
}
