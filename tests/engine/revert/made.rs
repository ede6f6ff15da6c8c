//! Records that a run has made: they stay until somebody says that they go, and then they stay away.

use super::{Scene, run};
use crate::world::hooked::Hook;
use crate::world::{World, attempt};
use chrono::TimeDelta;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::Standing;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::store::Which;
use deskbridge::sync::revert::Selection;
use serde_json::json;
use std::sync::Arc;

/// Run `number`, with what it has made.
fn with_made(number: i64) -> Selection {
    Selection {
        delete_created: true,
        ..run(number)
    }
}

#[tokio::test]
async fn a_record_that_was_made_stays_until_somebody_says_that_it_goes_and_then_stays_away() {
    let mut scene = Scene::new().await;
    let bob = scene.world.crm_person("Bob", &[]);
    let number = scene.turn().await;
    let there = scene.world.desk_by_email("bob@acme.test").id;
    let undoing = scene.undo(run(number)).await;
    assert_eq!((undoing.writes.len(), undoing.kept.len()), (0, 1));
    let away = Selection {
        delete_created: true,
        ..run(number)
    };
    let (_, applied) = scene.revert(away).await;
    assert!(applied.is_whole(), "{applied:?}");
    assert_eq!(applied.report.deleted, 1);
    let gone = scene.world.desk.contact(there).unwrap().standing;
    assert_eq!(gone, Standing::Deleted);
    scene.rests().await;
    // Not even when the record that it was made for is edited, nor when everything is read again.
    scene.world.crm_edit(bob, &[("phone", "+5")]);
    scene.rests().await;
    assert_eq!(scene.world.desk_count(), 1);
    assert!(!scene.world.crm_row(bob).archived);
}

#[tokio::test]
async fn a_record_that_was_made_and_that_somebody_has_worked_on_is_not_deleted() {
    let mut scene = Scene::new().await;
    for name in ["bob", "eve", "dan"] {
        let email = format!("{name}@acme.test");
        scene
            .world
            .crm_contact(&[("email", &email), ("firstname", name)]);
    }
    let number = scene.turn().await;
    let desk = |name: &str| scene.world.desk_by_email(&format!("{name}@acme.test")).id;
    let (bob, eve) = (desk("bob"), desk("eve"));
    // One edit that nobody has read yet, and one that went across already.
    scene.world.desk_edit(bob, &json!({"phone": "+7"}));
    scene.turn().await;
    scene.world.desk_edit(eve, &json!({"phone": "+8"}));
    let away = Selection {
        delete_created: true,
        ..run(number)
    };
    let (undoing, applied) = scene.revert(away).await;
    assert_eq!(undoing.left.len(), 2, "{undoing:?}");
    assert_eq!(applied.report.deleted, 1);
    assert_eq!(scene.world.desk_count(), 3);
}

#[tokio::test]
async fn a_company_that_was_made_in_a_system_without_a_trash_is_never_deleted_for_good() {
    let mut scene = Scene::new().await;
    scene
        .world
        .crm_company(&[("name", "Acme"), ("domain", "acme.test")]);
    let number = scene.turn().await;
    assert_eq!(scene.world.desk.companies().len(), 1);
    let away = Selection {
        delete_created: true,
        ..run(number)
    };
    let undoing = scene.undo(away).await;
    assert_eq!(undoing.writes, []);
    assert!(undoing.left[0].why.contains("no trash"), "{undoing:?}");
}

