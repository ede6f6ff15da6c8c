//! Rows of the CRM's lists that make no sense: nobody else waits for them, and nothing is made of them.

use crate::world::program::{code, output, parsed, said, write_config};
use crate::world::spoiler::Spoiler;
use crate::world::stage::{LOW, Stage, URGENT, VIP};
use crate::world::{World, attempt, cycle, quiet, reconcile};
use chrono::TimeDelta;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::sync::Engine;
use serde_json::{Value as Json, json};

/// What becomes of a row.
type Change = fn(&mut Json);

/// People in the CRM, and an engine that reads them by way of the spoiler.
async fn staff(people: usize) -> (World, SimClock, Spoiler, Engine, Vec<u64>) {
    let (mut world, clock) = World::timed().await;
    world.remap("delete   = \"hold\"", "delete   = \"propagate\"");
    let contact = |n| {
        world.crm_contact(&[
            ("email", &format!("c{n}@acme.test")),
            ("lastname", &format!("C{n}")),
            ("phone", "+0"),
        ])
    };
    let ids = (0..people).map(contact).collect();
    let spoiler = Spoiler::before(&world.crm.url()).await;
    let engine = world.spoiled_engine(&clock, &spoiler).await;
    (world, clock, spoiler, engine, ids)
}

/// From now on the row of this record is so.
fn spoil(spoiler: &Spoiler, id: u64, change: impl Fn(&mut Json) + Send + 'static) {
    let id = id.to_string();
    spoiler.spoil(move |row| {
        if row["id"] == id.as_str() {
            change(row);
        }
    });
}

fn no_properties(row: &mut Json) {
    row["properties"] = json!([]);
}

fn phone(world: &World, n: usize) -> Option<String> {
    world.desk_by_email(&format!("c{n}@acme.test")).phone
}

async fn minutes(engine: &mut Engine, clock: &SimClock, cycles: u32) {
    for _ in 0..cycles {
        clock.advance(TimeDelta::minutes(1));
        cycle(engine).await;
    }
}

#[tokio::test]
async fn one_row_that_makes_no_sense_keeps_nobody_elses_edits_back() {
    let spoils: [(Change, bool); 4] = [
        (no_properties, false),
        (
            |row| row["properties"]["phone"] = json!({"old": "+0"}),
            false,
        ),
        (|row| row["updatedAt"] = Json::Null, true),
        (|row| row["updatedAt"] = json!("yesterday"), true),
    ];
    for (number, (change, shows_phone)) in spoils.into_iter().enumerate() {
        let (world, clock, spoiler, mut engine, ids) = staff(3).await;
        cycle(&mut engine).await;
        spoil(&spoiler, ids[1], change);
        clock.advance(TimeDelta::minutes(1));
        for id in &ids {
            world.crm_edit(*id, &[("phone", "+1")]);
        }
        cycle(&mut engine).await;
        let new = |n| phone(&world, n).as_deref() == Some("+1");
        assert_eq!([0, 1, 2].map(new), [true, shows_phone, true], "{number}");
        assert_eq!(world.count("SELECT count(*) FROM unread").await, 1);
        // Also where it is the only one that is shown.
        clock.advance(TimeDelta::hours(3));
        minutes(&mut engine, &clock, 1).await;
        world.crm_edit(ids[1], &[("phone", "+2")]);
        minutes(&mut engine, &clock, 1).await;
        world.crm_edit(ids[2], &[("phone", "+3")]);
        minutes(&mut engine, &clock, 1).await;
        assert_eq!(phone(&world, 2).as_deref(), Some("+3"), "{number}");
        spoiler.mend();
        clock.advance(TimeDelta::hours(24));
        minutes(&mut engine, &clock, 1).await;
        assert_eq!(phone(&world, 1).as_deref(), Some("+2"), "{number}");
        assert_eq!(world.count("SELECT count(*) FROM unread").await, 0);
        quiet(&mut engine).await;
    }
}

