//! Too many new records at once: nobody is created by the hundred before a person has looked.

use super::office::{GUARDS, Office, email};
use crate::world::{World, cycle, quiet, reconcile};
use chrono::TimeDelta;
use deskbridge::store::Answer;
use serde_json::json;

#[tokio::test]
async fn an_import_of_six_hundred_is_held_while_edits_go_on() {
    let mut office = Office::new().await;
    office.engine.guard(office.world.config().guards);
    office.import(600);
    office.edit(0..2, &[("phone", "+2")]);
    let report = office.turn().await;
    assert_eq!((report.created, report.updated), (0, 2), "{report:?}");
    let hold = office.only_hold().await;
    assert_eq!((hold.class.as_str(), hold.count), ("create", 600));
    assert_eq!(office.world.desk_count(), 10);
    // The next cycles do not plan them again, and other edits cross over.
    office.edit(2..4, &[("phone", "+2")]);
    assert_eq!(office.turn().await.updated, 2);
    office.answer(Answer::Approve).await;
    let report = office.turn().await;
    assert_eq!((report.created, report.held), (600, 0), "{report:?}");
    assert_eq!(office.world.desk_count(), 610);
    office.rests().await;
}

#[tokio::test]
async fn discarded_creates_stay_without_a_counterpart_until_one_appears() {
    let mut office = Office::new().await;
    office.import(6);
    assert_eq!(office.turn().await.held, 1);
    office.answer(Answer::Discard).await;
    office.rests().await;
    reconcile(&mut office.engine).await;
    office.rests().await;
    assert_eq!(
        (office.world.desk_count(), office.world.holds().await),
        (10, vec![])
    );
    let known = json!({"name": "N", "email": "new3@import.test"});
    office.world.desk_contact(&known);
    let report = office.turn().await;
    assert_eq!((report.linked, report.created), (1, 0), "{report:?}");
}

#[tokio::test]
async fn a_wrong_filter_creates_nobody_by_the_hundred() {
    let scope = |stage: &str| {
        format!("\n[contacts.scope]\ncrm = {{ field = \"lifecyclestage\", in = [{stage}] }}\n")
    };
    let mut office = Office::with(10, |world| {
        world.mapping.push_str(&scope("\"customer\""));
        for number in 10..20 {
            let stage = if number < 15 { "lead" } else { "customer" };
            world.crm_contact(&[
                ("email", &email(number)),
                ("firstname", "L"),
                ("lifecyclestage", stage),
            ]);
        }
        for number in 20..25 {
            world.crm_contact(&[
                ("email", &email(number)),
                ("firstname", "L"),
                ("lifecyclestage", "lead"),
            ]);
        }
    })
    .await;
    assert_eq!(office.world.desk_count(), 5);
    drop(office.engine);
    office.world.mapping =
        crate::world::wiring::MAPPING.to_owned() + &scope("\"customer\", \"lead\"");
    office.engine = office.world.timed_engine(&office.clock).await;
    office.engine.guard(GUARDS);
    let report = office.turn().await;
    assert_eq!((report.created, report.held), (0, 1), "{report:?}");
    assert_eq!(office.only_hold().await.count, 10);
    assert_eq!(office.world.desk_count(), 5);
}

#[tokio::test]
async fn a_first_sync_creates_nobody_before_it_is_approved_and_links_all_the_same() {
    for by_flag in [false, true] {
        let (world, clock) = World::timed().await;
        for number in 0..9 {
            world.crm_contact(&[("email", &email(number)), ("firstname", "C")]);
        }
        for number in 6..9 {
            world.desk_contact(&json!({"name": "C", "email": email(number)}));
        }
        let mut engine = world.timed_engine(&clock).await;
        engine.guard(GUARDS);
        let report = cycle(&mut engine).await;
        assert_eq!(
            (report.created, report.linked, report.held),
            (0, 3, 1),
            "{report:?}"
        );
        let holds = world.holds().await;
        assert!(holds[0].reason.contains("--approve-first"), "{holds:?}");
        clock.advance(TimeDelta::minutes(1));
        quiet(&mut engine).await;
        if by_flag {
            engine.approve_first();
        } else {
            world.answer(holds[0].id, Answer::Approve).await;
        }
        let report = cycle(&mut engine).await;
        assert_eq!((report.created, report.held), (6, 0), "{report:?}");
    }
}

#[tokio::test]
async fn a_first_sync_that_is_approved_beforehand_is_not_held() {
    let (world, clock) = World::timed().await;
    for number in 0..9 {
        world.crm_contact(&[("email", &email(number)), ("firstname", "C")]);
    }
    let mut engine = world.timed_engine(&clock).await;
    engine.guard(GUARDS);
    engine.approve_first();
    let report = cycle(&mut engine).await;
    assert_eq!((report.created, report.held), (9, 0), "{report:?}");
    // It was a first sync; the next flood is none.
    for number in 10..30 {
        world.crm_contact(&[("email", &email(number)), ("firstname", "C")]);
    }
    clock.advance(TimeDelta::minutes(1));
    let report = cycle(&mut engine).await;
    assert_eq!((report.created, report.held), (0, 1), "{report:?}");
}
