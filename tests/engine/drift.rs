//! What a reading of everything says about polling: what it had missed, and that the rest is equal.

use crate::office::Office;
use crate::world::{World, cycle, reconcile};
use chrono::TimeDelta;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::store::{Answer, Report};
use deskbridge::sync::Engine;
use serde_json::{Value as Json, json};

/// Only customers take part, and a rule looks at a field that is not mapped.
const WATCHED: &str = r#"
[[ticket_rule]]
name     = "vip"
when     = { record = "contact", field = "customer_tier", in = ["vip"] }
priority = "urgent"

[contacts.scope]
crm = { field = "lifecyclestage", in = ["customer"] }
"#;

async fn certificate(world: &World) -> Json {
    let mut state = Report::open(&world.state()).await.unwrap();
    state.certificates().await.unwrap()["contact"].clone()
}

/// Five contacts of Freshdesk, whom the CRM has got as well.
async fn five() -> (World, SimClock, Engine, Vec<u64>) {
    let (world, clock) = World::timed().await;
    let ids = world.desk_crowd(5);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    (world, clock, engine, ids)
}

#[tokio::test]
async fn an_audit_can_be_shown_that_both_sides_are_equal() {
    let (world, clock, mut engine, _) = five().await;
    clock.advance(TimeDelta::hours(24));
    reconcile(&mut engine).await;
    let said = certificate(&world).await;
    assert_eq!((&said["linked"], &said["equal"]), (&json!(5), &json!(5)));
    let none = json!({"changed": 0, "vanished": 0});
    assert_eq!(said["drifted"], json!({"crm": none, "freshdesk": none}));
}

#[tokio::test]
async fn nothing_is_certified_where_one_side_could_not_be_read() {
    let (world, clock, mut engine, _) = five().await;
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
    let (world, clock, mut engine, ids) = five().await;
    clock.advance(TimeDelta::hours(2));
    cycle(&mut engine).await;
    // A change that shows itself with a time long past, and a deletion without a trace.
    clock.advance(TimeDelta::hours(-1));
    world.desk_edit(ids[0], &json!({"phone": "+49 1"}));
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

/// Contacts of whom only customers take part, with a ticket rule on a field that is not mapped.
async fn watched() -> (World, SimClock, Engine, Vec<u64>) {
    let (mut world, clock) = World::timed().await;
    world.mapping.push_str(WATCHED);
    let ids = (0..5)
        .map(|number| {
            let email = format!("p{number}@acme.test");
            world.crm_contact(&[
                ("email", &email),
                ("firstname", "P"),
                ("customer_tier", "standard"),
                ("lifecyclestage", "customer"),
            ])
        })
        .collect();
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    (world, clock, engine, ids)
}

async fn read_all(world: &World, clock: &SimClock, engine: &mut Engine) -> Json {
    clock.advance(TimeDelta::hours(24));
    reconcile(engine).await;
    certificate(world).await
}

fn counts<const N: usize>(said: &Json, names: [&str; N]) -> [u64; N] {
    names.map(|name| said[name].as_u64().unwrap())
}

#[tokio::test]
async fn pairs_are_equal_also_where_a_field_that_is_not_mapped_decides_about_them() {
    let (world, clock, mut engine, ids) = watched().await;
    let said = read_all(&world, &clock, &mut engine).await;
    assert_eq!(
        counts(&said, ["linked", "equal", "open"]),
        [5, 5, 0],
        "{said}"
    );
    // What is not mapped changes, and is nobody's business but the rule's.
    world.crm_edit(ids[0], &[("customer_tier", "vip")]);
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    let said = read_all(&world, &clock, &mut engine).await;
    assert_eq!(counts(&said, ["equal", "open"]), [5, 0], "{said}");
    assert_eq!(engine.audit().await.unwrap(), 0, "nothing is planned again");
}

#[tokio::test]
async fn who_left_the_scope_is_neither_equal_nor_left_to_do_for_ever() {
    let (world, clock, mut engine, ids) = watched().await;
    world.crm_edit(ids[0], &[("lifecyclestage", "other"), ("phone", "+4")]);
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    let said = read_all(&world, &clock, &mut engine).await;
    let shown = counts(&said, ["linked", "equal", "out_of_scope", "open"]);
    assert_eq!(shown, [5, 4, 1, 0], "{said}");
    assert_eq!(engine.audit().await.unwrap(), 0, "nothing is planned again");
}

#[tokio::test]
async fn a_difference_that_a_person_wanted_is_not_certified_as_equal() {
    let mut office = Office::new().await;
    office.edit(0..7, &[("phone", "+2")]);
    office.turn().await;
    office.answer(Answer::Discard).await;
    office.turn().await;
    let said = read_all(&office.world, &office.clock, &mut office.engine).await;
    let shown = counts(&said, ["linked", "equal", "apart", "held", "open"]);
    assert_eq!(shown, [10, 3, 7, 0, 0], "{said}");
}

#[tokio::test]
async fn a_listing_that_left_people_out_is_made_again_however_lately_it_was() {
    let (world, clock) = World::timed().await;
    for name in ["ada", "bob", "cyd"] {
        let email = format!("{name}@acme.test");
        world.crm_contact(&[("email", &email), ("firstname", name)]);
    }
    let (mut engine, liar) = world.lying_engine(&clock).await;
    engine.young = Some(TimeDelta::hours(18));
    cycle(&mut engine).await;
    // Nobody is among the latest changes any more, which are read beside a listing.
    clock.advance(TimeDelta::hours(26));
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(20));
    liar.empty_next_listing();
    reconcile(&mut engine).await;
    let mark =
        "SELECT mark FROM pass WHERE side = 'freshdesk' AND kind = 'contact' AND feed = 'all'";
    let read_at = world.count(mark).await;
    for _ in 0..2 {
        clock.advance(TimeDelta::hours(1));
        reconcile(&mut engine).await;
        let again = TimeDelta::hours(1).num_milliseconds();
        assert_eq!(
            world.count(mark).await,
            read_at + again,
            "once more, and no more"
        );
    }
}

#[tokio::test]
async fn a_side_that_fails_does_not_have_the_other_read_anew_each_hour() {
    let (world, clock) = World::timed().await;
    world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    engine.young = Some(TimeDelta::hours(18));
    cycle(&mut engine).await;
    clock.advance(TimeDelta::hours(24));
    let faults = &world.desk.backstage().faults;
    faults.inject("GET", "/api/v2/contacts", Fault::Refuse(500), 1000);
    engine.cycle(true).await.unwrap();
    let mark = "SELECT mark FROM pass WHERE side = 'crm' AND kind = 'contact' AND feed = 'all'";
    let read_at = world.count(mark).await;
    faults.clear();
    clock.advance(TimeDelta::hours(1));
    reconcile(&mut engine).await;
    assert_eq!(world.count(mark).await, read_at, "it is not read again");
    let there =
        "SELECT mark FROM pass WHERE side = 'freshdesk' AND kind = 'contact' AND feed = 'all'";
    assert!(world.count(there).await > read_at, "the one that failed is");
    // The next day all of it is read.
    clock.advance(TimeDelta::hours(24));
    reconcile(&mut engine).await;
    assert!(world.count(mark).await > read_at);
}
