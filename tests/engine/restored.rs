//! A state that is an old copy of itself: put back from a backup, or moved here.

use crate::world::stage::{Stage, URGENT, VIP};
use crate::world::{World, cycle, quiet, reconcile};
use chrono::TimeDelta;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::Standing;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::sync::{CycleOutcome, Engine};
use serde_json::json;
use std::fs;
use std::path::PathBuf;

/// Two people on both sides, in step.
async fn people(policy: &str) -> (World, SimClock, Engine) {
    let (mut world, clock) = World::timed().await;
    world.remap("delete   = \"hold\"", &format!("delete   = \"{policy}\""));
    world.crm_person("Ada", &[("phone", "+1")]);
    world.crm_person("Bob", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(61));
    quiet(&mut engine).await;
    (world, clock, engine)
}

fn beside(world: &World, ending: &str) -> PathBuf {
    world.dir.path().join(format!("state.db{ending}"))
}

/// The state as it is now, in a file of its own.
async fn back_up(world: &World) -> PathBuf {
    let file = world.dir.path().join("backup.db");
    deskbridge::store::back_up(&world.state(), &file)
        .await
        .unwrap();
    file
}

/// Puts a backup in the place of the state; the engine that had it is gone.
async fn restore(world: &World, clock: &SimClock, engine: Engine, backup: &PathBuf) -> Engine {
    engine.store.close().await.unwrap();
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(beside(world, ending));
    }
    fs::copy(backup, world.state()).unwrap();
    world.timed_engine(clock).await
}

async fn restart(world: &World, clock: &SimClock, engine: Engine) -> Engine {
    engine.store.close().await.unwrap();
    world.timed_engine(clock).await
}

#[tokio::test]
async fn a_persons_return_to_an_older_value_is_not_overwritten_because_the_state_is_old() {
    let (world, clock, mut engine) = people("hold").await;
    let crm = world.crm_by_email("ada@acme.test");
    let desk = world.desk_by_email("ada@acme.test").id;
    let backup = back_up(&world).await;
    // +2 crosses over; then an agent takes it back, and before that is read the disk dies.
    world.crm_edit(crm, &[("phone", "+2")]);
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(cycle(&mut engine).await.updated, 1);
    clock.advance(TimeDelta::minutes(20));
    world.desk_edit(desk, &json!({"phone": "+1"}));
    let mut engine = restore(&world, &clock, engine, &backup).await;
    // To the old state it looks as if only the CRM had changed.
    let report = cycle(&mut engine).await;
    assert!(report.reconcile, "{report:?}");
    assert_eq!(world.desk_phone(desk), "+1");
    assert_eq!(world.crm_row(crm).properties["phone"], "+1");
    let said = world
        .text("SELECT fields FROM journal ORDER BY id DESC LIMIT 1")
        .await;
    assert!(
        said.unwrap().contains("newest"),
        "the loser is in the journal"
    );
    quiet(&mut engine).await;
    assert_eq!(reconcile(&mut engine).await.updated, 0);
}

#[tokio::test]
async fn nothing_is_deleted_on_the_word_of_an_old_state_neither_now_nor_later() {
    let (world, clock, mut engine) = people("propagate").await;
    let crm = world.crm_by_email("ada@acme.test");
    let desk = world.desk_by_email("ada@acme.test").id;
    let backup = back_up(&world).await;
    world.desk_edit(desk, &json!({"phone": "+3"}));
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(61));
    world.crm.portal().archive(CrmKind::Contact, crm).unwrap();
    let mut engine = restore(&world, &clock, engine, &backup).await;
    assert_eq!(cycle(&mut engine).await.deleted, 0);
    assert_eq!(world.holds().await.len(), 1);
    // An edit brings the pair up again, and so does a full read, with a state that is trusted.
    clock.advance(TimeDelta::minutes(1));
    world.desk_edit(desk, &json!({"phone": "+4"}));
    assert_eq!(cycle(&mut engine).await.deleted, 0);
    assert_eq!(reconcile(&mut engine).await.deleted, 0);
    assert_eq!(world.desk.contact(desk).unwrap().standing, Standing::Live);
    // When it comes back it is a record like any other, and may go for good.
    clock.advance(TimeDelta::minutes(61));
    world.crm.portal().restore(CrmKind::Contact, crm).unwrap();
    cycle(&mut engine).await;
    assert!(world.holds().await.is_empty());
    clock.advance(TimeDelta::minutes(61));
    world.crm.portal().archive(CrmKind::Contact, crm).unwrap();
    assert_eq!(cycle(&mut engine).await.deleted, 1);
}

