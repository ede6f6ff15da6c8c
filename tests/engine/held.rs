//! Holds over whole classes, and what may go wrong on the way to an answer.

use crate::world::stage::{HIGH, LOW, Stage, URGENT, VIP};
use crate::world::{World, attempt, cycle};
use chrono::TimeDelta;
use deskbridge::model::Kind;
use deskbridge::plan::{Guards, Limit};
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::store::Answer;
use deskbridge::sync::Engine;
use serde_json::json;

const fn limit(count: u64, percent: f64) -> Limit {
    Limit { count, percent }
}

/// Low lines, so that few records cross them.
const GUARDS: Guards = Guards {
    creates: limit(5, 20.0),
    updates: limit(6, 30.0),
    clears: limit(2, 5.0),
    deletes: limit(2, 5.0),
    tickets: limit(2, 5.0),
};

/// These many contacts in the CRM; those from `both` on are in Freshdesk as well.
async fn people(all: usize, both: usize) -> (World, SimClock, Engine, Vec<u64>) {
    let (world, clock) = World::timed().await;
    let mut ids = Vec::new();
    for number in 0..all {
        let email = format!("c{number}@acme.test");
        ids.push(world.crm_contact(&[
            ("email", &email),
            ("firstname", "C"),
            ("phone", "+1"),
            ("jobtitle", "clerk"),
        ]));
        if number >= both {
            world.desk_contact(&json!({"name": "C", "email": email}));
        }
    }
    let engine = world.timed_engine(&clock).await;
    (world, clock, engine, ids)
}

async fn give(world: &World, answer: Answer) {
    world.answer(world.only_hold().await.id, answer).await;
}

#[tokio::test]
async fn a_first_sync_that_was_interrupted_may_still_be_approved_beforehand() {
    let (world, clock, mut engine, _) = people(9, 6).await;
    engine.guard(GUARDS);
    engine.approve_first();
    let faults = &world.desk.backstage().faults;
    faults.inject("POST", "/api/v2/contacts", Fault::Refuse(503), 1000);
    let report = attempt(&mut engine).await;
    assert_eq!((report.linked, report.created), (3, 0), "{report:?}");
    world.desk.backstage().faults.clear();
    clock.advance(TimeDelta::minutes(90));
    let report = cycle(&mut engine).await;
    assert_eq!((report.created, report.held), (6, 0), "{report:?}");
    // That was its end: the next flood is none.
    for number in 10..30 {
        let email = format!("c{number}@acme.test");
        world.crm_contact(&[("email", &email), ("firstname", "C")]);
    }
    clock.advance(TimeDelta::minutes(1));
    let report = cycle(&mut engine).await;
    assert_eq!((report.created, report.held), (0, 1), "{report:?}");
}

#[tokio::test]
async fn what_is_refused_is_tried_less_and_less_often_also_where_a_part_of_it_is_held() {
    let (world, clock, mut engine, ids) = people(10, 10).await;
    cycle(&mut engine).await;
    engine.guard(GUARDS);
    let faults = &world.desk.backstage().faults;
    faults.inject("PUT", "/api/v2/contacts", Fault::Refuse(400), 10_000);
    for person in &ids[..4] {
        world.crm_edit(*person, &[("phone", "+2"), ("jobtitle", "")]);
    }
    for _ in 0..24 {
        clock.advance(TimeDelta::minutes(11));
        attempt(&mut engine).await;
    }
    assert_eq!(world.holds().await.first().unwrap().class, "clear");
    let tries = world
        .count("SELECT count(*) FROM journal WHERE action = 'update' AND side = 'freshdesk'")
        .await;
    // The pauses grow from half a minute to an hour: ten tries of four records, not 24.
    assert!(
        (4..=4 * 12).contains(&tries),
        "{tries} tries within 4 hours"
    );
}

const NOTE: &str = r#"
[[ticket_rule]]
name = "greet"
when = { record = "contact", field = "customer_tier", in = ["vip"] }
note = "A VIP."
"#;

#[tokio::test]
async fn a_rule_that_only_posts_notes_floods_no_agent_before_somebody_looks() {
    for answer in [Answer::Approve, Answer::Discard] {
        let mut stage = Stage::new(NOTE).await;
        let tickets = stage.open_tickets(3);
        stage.engine.guard(GUARDS);
        stage.vip();
        let report = stage.turn().await;
        assert_eq!((report.tickets.noted, report.held), (0, 1), "{report:?}");
        assert_eq!(stage.world.holds().await[0].count, 3);
        stage.rests().await;
        give(&stage.world, answer).await;
        let noted = stage.turn().await.tickets.noted;
        stage.rests().await;
        let expected = if answer == Answer::Approve { 3 } else { 0 };
        let there: usize = tickets.iter().map(|it| stage.notes(*it)).sum();
        assert_eq!((noted, there as u64), (expected, expected));
        assert_eq!(stage.world.holds().await, []);
    }
}

