//! What cannot go back, and which record is meant: said in words, and never a guess.

use super::command::telephoned;
use super::{Scene, run, shown};
use crate::world::program::{answered, code, output, parsed, said};
use crate::world::stage::{LOW, Stage, URGENT, VIP};
use crate::world::{World, cycle};
use chrono::TimeDelta;
use deskbridge::model::{Kind, RecordId, Side};
use deskbridge::sync::Engine;
use deskbridge::sync::revert::{Record, Selection};
use serde_json::json;

async fn forget(engine: &mut Engine, crm: u64) {
    let id = RecordId(crm.to_string());
    let known = engine.store.known(Side::Crm, Kind::Contact, &id).await;
    let (row, _) = known.unwrap().unwrap();
    let who = engine.store.remembered(row).await.unwrap().unwrap();
    engine.store.forget(&who).await.unwrap();
}

#[tokio::test]
async fn a_value_that_was_forgotten_does_not_come_back_as_a_word_about_it() {
    let mut scene = Scene::new().await;
    scene.crm_edit(&[("phone", "")]);
    let number = scene.turn().await;
    assert_eq!(scene.phones(), shown("", ""));
    forget(&mut scene.engine, scene.crm).await;
    scene.clock.advance(TimeDelta::minutes(61));
    crate::world::reconcile(&mut scene.engine).await;
    let (undoing, _) = scene.revert(run(number)).await;
    assert_eq!(undoing.left.len(), 1, "{undoing:?}");
    assert_eq!(undoing.left[0].why, "its values were forgotten");
    assert_eq!(undoing.left[0].field.as_deref(), Some("phone"));
    assert_eq!(scene.phones(), shown("", ""));
}

#[tokio::test]
async fn a_ticket_does_not_get_a_tag_that_says_that_its_tags_were_forgotten() {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket(2, LOW);
    stage.edit(ticket, &json!({"tags": ["beta"]}));
    stage.vip();
    stage.clock.advance(TimeDelta::minutes(1));
    let number = cycle(&mut stage.engine).await.id;
    assert_eq!(stage.priority(ticket), URGENT);
    forget(&mut stage.engine, stage.ada).await;
    let undoing = stage.engine.undo(&run(number)).await.unwrap();
    assert_eq!(undoing.writes, [], "{undoing:?}");
    let told = "its values were forgotten";
    let tickets = undoing.left.iter().filter(|it| it.why == told);
    let fields: Vec<_> = tickets.map(|it| it.field.as_deref()).collect();
    assert_eq!(fields, [Some("priority"), Some("tags")], "{undoing:?}");
}

#[tokio::test]
async fn a_ticket_and_a_person_with_one_number_are_not_taken_back_together() {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket(2, LOW);
    stage.vip();
    stage.clock.advance(TimeDelta::minutes(1));
    let number = cycle(&mut stage.engine).await.id;
    let id = |id: u64| RecordId(id.to_string());
    for (record, kinds) in [
        (Record::Ticket(id(ticket)), &["ticket"][..]),
        (Record::Id(Side::Desk, id(stage.ada_desk)), &["contact"]),
        (
            Record::Of(Side::Crm, Kind::Contact, id(stage.ada)),
            &["contact"],
        ),
        (Record::Of(Side::Crm, Kind::Company, id(stage.ada)), &[]),
        (Record::Key("ada@example.com".to_owned()), &["contact"]),
        (Record::Id(Side::Desk, id(ticket)), &[]),
    ] {
        let selection = Selection {
            record: Some(record.clone()),
            ..run(number)
        };
        let undoing = stage.engine.undo(&selection).await.unwrap();
        let met: Vec<_> = undoing.writes.iter().map(|it| it.record.word()).collect();
        assert_eq!(met, kinds, "{record:?}");
    }
}

