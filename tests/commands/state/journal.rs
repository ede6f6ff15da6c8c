//! How long the journal is kept, and what is kept longer.

use crate::world::stage::{Stage, URGENT, VIP};
use crate::world::{World, attempt, cycle};
use chrono::TimeDelta;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::store::Store;
use deskbridge::sync::Engine;
use std::time::Duration;

/// A cycle at a later time, by an engine that keeps the journal for so many days.
async fn later(clock: &SimClock, engine: &mut Engine, days: i64) {
    clock.advance(TimeDelta::days(days));
    cycle(engine).await;
}

#[tokio::test]
async fn the_journal_is_kept_for_as_long_as_the_file_says_and_what_is_still_needed_longer() {
    let (mut world, clock) = World::timed().await;
    world.remap("values    = { vip = \"VIP\", standard = \"Standard\" }", "");
    let ada = world.crm_person("Ada", &[]);
    world.crm_person("Bad", &[("customer_tier", "vip")]);
    let mut engine = world.timed_engine(&clock).await;
    engine.keep(Duration::from_hours(10 * 24));
    attempt(&mut engine).await;
    let rows = "SELECT count(*) FROM journal";
    assert_eq!(world.count(rows).await, 2);
    later(&clock, &mut engine, 9).await;
    world.crm_edit(ada, &[("phone", "+1")]);
    cycle(&mut engine).await;
    let before = world.count(rows).await;
    later(&clock, &mut engine, 2).await;
    // Ada's creation is forgotten, her edit is not, nor what is still parked.
    let kept = world
        .texts("SELECT action || ' ' || coalesce(outcome, '') FROM journal ORDER BY id")
        .await;
    assert!(world.count(rows).await < before, "{kept:?}");
    assert!(kept.contains(&"update done".to_owned()), "{kept:?}");
    assert!(!kept.contains(&"create done".to_owned()), "{kept:?}");
    assert_eq!(world.parked().await.len(), 1);
    assert_eq!(
        world
            .count("SELECT count(*) FROM outbox WHERE journal NOT IN (SELECT id FROM journal)")
            .await,
        0
    );
    // However long nothing happens, numbers are not used again, and the last row stays.
    let last = world.count("SELECT max(id) FROM journal").await;
    later(&clock, &mut engine, 30).await;
    assert!(world.count("SELECT max(id) FROM journal").await >= last);
    assert!(world.count("SELECT count(*) FROM cycle").await >= 1);
    engine.store.close().await.unwrap();
    let engine = world.timed_engine(&clock).await;
    assert!(!engine.store.is_distrusted());
}

#[tokio::test]
async fn a_long_journal_is_pruned_in_parts_and_ticket_counts_survive_it() {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket_of(stage.ada_desk, None);
    stage.tier("vip");
    stage.turn().await;
    assert_eq!(
        stage.world.report().await.tickets().await.unwrap().raised,
        1
    );
    stage.world.execute("INSERT INTO journal (cycle, at, side, kind, action, fields) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) SELECT 1, '2020-01-01T00:00:00.000Z', 'crm', 'contact', 'update', '[]' FROM n").await;
    stage
        .world
        .execute("UPDATE journal SET at = '2020-01-01T00:00:00.000Z'")
        .await;
    let keep = Duration::from_hours(48);
    let store: &mut Store = &mut stage.engine.store;
    let now = stage.clock.now();
    let first = store.prune(now, keep).await.unwrap();
    assert!(first < 60_000, "one cycle would take long");
    let second = store.prune(now, keep).await.unwrap();
    assert!(second > 0, "the rest would be kept for ever");
    assert_eq!(store.prune(now, keep).await.unwrap(), 0, "once a day");
    assert_eq!(stage.world.count("SELECT count(*) FROM journal").await, 1);
    assert_eq!(
        stage.world.report().await.tickets().await.unwrap().raised,
        1
    );
    assert_eq!(stage.priority(ticket), URGENT);
}