#[tokio::test]
async fn a_record_whose_removal_is_refused_is_not_made_a_second_time_on_the_other_side() {
    let mut scene = Scene::new().await;
    // One who has no key to be found by again, and one who has.
    scene.world.crm_contact(&[
        ("firstname", "Call"),
        ("lastname", "Er"),
        ("phone", "+49 30 6"),
    ]);
    let bob = scene.world.crm_person("Bob", &[]);
    let number = scene.turn().await;
    assert_eq!(scene.world.desk_count(), 3);
    let faults = &scene.world.desk.backstage().faults;
    faults.inject("DELETE", "/api/v2/contacts", Fault::Refuse(400), 2);
    let (_, applied) = scene.revert(with_made(number)).await;
    assert_eq!(
        (applied.left.len(), applied.report.deleted),
        (2, 0),
        "{applied:?}"
    );
    scene.clock.advance(TimeDelta::hours(2));
    attempt(&mut scene.engine).await;
    scene.rests().await;
    let count = scene.world.crm.portal().count(CrmKind::Contact);
    assert_eq!((count, scene.world.desk_count()), (3, 3));
    assert_eq!(scene.world.parked().await, []);
    // Who can be found again is in step again.
    scene.world.crm_edit(bob, &[("phone", "+5")]);
    scene.turn().await;
    let there = scene.world.desk_by_email("bob@acme.test");
    assert_eq!(there.phone.as_deref(), Some("+5"));
}

#[tokio::test]
async fn a_record_that_was_taken_back_stays_away_although_its_source_was_written_as_well() {
    let mut scene = Scene::new().await;
    scene.clock.advance(TimeDelta::hours(1));
    let since = Some(scene.engine.clock.now());
    let bob = scene.world.crm_person("Bob", &[]);
    scene.turn().await;
    let there = scene.world.desk_by_email("bob@acme.test").id;
    let edit = json!({"job_title": "Boss"});
    scene.world.desk_edit(there, &edit);
    scene.turn().await;
    let title = |scene: &Scene| scene.world.crm_row(bob).properties.get("jobtitle").cloned();
    assert_eq!(title(&scene).as_deref(), Some("Boss"));
    let away = Selection {
        which: Which { run: None, since },
        delete_created: true,
        ..Selection::default()
    };
    let (_, applied) = scene.revert(away).await;
    assert!(applied.is_whole(), "{applied:?}");
    assert_eq!((applied.report.deleted, applied.report.updated), (1, 1));
    scene.rests().await;
    scene.world.crm_edit(bob, &[("phone", "+5")]);
    scene.rests().await;
    assert_eq!(scene.world.desk_count(), 1);
}

#[tokio::test]
async fn a_record_whose_creation_got_no_answer_can_be_taken_back_once_it_was_found() {
    for email in ["bob@acme.test", ""] {
        let mut scene = Scene::new().await;
        scene.world.crm_contact(&[
            ("email", email),
            ("firstname", "Bob"),
            ("phone", "+49 30 7"),
        ]);
        let faults = &scene.world.desk.backstage().faults;
        faults.inject("POST", "/api/v2/contacts", Fault::DropAfter, 1);
        scene.clock.advance(TimeDelta::minutes(1));
        let number = attempt(&mut scene.engine).await.id;
        for _ in 0..4 {
            scene.clock.advance(TimeDelta::minutes(7));
            attempt(&mut scene.engine).await;
        }
        assert_eq!(scene.world.desk_count(), 2);
        let undoing = scene.undo(run(number)).await;
        assert_eq!(
            (undoing.kept.len(), undoing.left.len()),
            (1, 0),
            "{undoing:?}"
        );
        let (_, applied) = scene.revert(with_made(number)).await;
        assert!(applied.is_whole(), "{applied:?}");
        assert_eq!(scene.world.desk_count(), 1);
        scene.rests().await;
    }
}

#[tokio::test]
async fn a_removal_that_somebody_else_was_first_with_does_not_stay_failed_for_ever() {
    let mut scene = Scene::new().await;
    scene.world.crm_person("Bob", &[]);
    let number = scene.turn().await;
    let there = scene.world.desk_by_email("bob@acme.test").id;
    let (mut scene, hooked) = scene.hooked().await;
    let freshdesk = Arc::clone(&scene.world.desk);
    hooked.hook(Hook::Before(Arc::new(move || {
        freshdesk.delete_contact(there).unwrap();
    })));
    scene.revert(with_made(number)).await;
    for _ in 0..3 {
        scene.clock.advance(TimeDelta::hours(2));
        attempt(&mut scene.engine).await;
    }
    assert_eq!(failed(&scene.world).await, 0);
    assert_eq!(scene.world.parked().await, []);
    scene.rests().await;
}

async fn failed(world: &World) -> i64 {
    world.count("SELECT count(*) FROM outbox").await
}