#[tokio::test]
async fn a_number_that_a_person_and_a_company_share_is_asked_about() {
    let mut scene = Scene::new().await;
    scene
        .world
        .crm_company(&[("name", "Acme"), ("domain", "acme.test")]);
    scene.crm_edit(&[("phone", "+2")]);
    let number = scene.turn().await;
    scene
        .world
        .execute("UPDATE journal SET crm_id = (SELECT remote_id FROM record WHERE side = 'crm' AND kind = 'contact') WHERE kind = 'company'")
        .await;
    let id = RecordId(scene.crm.to_string());
    let of = |record: Record| Selection {
        record: Some(record),
        ..run(number)
    };
    let undoing = scene.undo(of(Record::Id(Side::Crm, id.clone()))).await;
    assert!(undoing.ambiguous && undoing.writes.is_empty());
    let exact = Record::Of(Side::Crm, Kind::Contact, id);
    let undoing = scene.undo(of(exact)).await;
    assert_eq!((undoing.ambiguous, undoing.writes.len()), (false, 1));
}

#[tokio::test]
async fn a_pair_that_was_found_by_a_field_called_created_by_is_shown_as_found() {
    let (world, clock) = World::timed().await;
    world.crm_person("Ada", &[]);
    world.crm_person("Bob", &[]);
    world.desk_contact(&json!({"name": "Ada", "email": "ada@acme.test"}));
    let mut engine = world.timed_engine(&clock).await;
    let first = cycle(&mut engine).await.id;
    world
        .execute("UPDATE link SET found = 'created_by' WHERE found = 'email'")
        .await;
    let mut report = world.report().await;
    let links = report.links(first, 0, 10).await.unwrap();
    let found: Vec<_> = links.iter().map(|(_, it)| it.found.as_str()).collect();
    assert_eq!(found, ["created_by"]);
    let id = RecordId(links[0].1.crm_id.clone());
    let found = report.found(first, Side::Crm, Kind::Contact, &id).await;
    assert_eq!(found.unwrap().as_deref(), Some("created_by"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_the_journal_has_forgotten_is_not_said_to_have_written_nothing() {
    let (world, _, _) = telephoned().await;
    let quiet = parsed(&output(&world, &["sync", "--json"]))["id"].to_string();
    world.execute("DELETE FROM journal WHERE cycle = 1").await;
    for since in [
        &["1"][..],
        &["--since", "2020-01-01", "--record", "crm:4711"],
    ] {
        let told = output(&world, &[&["revert"][..], since, &["--yes"]].concat());
        assert_eq!(code(&told), 64, "{}", said(&told));
        let words = "the journal no longer goes back that far";
        assert!(said(&told).contains(words), "{}", said(&told));
    }
    let told = output(&world, &["revert", &quiet, "--yes"]);
    assert!(said(&told).contains("was written"), "{}", said(&told));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_which_the_journal_lost_a_part_is_not_taken_back_by_halves_unasked() {
    let (world, _, _) = telephoned().await;
    for name in ["bob", "carl", "dora"] {
        let email = format!("{name}@acme.test");
        world.crm_contact(&[("email", &email), ("firstname", name)]);
    }
    let number = parsed(&output(&world, &["sync", "--json"]))["id"].to_string();
    world
        .execute(
            "DELETE FROM journal WHERE id = (SELECT min(id) + 1 FROM journal
               WHERE cycle = (SELECT max(cycle) FROM journal))",
        )
        .await;
    let there = world.desk_count();
    let whole = ["revert", &number, "--delete-created", "--yes"];
    let told = output(&world, &whole);
    assert_eq!(code(&told), 64, "{}", said(&told));
    let words = format!("run {number} made 3 writes, and the journal has 2 of them");
    assert!(said(&told).contains(&words), "{}", said(&told));
    assert_eq!(world.desk_count(), there);
    // What is there goes back where somebody says so.
    let told = output(&world, &[&whole[..], &["--since", "2000-01-01"]].concat());
    assert_eq!(code(&told), 0, "{}", said(&told));
    assert_eq!(world.desk_count(), there - 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_json_gets_no_prose_where_nothing_goes_back() {
    let (world, _, number) = telephoned().await;
    let told = answered(&world, &["revert", &number, "--json"], "n\n");
    assert_eq!((code(&told), told.stdout.len()), (0, 0), "{}", said(&told));
    assert!(said(&told).contains("nothing was written"));
    let there = world.desk_by_email("ada@acme.test").id;
    let edit = json!({"phone": "+9"});
    world.desk_edit(there, &edit);
    let told = output(&world, &["revert", &number, "--json", "--yes"]);
    assert_eq!((code(&told), told.stdout.len()), (64, 0), "{}", said(&told));
    assert!(said(&told).contains("changed in freshdesk since"));
}
