//! What fails in each cycle, for months: it stops nothing that does without it.

use crate::world::stage::{LOW, Stage, URGENT, VIP};
use crate::world::{World, attempt, cycle};
use chrono::TimeDelta;
use deskbridge::sandbox::faults::Fault;

#[tokio::test]
async fn a_listing_whose_place_the_server_does_not_know_any_more_keeps_nobodys_edits_back() {
    let (world, clock) = World::timed().await;
    let ada = world.crm_contact(&[("email", "ada@acme.test"), ("firstname", "Ada")]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    // A reading of everything was under way.
    world
        .execute(
            "UPDATE pass SET started_at = mark, cursor = 'live:expired'
             WHERE side = 'crm' AND kind = 'contact' AND feed = 'all'",
        )
        .await;
    world.crm_edit(ada, &[("phone", "+1")]);
    for _ in 0..2 {
        clock.advance(TimeDelta::minutes(1));
        attempt(&mut engine).await;
    }
    let there = world.desk_by_email("ada@acme.test");
    assert_eq!(there.phone.as_deref(), Some("+1"));
    let running = "SELECT count(*) FROM pass WHERE cursor IS NOT NULL";
    assert_eq!(world.count(running).await, 0);
}

#[tokio::test]
async fn tickets_rise_although_nobody_says_how_many_there_are() {
    let mut stage = Stage::new(VIP).await;
    for number in 0..25 {
        stage.person(&format!("vip{number}"), "standard");
    }
    stage.turn().await;
    let ticket = stage.ticket(2, LOW);
    let faults = &stage.world.desk.backstage().faults;
    faults.inject(
        "GET",
        "/api/v2/search/tickets",
        Fault::Refuse(403),
        u32::MAX,
    );
    for number in 0..25 {
        let email = format!("vip{number}@example.com");
        let crm = stage.world.crm.portal().contact_by_email(&email).unwrap();
        stage.world.crm_edit(crm, &[("customer_tier", "vip")]);
    }
    stage.vip();
    for _ in 0..2 {
        stage.clock.advance(TimeDelta::minutes(1));
        attempt(&mut stage.engine).await;
    }
    assert_eq!(stage.priority(ticket), URGENT);
}
