//! What a reading of everything says about polling: what it had missed, and that the rest is equal.

use crate::world::{World, cycle, reconcile};
use chrono::TimeDelta;
use deskbridge::sandbox::faults::Fault;
use deskbridge::store::Report;
use serde_json::{Value as Json, json};

async fn certificate(world: &World) -> Json {
    let mut state = Report::open(&world.state()).await.unwrap();
    state.certificates().await.unwrap()["contact"].clone()
}

fn people(world: &World, how_many: usize) -> Vec<u64> {
    (0..how_many)
        .map(|number| {
            let email = format!("p{number}@acme.test");
            world.desk_contact(&json!({"name": format!("P {number}"), "email": email}))
        })
        .collect()
}

#[tokio::test]
async fn an_audit_can_be_shown_that_both_sides_are_equal() {
    let (world, clock) = World::timed().await;
    people(&world, 5);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::hours(24));
    reconcile(&mut engine).await;
    let said = certificate(&world).await;
    assert_eq!((&said["linked"], &said["equal"]), (&json!(5), &json!(5)));
    let none = json!({"changed": 0, "vanished": 0});
    assert_eq!(said["drifted"], json!({"crm": none, "freshdesk": none}));
}

#[tokio::test]
async fn nothing_is_certified_where_one_side_could_not_be_read() {
    let (world, clock) = World::timed().await;
    people(&world, 5);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::hours(24));
    reconcile(&mut engine).await;
    let before = certificate(&world).await;
    clock.advance(TimeDelta::hours(24));
    let faults = &world.desk.backstage().faults;
    faults.inject("GET", "/api/v2/contacts", Fault::Refuse(500), 1000);
    engine.cycle(true).await.unwrap();
    assert_eq!(certificate(&world).await, before);
    faults.clear();
    // Nor afterwards, before that side was listed again.
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    assert_eq!(certificate(&world).await, before);
    reconcile(&mut engine).await;
    assert_ne!(certificate(&world).await, before);
}

#[tokio::test]
async fn what_polling_has_missed_is_counted_and_not_passed_over_in_silence() {
    let (world, clock) = World::timed().await;
    let ids = people(&world, 5);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::hours(2));
    cycle(&mut engine).await;
    // A change that shows itself with a time long past, and a deletion without a trace.
    clock.advance(TimeDelta::hours(-1));
    world
        .desk
        .edit_contact(ids[0], &json!({"phone": "+49 1"}))
        .unwrap();
    clock.advance(TimeDelta::hours(2));
    world.desk.hard_delete_contact(ids[1]).unwrap();
    let polled = cycle(&mut engine).await;
    assert_eq!(polled.updated, 0, "{polled:?}");
    let report = reconcile(&mut engine).await;
    assert_eq!(report.updated, 1, "{report:?}");
    let said = certificate(&world).await;
    let drifted = &said["drifted"]["freshdesk"];
    assert_eq!(drifted, &json!({"changed": 1, "vanished": 1}));
    let counts = (&said["linked"], &said["equal"], &said["held"]);
    assert_eq!(counts, (&json!(5), &json!(4), &json!(1)));
    // The next one has nothing to say against polling.
    clock.advance(TimeDelta::hours(24));
    reconcile(&mut engine).await;
    let said = certificate(&world).await;
    assert_eq!(said["drifted"]["freshdesk"]["changed"], json!(0));
}