#[tokio::test]
async fn what_was_made_since_the_backup_is_not_made_twice_even_without_an_address() {
    let (mut world, clock, mut engine) = people("hold").await;
    let backup = back_up(&world).await;
    world.crm_person("Cyd", &[]);
    let nameless = world.crm_contact(&[
        ("firstname", "No"),
        ("lastname", "Address"),
        ("phone", "+5"),
    ]);
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(cycle(&mut engine).await.created, 2);
    clock.advance(TimeDelta::minutes(20));
    let counted = world.contacts();
    let mut engine = restore(&world, &clock, engine, &backup).await;
    let report = cycle(&mut engine).await;
    assert_eq!((report.created, report.linked), (0, 1), "{report:?}");
    quiet(&mut engine).await;
    reconcile(&mut engine).await;
    assert_eq!(world.contacts(), counted);
    let why = world
        .texts("SELECT because FROM record WHERE standing = 'spared' ORDER BY side")
        .await;
    assert_eq!(why.len(), 2, "{why:?}");
    // Another mapping changes nothing about that, and an edit does.
    drop(engine);
    world.remap("direction = \"to_freshdesk\"\n", "");
    let mut engine = world.timed_engine(&clock).await;
    quiet(&mut engine).await;
    reconcile(&mut engine).await;
    assert_eq!(world.contacts(), counted);
    world.crm_edit(nameless, &[("phone", "+6")]);
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(cycle(&mut engine).await.created, 1);
    assert!(world.crm.portal().row(CrmKind::Contact, nameless).is_some());
}

#[tokio::test]
async fn who_was_made_since_the_backup_is_found_by_the_address_also_where_the_mapping_is_another() {
    let (mut world, clock, mut engine) = people("hold").await;
    let carl = world.crm_person("Carl", &[]);
    let faults = &world.desk.backstage().faults;
    faults.inject("POST", "/api/v2/contacts", Fault::Refuse(400), 50);
    clock.advance(TimeDelta::minutes(1));
    engine.cycle(false).await.unwrap();
    faults.clear();
    let backup = back_up(&world).await;
    world.crm_edit(carl, &[("phone", "+2")]);
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(cycle(&mut engine).await.created, 1);
    clock.advance(TimeDelta::minutes(10));
    world.remap("delete   = \"hold\"", "delete   = \"propagate\"");
    let mut engine = restore(&world, &clock, engine, &backup).await;
    assert!(engine.store.is_distrusted());
    world
        .desk
        .backstage()
        .faults
        .inject("GET", "/api/v2/contacts", Fault::Refuse(403), 2);
    engine.cycle(false).await.unwrap();
    // What could be read before and cannot now is waited for.
    assert!(engine.store.is_distrusted());
    world.desk.backstage().faults.clear();
    clock.advance(TimeDelta::minutes(10));
    let report = cycle(&mut engine).await;
    assert_eq!(report.linked, 1, "{report:?}");
    assert!(!engine.store.is_distrusted());
    world.crm_edit(carl, &[("phone", "+7")]);
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(cycle(&mut engine).await.updated, 1);
    let there = world.desk_by_email("carl@acme.test");
    assert_eq!(there.phone.as_deref(), Some("+7"));
}