#[tokio::test]
async fn held_tickets_wait_for_nobody_once_agents_have_resolved_them() {
    let mut stage = Stage::new(VIP).await;
    let tickets = stage.open_tickets(3);
    stage.engine.guard(GUARDS);
    stage.vip();
    assert_eq!(stage.turn().await.held, 1);
    for ticket in tickets {
        stage.edit(ticket, &json!({"status": 4}));
    }
    assert_eq!(stage.turn().await.held, 0);
    stage.rests().await;
}

#[tokio::test]
async fn an_answer_about_three_tickets_is_none_about_ten() {
    let mut stage = Stage::new(VIP).await;
    let mut tickets: Vec<u64> = (0..3).map(|_| stage.ticket(2, LOW)).collect();
    stage.engine.guard(GUARDS);
    stage.vip();
    assert_eq!(stage.turn().await.held, 1);
    give(&stage.world, Answer::Approve).await;
    tickets.extend((0..7).map(|_| stage.ticket(2, LOW)));
    let report = stage.turn().await;
    assert_eq!((report.tickets.raised, report.held), (0, 1), "{report:?}");
    assert_eq!(stage.world.holds().await[0].count, 10);
    give(&stage.world, Answer::Approve).await;
    // A few more are no reason to ask once more.
    tickets.push(stage.ticket(2, LOW));
    assert_eq!(stage.turn().await.tickets.raised, 11);
    assert!(tickets.iter().all(|it| stage.priority(*it) == URGENT));
}

#[tokio::test]
async fn the_line_of_a_cycle_counts_tickets_of_customers_who_are_linked_in_it_too() {
    let rule = VIP.replace("urgent", "high");
    let mut stage = Stage::new(&rule).await;
    let first = stage.open_tickets(2);
    // Bob is a VIP in the CRM whose counterpart is found in the same cycle, after Ada's tickets rose.
    let bob = stage
        .world
        .desk_contact(&json!({"name": "Bob", "email": "bob@example.com"}));
    let second: Vec<u64> = (0..2).map(|_| stage.ticket_of(bob, None)).collect();
    stage.engine.guard(GUARDS);
    stage.vip();
    stage.person("bob", "vip");
    let report = stage.turn().await;
    assert_eq!((report.tickets.raised, report.held), (2, 1), "{report:?}");
    assert!(first.iter().all(|it| stage.priority(*it) == HIGH));
    assert!(second.iter().all(|it| stage.priority(*it) == LOW));
}

/// Thirty linked contacts of which Freshdesk has lost 25 without a trace, which a person believes.
async fn shrunk() -> (World, SimClock, Engine) {
    let (world, clock, mut engine, _) = people(30, 30).await;
    cycle(&mut engine).await;
    engine.guard(GUARDS);
    // As the daemon has it.
    engine.young = Some(TimeDelta::hours(18));
    clock.advance(TimeDelta::hours(24));
    for number in 0..25 {
        let email = format!("c{number}@acme.test");
        let there = world.desk_by_email(&email).id;
        world.desk.hard_delete_contact(there).unwrap();
    }
    clock.advance(TimeDelta::minutes(1));
    engine.cycle(true).await.unwrap();
    give(&world, Answer::Approve).await;
    clock.advance(TimeDelta::minutes(1));
    (world, clock, engine)
}

#[tokio::test]
async fn a_listing_that_a_person_believes_is_believed_until_all_were_asked_for() {
    let (world, clock, mut engine) = shrunk().await;
    let faults = &world.desk.backstage().faults;
    faults.inject("GET", "/api/v2/contacts/", Fault::Refuse(503), 1000);
    attempt(&mut engine).await;
    world.desk.backstage().faults.clear();
    clock.advance(TimeDelta::minutes(10));
    attempt(&mut engine).await;
    let holds = world.holds().await;
    assert_eq!(holds.len(), 25, "{holds:?}");
    assert!(holds.iter().all(|hold| hold.class == "delete"), "{holds:?}");
    clock.advance(TimeDelta::minutes(1));
    assert!(
        !cycle(&mut engine).await.reconcile,
        "everything is read again and again"
    );
}

#[tokio::test]
async fn an_answer_about_a_kind_that_is_not_mapped_any_more_does_not_read_everything_for_ever() {
    let (_world, clock, mut engine) = shrunk().await;
    engine
        .mappings
        .retain(|mapping| mapping.kind != Kind::Contact);
    attempt(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    assert!(!attempt(&mut engine).await.reconcile);
}
