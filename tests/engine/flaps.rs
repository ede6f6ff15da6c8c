//! Fields that two systems fight over wait for a person; everything else goes on.

use super::known::Known;
use crate::world::{World, attempt, cycle, quiet};
use chrono::TimeDelta;
use deskbridge::model::Side;
use deskbridge::sandbox::faults::Fault;
use deskbridge::store::Answer;
use serde_json::json;

/// A world with one customer, whose engine guards.
async fn customer(before: impl FnOnce(&mut World)) -> Known {
    let (mut world, clock) = World::timed().await;
    before(&mut world);
    let crm = world.crm_person("Ada", &[("phone", "+49 0")]);
    let mut engine = world.timed_engine(&clock).await;
    engine.guard(world.config().guards);
    cycle(&mut engine).await;
    let desk = world.desk_by_email("ada@acme.test").id;
    (world, clock, engine, crm, desk)
}

/// A customer whose number the CRM set to 1, and an automation of Freshdesk's back to 0.
async fn quarrel(before: impl FnOnce(&mut World)) -> Known {
    let (world, clock, mut engine, crm, desk) = customer(before).await;
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(crm, &[("phone", "+49 1")]);
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    set_back(&world, desk, "+49 0");
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    (world, clock, engine, crm, desk)
}

/// A customer whose number is fought over, and held.
async fn fight() -> Known {
    let (world, clock, mut engine, crm, desk) = quarrel(|_| {}).await;
    world.crm_edit(crm, &[("phone", "+49 1")]);
    assert_eq!(cycle(&mut engine).await.updated, 0);
    (world, clock, engine, crm, desk)
}

fn set_back(world: &World, desk: u64, phone: &str) {
    world.desk_edit(desk, &json!({"phone": phone}));
}

#[tokio::test]
async fn two_systems_that_overrule_each_other_do_not_burn_the_budget_for_ever() {
    let (world, clock, mut engine, crm, desk) = customer(|_| {}).await;
    let mut written = 0;
    for round in 0..6 {
        clock.advance(TimeDelta::minutes(1));
        world.crm_edit(
            crm,
            &[("phone", "+49 1"), ("jobtitle", &format!("Job {round}"))],
        );
        written += cycle(&mut engine).await.updated;
        // An automation of Freshdesk's wants the other number.
        clock.advance(TimeDelta::seconds(5));
        set_back(&world, desk, "+49 0");
        clock.advance(TimeDelta::minutes(1));
        written += cycle(&mut engine).await.updated;
    }
    // The title of each round crosses over; the number does twice, there and back.
    assert!(written <= 6 + 3, "{written} writes");
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(holds.first().unwrap().class, "flap");
    let reason = &holds.first().unwrap().reason;
    assert!(reason.contains("`phone` goes back and forth"), "{reason}");
    let title = world.desk_by_email("ada@acme.test").job_title;
    assert_eq!(title.as_deref(), Some("Job 5"));
}

#[tokio::test]
async fn a_field_that_was_fought_over_is_written_once_more_when_a_person_says_so() {
    for (given, phone) in [(Answer::Approve, "+49 1"), (Answer::Discard, "+49 0")] {
        let (world, clock, mut engine, _, _) = fight().await;
        answer(&world, given).await;
        clock.advance(TimeDelta::minutes(1));
        cycle(&mut engine).await;
        let shown = world.desk_by_email("ada@acme.test").phone;
        assert_eq!(shown.as_deref(), Some(phone));
        assert!(world.holds().await.is_empty(), "{:?}", world.holds().await);
        for _ in 0..3 {
            clock.advance(TimeDelta::minutes(40));
            quiet(&mut engine).await;
        }
    }
}

#[tokio::test]
async fn a_server_that_rewrites_what_it_is_given_raises_no_alarm() {
    use deskbridge::sandbox::freshdesk::{Options, Quirks};
    let options = Options {
        quirks: Quirks {
            rewrites: true,
            ..Quirks::default()
        },
        ..Options::default()
    };
    let (world, clock) = World::timed_with(options).await;
    let crm = world.crm_contact(&[("email", "Ada@Acme.test"), ("firstname", " Ada ")]);
    let mut engine = world.timed_engine(&clock).await;
    engine.guard(world.config().guards);
    cycle(&mut engine).await;
    for round in 0..6 {
        clock.advance(TimeDelta::minutes(2));
        world.crm_edit(crm, &[("phone", &format!(" +49 30 {round} "))]);
        cycle(&mut engine).await;
    }
    assert!(world.holds().await.is_empty(), "{:?}", world.holds().await);
}

async fn answer(world: &World, answer: Answer) {
    world.answer(world.only_hold().await.id, answer).await;
}

#[tokio::test]
async fn an_approval_outlasts_a_write_that_fails_and_not_one_that_succeeds() {
    let (world, clock, mut engine, crm, desk) = fight().await;
    answer(&world, Answer::Approve).await;
    let faults = &world.desk.backstage().faults;
    faults.inject("PUT", "/api/v2/contacts", Fault::Refuse(503), 1000);
    clock.advance(TimeDelta::minutes(1));
    attempt(&mut engine).await;
    world.desk.backstage().faults.clear();
    assert_eq!(world.desk_by_email("ada@acme.test").phone.unwrap(), "+49 0");
    clock.advance(TimeDelta::minutes(20));
    attempt(&mut engine).await;
    assert_eq!(world.desk_by_email("ada@acme.test").phone.unwrap(), "+49 1");
    assert!(world.holds().await.is_empty(), "{:?}", world.holds().await);
    // What comes back at once is another fight, and another question.
    clock.advance(TimeDelta::seconds(5));
    set_back(&world, desk, "+49 0");
    world.crm_edit(crm, &[("phone", "+49 1"), ("jobtitle", "Count")]);
    clock.advance(TimeDelta::minutes(1));
    for _ in 0..3 {
        attempt(&mut engine).await;
        clock.advance(TimeDelta::minutes(1));
        set_back(&world, desk, "+49 0");
    }
    assert_eq!(world.holds().await.len(), 1, "{:?}", world.holds().await);
}

#[tokio::test]
async fn a_discarded_fight_stays_discarded_when_the_other_side_is_written_at_the_same_time() {
    let (world, clock, mut engine, _, desk) = fight().await;
    answer(&world, Answer::Discard).await;
    let title = json!({"job_title": "Duke"});
    world.desk_edit(desk, &title);
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(cycle(&mut engine).await.updated, 1);
    for _ in 0..2 {
        clock.advance(TimeDelta::minutes(1));
        quiet(&mut engine).await;
        assert!(world.holds().await.is_empty(), "{:?}", world.holds().await);
    }
    assert_eq!(world.desk_by_email("ada@acme.test").phone.unwrap(), "+49 0");
}

#[tokio::test]
async fn whoever_has_decided_a_conflict_is_not_asked_again_about_a_fight() {
    let asking = |world: &mut World| world.remap("conflict = \"newest\"", "conflict = \"hold\"");
    let (world, clock, mut engine, crm, desk) = quarrel(asking).await;
    world.crm_edit(crm, &[("phone", "+49 1")]);
    set_back(&world, desk, "+49 2");
    cycle(&mut engine).await;
    assert_eq!(world.holds().await.first().unwrap().class, "conflict");
    answer(&world, Answer::Take(Side::Crm)).await;
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    assert_eq!(world.desk_by_email("ada@acme.test").phone.unwrap(), "+49 1");
    assert!(world.holds().await.is_empty(), "{:?}", world.holds().await);
}