#[tokio::test]
async fn an_old_state_writes_nothing_before_everything_was_read() {
    let (world, clock, mut engine) = people("hold").await;
    let crm = world.crm_by_email("ada@acme.test");
    let backup = back_up(&world).await;
    world.crm_edit(crm, &[("phone", "+2")]);
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(20));
    world.crm_edit(crm, &[("phone", "+6")]);
    let mut engine = restore(&world, &clock, engine, &backup).await;
    let faults = &world.desk.backstage().faults;
    faults.inject("GET", "/api/v2/companies", Fault::TornBody, 50);
    world.forget_calls();
    let report = engine.cycle(false).await.unwrap();
    assert_eq!(report.outcome, CycleOutcome::Incomplete, "{report:?}");
    assert_eq!(world.writes(), [""; 0]);
    faults.clear();
    // A new start does not make it any newer.
    let mut engine = restart(&world, &clock, engine).await;
    assert!(engine.store.is_distrusted());
    let report = cycle(&mut engine).await;
    assert!(report.reconcile && report.updated == 1, "{report:?}");
    assert!(!engine.store.is_distrusted());
    let mut engine = restart(&world, &clock, engine).await;
    assert!(!engine.store.is_distrusted());
    assert!(!cycle(&mut engine).await.reconcile);
}

#[tokio::test]
async fn a_copy_is_recognised_with_or_without_the_file_beside_it() {
    let (world, clock, engine) = people("hold").await;
    engine.store.close().await.unwrap();
    let mark = beside(&world, ".generation");
    let before = fs::read(&mark).unwrap();
    fs::remove_file(&mark).unwrap();
    let mut engine = world.timed_engine(&clock).await;
    assert!(engine.store.is_distrusted());
    assert!(cycle(&mut engine).await.reconcile);
    engine.store.close().await.unwrap();
    // The whole directory put back.
    fs::write(&mark, before).unwrap();
    let mut engine = world.timed_engine(&clock).await;
    assert!(engine.store.is_distrusted());
    let report = cycle(&mut engine).await;
    assert!(
        report.reconcile && report.updated + report.created == 0,
        "{report:?}"
    );
    // Renamed where it lies, it is still the same.
    engine.store.close().await.unwrap();
    let engine = world.timed_engine(&clock).await;
    assert!(!engine.store.is_distrusted());
}

#[tokio::test]
async fn a_restart_or_a_crash_is_not_taken_for_an_old_state() {
    let (world, clock, engine) = people("hold").await;
    // The power fails between the state and the file beside it.
    let mark = beside(&world, ".generation");
    let kept = world.dir.path().join("kept");
    fs::hard_link(&mark, &kept).unwrap();
    world.crm_contact(&[("email", "cyd@acme.test")]);
    let mut engine = restart(&world, &clock, engine).await;
    cycle(&mut engine).await;
    drop(engine);
    fs::rename(&kept, &mark).unwrap();
    let mut engine = world.timed_engine(&clock).await;
    assert!(!engine.store.is_distrusted());
    assert!(!cycle(&mut engine).await.reconcile);
}

#[tokio::test]
async fn an_update_of_the_program_does_not_read_everything_again() {
    let (world, clock, engine) = people("hold").await;
    engine.store.close().await.unwrap();
    // As an earlier version left it, which knew of no generations.
    world.execute("DELETE FROM generation").await;
    let mark = beside(&world, ".generation");
    let kept = fs::read(&mark).unwrap();
    fs::remove_file(&mark).unwrap();
    let mut engine = world.timed_engine(&clock).await;
    assert!(!engine.store.is_distrusted());
    assert!(!cycle(&mut engine).await.reconcile);
    engine.store.close().await.unwrap();
    // But a backup from before the update is an old copy like any other.
    world.execute("DELETE FROM generation").await;
    fs::write(&mark, kept).unwrap();
    let engine = world.timed_engine(&clock).await;
    assert!(engine.store.is_distrusted());
}

#[tokio::test]
async fn a_foreign_state_is_not_touched_even_where_it_looks_old() {
    let (world, _clock, engine) = people("hold").await;
    engine.store.close().await.unwrap();
    fs::remove_file(beside(&world, ".generation")).unwrap();
    let mut store = deskbridge::store::Store::open(&world.state())
        .await
        .unwrap();
    let others = deskbridge::model::Pair {
        crm: "hubspot:1".to_owned(),
        desk: "freshdesk:other".to_owned(),
    };
    store.belongs_to(&others).await.unwrap_err();
    store.close().await.unwrap();
    assert_eq!(
        world
            .count("SELECT count(*) FROM record WHERE base = '{}'")
            .await,
        0
    );
    assert!(!beside(&world, ".generation").exists());
}

