//! An answer that was given about one mapping, or one rule, is none about another; nor is one of yesterday in a state
//! that comes out of a backup.

use super::office::{GUARDS, Office};
use crate::world::stage::{LOW, Stage, VIP};
use crate::world::{attempt, cycle};
use chrono::TimeDelta;
use deskbridge::sandbox::faults::Fault;
use deskbridge::store::{Answer, Answers, back_up};
use std::fs;

/// Thirty of forty changes that were approved, and that Freshdesk did not take for a while.
async fn approved_in_vain() -> Office {
    let mut office = Office::with(40, |_| ()).await;
    office.edit(0..30, &[("phone", "+2")]);
    office.turn().await;
    assert_eq!(office.only_hold().await.count, 30);
    office.answer(Answer::Approve).await;
    let faults = &office.world.desk.backstage().faults;
    faults.inject("PUT", "/api/v2/contacts", Fault::Refuse(503), u32::MAX);
    office.clock.advance(TimeDelta::minutes(1));
    attempt(&mut office.engine).await;
    office.world.desk.backstage().faults.clear();
    assert_eq!(office.showing("+2"), 0);
    office
}

#[tokio::test]
async fn what_was_approved_under_one_mapping_is_not_written_under_another_without_a_question() {
    let office = approved_in_vain().await;
    let phone = "freshdesk = \"phone\"";
    let mut office = office.remapped(phone, "freshdesk = \"mobile\"").await;
    for _ in 0..3 {
        office.clock.advance(TimeDelta::hours(2));
        attempt(&mut office.engine).await;
    }
    let contacts = office.world.desk.contacts();
    let written = contacts.iter().filter(|it| it.mobile.is_some()).count();
    assert_eq!(written, 0);
    assert_eq!(office.only_hold().await.count, 40);
}

#[tokio::test]
async fn what_was_approved_before_a_backup_is_not_approved_once_more_by_putting_it_back() {
    let mut office = approved_in_vain().await;
    let backup = office.world.dir.path().join("backup.db");
    back_up(&office.world.state(), &backup).await.unwrap();
    office.clock.advance(TimeDelta::hours(2));
    attempt(&mut office.engine).await;
    assert_eq!(office.showing("+2"), 30);
    // Another import, of which nobody has said anything.
    office.edit(0..30, &[("phone", "+3")]);
    office.turn().await;
    assert_eq!(office.only_hold().await.count, 30);
    office.engine.store.close().await.unwrap();
    for ending in ["", "-wal", "-shm"] {
        let file = office.world.dir.path().join(format!("state.db{ending}"));
        let _ = fs::remove_file(file);
    }
    fs::copy(backup, office.world.state()).unwrap();
    let mut engine = office.world.timed_engine(&office.clock).await;
    engine.guard(GUARDS);
    for _ in 0..3 {
        office.clock.advance(TimeDelta::hours(2));
        attempt(&mut engine).await;
    }
    assert_eq!(office.world.holds().await.len(), 1);
    let contacts = office.world.desk.contacts();
    let written = contacts
        .iter()
        .filter(|it| it.phone.as_deref() == Some("+3"));
    assert_eq!(written.count(), 0);
}

#[tokio::test]
async fn what_was_approved_of_one_rule_is_not_done_by_another_without_a_question() {
    let mut stage = Stage::new(VIP).await;
    stage.engine.guard(GUARDS);
    let tickets: Vec<u64> = (0..5).map(|_| stage.ticket(2, LOW)).collect();
    stage.vip();
    stage.turn().await;
    let held = stage.world.holds().await;
    assert_eq!(held.len(), 1, "{held:?}");
    let mut answers = Answers::open(&stage.world.state()).await.unwrap();
    let given = [(held[0].id, Answer::Approve)];
    assert_eq!(answers.give(&given).await.unwrap(), Ok(()));
    stage
        .world
        .remap("priority = \"urgent\"", "priority = \"high\"");
    let rules = stage.world.config().ticket_rules;
    stage.engine.rule(rules);
    stage.clock.advance(TimeDelta::minutes(1));
    cycle(&mut stage.engine).await;
    let low = tickets.iter().filter(|it| stage.priority(**it) == LOW);
    assert_eq!(low.count(), tickets.len());
    let now = stage.world.holds().await;
    assert_eq!(now.len(), 1, "{now:?}");
    assert_ne!(now[0].id, held[0].id);
}
