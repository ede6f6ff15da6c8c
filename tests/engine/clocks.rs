//! Our own clock is wrong by hours or weeks, or was: a machine without time service, or one whose clock was set
//! right.

use super::office::{GUARDS, Office};
use crate::world::stage::{LOW, Stage, URGENT, VIP};
use crate::world::{World, attempt, cycle};
use chrono::TimeDelta;
use deskbridge::model::{Kind, Side};
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::store::PassKind;
use deskbridge::sync::Engine;
use serde_json::json;
use std::time::Duration;

/// A clock that is so far ahead of another.
fn ahead(clock: &SimClock, by: TimeDelta) -> SimClock {
    SimClock::manual(clock.now() + by)
}

/// When the last reading of all contacts in Freshdesk that came to its end began.
async fn read_at(engine: &mut Engine) -> i64 {
    let pass = engine
        .store
        .pass(Side::Desk, Kind::Contact, PassKind::All)
        .await;
    pass.unwrap().mark.unwrap()
}

#[tokio::test]
async fn a_clock_that_is_hours_ahead_keeps_no_reading_of_everything_from_its_end() {
    let (world, clock) = World::timed().await;
    for number in 0..250 {
        let email = format!("p{number}@acme.test");
        world.crm_contact(&[("email", &email), ("firstname", "P")]);
    }
    let ours = ahead(&clock, TimeDelta::hours(8));
    let mut engine = world.timed_engine(&ours).await;
    cycle(&mut engine).await;
    for time in [&clock, &ours] {
        time.advance(TimeDelta::hours(24));
    }
    // No cycle has time for more than a page.
    engine.slice = Some(Duration::ZERO);
    attempt(&mut engine).await;
    let before = read_at(&mut engine).await;
    engine.cycle(true).await.unwrap();
    for _ in 0..6 {
        for time in [&clock, &ours] {
            time.advance(TimeDelta::minutes(1));
        }
        attempt(&mut engine).await;
    }
    assert!(
        read_at(&mut engine).await > before,
        "it begins anew in each cycle"
    );
}

#[tokio::test]
async fn what_failed_while_the_clock_was_a_month_ahead_does_not_wait_for_that_month() {
    let (world, clock) = World::timed().await;
    let ours = ahead(&clock, TimeDelta::days(30));
    let mut engine = world.timed_engine(&ours).await;
    cycle(&mut engine).await;
    world.crm_contact(&[("email", "ada@acme.test"), ("firstname", "Ada")]);
    let faults = &world.desk.backstage().faults;
    faults.inject("POST", "/api/v2/contacts", Fault::Refuse(400), 1);
    for time in [&clock, &ours] {
        time.advance(TimeDelta::minutes(1));
    }
    attempt(&mut engine).await;
    assert_eq!(world.parked().await.len(), 1);
    // Somebody sets the clock right.
    clock.advance(TimeDelta::hours(30));
    ours.set(clock.now());
    cycle(&mut engine).await;
    assert_eq!(world.desk_count(), 1);
    assert_eq!(world.parked().await, []);
}

#[tokio::test]
async fn a_ticket_that_was_refused_while_the_clock_was_a_month_ahead_does_not_wait_for_that_month()
{
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket(2, LOW);
    let ours = ahead(&stage.clock, TimeDelta::days(30));
    stage.engine = {
        drop(stage.engine);
        stage.world.timed_engine(&ours).await
    };
    cycle(&mut stage.engine).await;
    stage.clock.advance(TimeDelta::minutes(1));
    let faults = &stage.world.desk.backstage().faults;
    faults.inject("PUT", "/api/v2/tickets", Fault::Refuse(400), 1);
    stage.vip();
    attempt(&mut stage.engine).await;
    assert_eq!(stage.priority(ticket), LOW);
    stage.clock.advance(TimeDelta::hours(30));
    ours.set(stage.clock.now());
    attempt(&mut stage.engine).await;
    assert_eq!(stage.priority(ticket), URGENT);
}

#[tokio::test]
async fn tickets_of_a_job_whose_answer_was_lost_while_the_clock_was_a_month_ahead_rise_all_the_same()
 {
    let mut stage = Stage::new(VIP).await;
    let tickets: Vec<u64> = (0..10).map(|_| stage.ticket(2, LOW)).collect();
    let ours = ahead(&stage.clock, TimeDelta::days(30));
    stage.engine = {
        drop(stage.engine);
        stage.world.timed_engine(&ours).await
    };
    cycle(&mut stage.engine).await;
    stage.clock.advance(TimeDelta::minutes(1));
    let faults = &stage.world.desk.backstage().faults;
    faults.inject(
        "POST",
        "/api/v2/tickets/bulk_update",
        Fault::DropBefore,
        u32::MAX,
    );
    stage.vip();
    attempt(&mut stage.engine).await;
    assert_eq!(stage.priority(tickets[0]), LOW);
    stage.world.desk.backstage().faults.clear();
    ours.set(stage.clock.now());
    for _ in 0..3 {
        for time in [&stage.clock, &ours] {
            time.advance(TimeDelta::minutes(1));
        }
        attempt(&mut stage.engine).await;
    }
    let low = tickets.iter().filter(|it| stage.priority(**it) == LOW);
    assert_eq!(low.count(), 0);
}

#[tokio::test]
async fn what_was_written_while_the_clock_was_a_month_ahead_is_no_fight_of_today() {
    let mut office = Office::new().await;
    let (world, person) = (&office.world, office.people[0]);
    let there = world.desk_by_email("c0@acme.test").id;
    let now = office.clock.now();
    // The systems' clocks are ours here: what they stamp meanwhile does not matter.
    let ours = ahead(&office.clock, TimeDelta::days(30));
    drop(office.engine);
    office.engine = world.timed_engine(&ours).await;
    office.engine.guard(GUARDS);
    cycle(&mut office.engine).await;
    office.clock.advance(TimeDelta::minutes(1));
    world.crm_edit(person, &[("phone", "+2")]);
    cycle(&mut office.engine).await;
    assert_eq!(office.showing("+2"), 1);
    ours.set(now + TimeDelta::days(2));
    office.clock.set(now + TimeDelta::days(2));
    world
        .desk
        .edit_contact(there, &json!({"phone": "+3"}))
        .unwrap();
    cycle(&mut office.engine).await;
    assert_eq!(world.crm_row(person).properties["phone"], "+3");
    for time in [&office.clock, &ours] {
        time.advance(TimeDelta::minutes(20));
    }
    // Two days after the first time.
    world.crm_edit(person, &[("phone", "+2")]);
    cycle(&mut office.engine).await;
    assert_eq!(world.holds().await, []);
    assert_eq!(office.showing("+2"), 1);
}