#[tokio::test]
async fn a_state_whose_journal_lost_its_end_says_so_and_reads_everything_before_it_writes() {
    let (world, clock, engine) = people("hold").await;
    engine.store.close().await.unwrap();
    world.execute("DELETE FROM journal").await;
    let mut engine = world.timed_engine(&clock).await;
    let said = engine.store.take_sayings();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("journal"), "{said:?}");
    assert!(engine.store.is_distrusted());
    assert!(cycle(&mut engine).await.reconcile);
    assert!(!engine.store.is_distrusted());
}

/// Ada's ticket was raised and told of, and Ada is in step; then the program starts again after `harm`.
async fn started_after(harm: &'static str) -> (World, SimClock, Engine) {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket_of(stage.ada_desk, None);
    stage.tier("vip");
    stage.turn().await;
    stage.turn().await;
    assert_eq!((stage.priority(ticket), stage.notes(ticket)), (URGENT, 1));
    let Stage {
        world,
        clock,
        engine,
        ..
    } = stage;
    engine.store.close().await.unwrap();
    world.execute(harm).await;
    let engine = world.timed_engine(&clock).await;
    (world, clock, engine)
}

#[tokio::test]
async fn a_journal_that_somebody_took_rows_out_of_says_so_once_whatever_they_were_about() {
    for harm in [
        "DELETE FROM journal WHERE kind = 'ticket' AND id < (SELECT max(id) FROM journal)",
        "DELETE FROM journal WHERE kind = 'contact' AND id < (SELECT max(id) FROM journal)",
    ] {
        let (world, clock, mut engine) = started_after(harm).await;
        // A command that does nothing but look has nobody to tell.
        engine.store.close().await.unwrap();
        engine = world.timed_engine(&clock).await;
        assert!(!engine.store.is_distrusted(), "{harm}");
        cycle(&mut engine).await;
        assert_eq!(engine.store.take_sayings(), [""; 0]);
        engine.store.close().await.unwrap();
        let mut engine = world.timed_engine(&clock).await;
        assert_eq!(engine.store.take_sayings(), [""; 0], "{harm}: it was told");
        engine.store.close().await.unwrap();
    }
    let (_, _, mut engine) = started_after(
        "DELETE FROM journal WHERE kind = 'ticket' AND id < (SELECT max(id) FROM journal)",
    )
    .await;
    let said = engine.store.take_sayings();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("rows of the journal are gone"), "{said:?}");
}

#[tokio::test]
async fn rows_that_grew_too_old_are_missed_by_nobody() {
    let (world, clock, mut engine) = started_after("SELECT 1").await;
    engine.keep(std::time::Duration::from_hours(24));
    clock.advance(TimeDelta::days(3));
    let before = world.count("SELECT count(*) FROM journal").await;
    cycle(&mut engine).await;
    assert!(world.count("SELECT count(*) FROM journal").await < before);
    engine.store.close().await.unwrap();
    let mut engine = world.timed_engine(&clock).await;
    assert_eq!(engine.store.take_sayings(), [""; 0]);
}

#[tokio::test]
async fn a_ticket_that_rose_since_the_backup_is_neither_lowered_nor_told_twice_of() {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket_of(stage.ada_desk, None);
    let backup = back_up(&stage.world).await;
    stage.tier("vip");
    stage.turn().await;
    assert_eq!((stage.priority(ticket), stage.notes(ticket)), (URGENT, 1));
    stage.clock.advance(TimeDelta::minutes(61));
    let Stage {
        world,
        clock,
        engine,
        ..
    } = stage;
    let mut engine = restore(&world, &clock, engine, &backup).await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    quiet(&mut engine).await;
    let shown = world.desk.ticket(ticket).unwrap();
    assert_eq!(
        (shown.priority, shown.tags),
        (URGENT, vec!["vip".to_owned()])
    );
    assert_eq!(world.desk.conversations(ticket).len(), 1);
}