#[tokio::test]
async fn an_edit_that_could_not_be_read_is_not_overwritten() {
    let (world, clock, spoiler, mut engine, ids) = staff(2).await;
    cycle(&mut engine).await;
    spoil(&spoiler, ids[1], no_properties);
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(ids[1], &[("phone", "+crm"), ("jobtitle", "Boss")]);
    minutes(&mut engine, &clock, 1).await;
    let desk = world.desk_by_email("c1@acme.test").id;
    let news = json!({"job_title": "Clerk"});
    world.desk_edit(desk, &news);
    minutes(&mut engine, &clock, 5).await;
    let crm = || world.crm_row(ids[1]).properties;
    assert_eq!((&*crm()["phone"], &*crm()["jobtitle"]), ("+crm", "Boss"));
    spoiler.mend();
    clock.advance(TimeDelta::hours(24));
    minutes(&mut engine, &clock, 1).await;
    assert_eq!((&*crm()["phone"], &*crm()["jobtitle"]), ("+crm", "Boss"));
    let desk = world.desk_by_email("c1@acme.test");
    assert_eq!(desk.phone.as_deref(), Some("+crm"));
    assert_eq!(desk.job_title.as_deref(), Some("Boss"));
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_list_of_all_with_such_a_row_misses_nobody_who_is_there_and_still_shows_who_is_not() {
    let (world, clock, spoiler, mut engine, ids) = staff(4).await;
    cycle(&mut engine).await;
    assert_eq!(world.desk_count(), 4);
    spoil(&spoiler, ids[1], no_properties);
    let gone = world.crm.portal().archive(CrmKind::Contact, ids[3]);
    gone.unwrap();
    clock.advance(TimeDelta::hours(25));
    reconcile(&mut engine).await;
    minutes(&mut engine, &clock, 2).await;
    assert_eq!(world.desk_count(), 3);
    assert_eq!(phone(&world, 1).as_deref(), Some("+0"));
    assert_eq!(world.holds().await, []);
    let certificate = "SELECT report ->> 'unread' FROM certificate WHERE kind = 'contact'";
    assert_eq!(world.count(certificate).await, 1);
}

#[tokio::test]
async fn a_vip_whose_row_makes_no_sense_stays_one() {
    let mut stage = Stage::new(VIP).await;
    let bo = [("email", "bo@example.com"), ("lastname", "Bo")];
    stage.world.crm_contact(&bo);
    stage.tier("vip");
    let ticket = stage.ticket(2, LOW);
    stage.turn().await;
    assert_eq!(stage.priority(ticket), URGENT);
    let spoiler = Spoiler::before(&stage.world.crm.url()).await;
    let Stage {
        world,
        clock,
        engine,
        ada,
        ..
    } = stage;
    drop(engine);
    let mut engine = world.spoiled_engine(&clock, &spoiler).await;
    let priority = || world.desk.ticket(ticket).unwrap().priority;
    spoil(&spoiler, ada, no_properties);
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(ada, &[("jobtitle", "Boss")]);
    minutes(&mut engine, &clock, 2).await;
    clock.advance(TimeDelta::hours(25));
    reconcile(&mut engine).await;
    assert_eq!(world.count("SELECT count(*) FROM unread").await, 1);
    assert_eq!(priority(), URGENT);
    world.crm_edit(ada, &[("customer_tier", "standard")]);
    minutes(&mut engine, &clock, 2).await;
    assert_eq!(priority(), URGENT);
    spoiler.mend();
    clock.advance(TimeDelta::hours(25));
    minutes(&mut engine, &clock, 2).await;
    assert_eq!(priority(), LOW);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_goes_on_without_such_a_row_and_says_whose_it_is() {
    let (world, clock, spoiler, mut engine, ids) = staff(3).await;
    spoil(&spoiler, ids[1], no_properties);
    cycle(&mut engine).await;
    minutes(&mut engine, &clock, 1).await;
    assert_eq!(world.desk_count(), 2);
    write_config(&world);
    let record = format!("crm:{}", ids[1]);
    let status = parsed(&output(&world, &["status", "--json"]));
    let unreadable = &status["unreadable"];
    assert_eq!(unreadable["count"], 1, "{status:#}");
    assert_eq!(unreadable["records"][0]["side"], "crm", "{status:#}");
    assert_eq!(unreadable["records"][0]["id"], ids[1].to_string());
    let explained = output(&world, &["explain", &record]);
    assert_eq!(code(&explained), 0, "{}", said(&explained));
    assert!(said(&explained).contains("cannot be read itself"));
    assert!(said(&explained).contains("a row without an id or a time"));
    spoiler.mend();
    clock.advance(TimeDelta::hours(24));
    minutes(&mut engine, &clock, 1).await;
    assert_eq!(world.desk_count(), 3);
    let status = parsed(&output(&world, &["status", "--json"]));
    assert_eq!(status["unreadable"]["count"], 0, "{status:#}");
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_crm_whose_every_row_makes_no_sense_is_in_trouble_and_nobody_is_passed_over() {
    for people in [2, 12] {
        let (world, clock, spoiler, mut engine, ids) = staff(people).await;
        cycle(&mut engine).await;
        spoiler.spoil(|row| {
            if row.get("updatedAt").is_some() {
                no_properties(row);
            }
        });
        clock.advance(TimeDelta::minutes(1));
        for id in &ids {
            world.crm_edit(*id, &[("phone", "+1")]);
        }
        for whole in [false, true] {
            let report = engine.cycle(whole).await.unwrap();
            assert!(!report.troubles.is_empty(), "{people}: {report:?}");
            assert_eq!(world.count("SELECT count(*) FROM unread").await, 0);
        }
        assert_eq!(world.desk_count(), people);
        spoiler.mend();
        clock.advance(TimeDelta::minutes(1));
        attempt(&mut engine).await;
        minutes(&mut engine, &clock, 1).await;
        let new = |n| phone(&world, n).as_deref() == Some("+1");
        assert!((0..people).all(new), "{people}");
    }
}

#[tokio::test]
async fn what_would_overwrite_a_record_that_cannot_be_read_waits_and_nobody_elses_edit_does() {
    let (world, clock, spoiler, mut engine, ids) = staff(3).await;
    cycle(&mut engine).await;
    spoil(&spoiler, ids[1], |row| {
        row["properties"]["phone"] = json!([]);
    });
    clock.advance(TimeDelta::minutes(30));
    for n in 0..3 {
        let there = world.desk_by_email(&format!("c{n}@acme.test")).id;
        let news = json!({"job_title": "Boss"});
        world.desk_edit(there, &news);
    }
    minutes(&mut engine, &clock, 2).await;
    let title = |n: usize| world.crm_row(ids[n]).properties.get("jobtitle").cloned();
    let boss = || Some("Boss".to_owned());
    assert_eq!([0, 1, 2].map(title), [boss(), None, boss()]);
    let parked = world.parked().await;
    assert_eq!(parked.len(), 1, "{parked:#?}");
    assert_eq!(parked[0].id, ids[1].to_string());
    let told = parked[0].error.as_deref().unwrap();
    assert!(told.contains("it cannot be read"), "{told}");
    spoiler.mend();
    clock.advance(TimeDelta::hours(25));
    minutes(&mut engine, &clock, 2).await;
    assert_eq!(title(1), boss());
    assert_eq!(world.parked().await, []);
    quiet(&mut engine).await;
}
