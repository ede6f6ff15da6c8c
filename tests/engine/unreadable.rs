//! Records whose own read fails every time: nobody else waits for them, and nothing is made of what was not
//! read.

use crate::world::program::{code, output, parsed, said, write_config};
use crate::world::{World, attempt, cycle, quiet, reconcile};
use chrono::TimeDelta;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::hubspot::{Kind as CrmKind, Property, ValueType};
use deskbridge::sync::Engine;
use serde_json::json;

/// Tags, which only a single read shows, beside what lists show.
const TAGS: &str = r#"
[[contacts.field]]
crm       = "label"
freshdesk = "tags"
via       = "list"
conflict  = "crm"

[companies]"#;

/// A world in which tags are mapped.
async fn tagged() -> (World, SimClock) {
    let (mut world, clock) = World::timed().await;
    world.remap("\n[companies]", TAGS);
    let property = Property::new("label", "Label", ValueType::Text);
    world.crm.portal().add_property(CrmKind::Contact, property);
    (world, clock)
}

/// Contacts of Freshdesk, each with a tag.
fn staff(world: &World, people: usize) -> Vec<u64> {
    let contact = |n| json!({"name": format!("C {n}"), "email": format!("c{n}@acme.test"), "phone": "+0", "tags": ["old"]});
    (0..people)
        .map(|n| world.desk_contact(&contact(n)))
        .collect()
}

/// So many contacts, each with a tag, on both sides.
async fn staffed(people: usize) -> (World, SimClock, Engine, Vec<u64>) {
    let (world, clock) = tagged().await;
    let people = staff(&world, people);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    (world, clock, engine, people)
}

/// An agent gives them another telephone, which lists show, and another tag, which they do not.
fn edit(world: &World, people: &[u64]) {
    for id in people {
        world.desk_edit(*id, &json!({"phone": "+1", "tags": ["new"]}));
    }
}

/// From now on this contact cannot be read by itself.
fn poison(world: &World, contact: u64, fault: Fault) {
    let path = format!("/api/v2/contacts/{contact}");
    let faults = &world.desk.backstage().faults;
    faults.inject("GET", &path, fault, u32::MAX);
}

/// What the CRM shows of somebody.
fn shown(world: &World, n: usize, property: &str) -> String {
    let email = format!("c{n}@acme.test");
    let id = world.crm.portal().contact_by_email(&email).unwrap();
    let row = world.crm_row(id);
    row.properties.get(property).cloned().unwrap_or_default()
}

/// Everything that Freshdesk was asked of this contact since the logs were last taken.
fn reads(world: &World, contact: u64) -> usize {
    let path = format!("/api/v2/contacts/{contact}");
    let calls = world.desk.backstage().log.entries();
    let reads = calls
        .iter()
        .filter(|it| it.method == "GET" && it.path == path);
    reads.count()
}

async fn minutes(engine: &mut Engine, clock: &SimClock, cycles: u32) {
    for _ in 0..cycles {
        clock.advance(TimeDelta::minutes(1));
        cycle(engine).await;
    }
}

#[tokio::test]
async fn one_contact_that_cannot_be_read_keeps_nobody_elses_edits_back() {
    for fault in [
        Fault::Refuse(500),
        Fault::Refuse(403),
        Fault::HtmlBody,
        Fault::EmptyBody,
        Fault::TornBody,
    ] {
        let (world, clock, mut engine, people) = staffed(3).await;
        poison(&world, people[1], fault);
        clock.advance(TimeDelta::minutes(1));
        edit(&world, &people);
        cycle(&mut engine).await;
        for n in [0, 2] {
            assert_eq!(shown(&world, n, "phone"), "+1", "{fault:?}");
            assert_eq!(shown(&world, n, "label"), "new", "{fault:?}");
        }
        // What the list shows of it is as good as ever; what it does not show is not known.
        assert_eq!(shown(&world, 1, "phone"), "+1", "{fault:?}");
        assert_eq!(shown(&world, 1, "label"), "old", "{fault:?}");
        // It is remembered, also by the next process, and tried ever more rarely.
        drop(engine);
        let mut engine = world.timed_engine(&clock).await;
        world.forget_calls();
        minutes(&mut engine, &clock, 60).await;
        let tries = reads(&world, people[1]);
        assert!(
            (3..=15).contains(&tries),
            "{fault:?}: {tries} calls in an hour"
        );
        assert_eq!(shown(&world, 1, "label"), "old", "{fault:?}");
        world.desk.backstage().faults.clear();
        clock.advance(TimeDelta::hours(1));
        minutes(&mut engine, &clock, 1).await;
        assert_eq!(shown(&world, 1, "label"), "new", "{fault:?}");
        world.forget_calls();
        minutes(&mut engine, &clock, 5).await;
        assert_eq!(reads(&world, people[1]), 0, "{fault:?}");
        quiet(&mut engine).await;
    }
}

#[tokio::test]
async fn a_tag_that_could_not_be_read_is_not_overwritten_by_the_crms() {
    let (world, clock, mut engine, people) = staffed(2).await;
    poison(&world, people[1], Fault::Refuse(500));
    clock.advance(TimeDelta::minutes(1));
    let news = json!({"phone": "+1", "tags": ["desk"]});
    world.desk_edit(people[1], &news);
    minutes(&mut engine, &clock, 2).await;
    let portal = world.crm.portal();
    let crm = portal.contact_by_email("c1@acme.test").unwrap();
    world.crm_edit(crm, &[("label", "crm")]);
    minutes(&mut engine, &clock, 5).await;
    let tags = || world.desk.contact(people[1]).unwrap().tags;
    assert_eq!(tags(), ["desk"]);
    // The answer to a write of ours shows them.
    world.crm_edit(crm, &[("jobtitle", "Boss")]);
    minutes(&mut engine, &clock, 2).await;
    assert_eq!(tags(), ["crm", "desk"]);
    world.desk.backstage().faults.clear();
    clock.advance(TimeDelta::hours(1));
    minutes(&mut engine, &clock, 1).await;
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_first_sync_is_not_kept_waiting_by_a_contact_that_cannot_be_read() {
    let (mut world, clock) = tagged().await;
    world.remap("delete   = \"hold\"", "delete   = \"propagate\"");
    let people = staff(&world, 3);
    let crm = world.crm_contact(&[("email", "c1@acme.test"), ("label", "crm")]);
    poison(&world, people[1], Fault::Refuse(500));
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    assert_eq!(world.crm.portal().count(CrmKind::Contact), 3);
    assert_eq!(shown(&world, 2, "label"), "old");
    assert_eq!(world.crm_row(crm).properties["phone"], "+0");
    // A list of all neither misses it nor takes what it does not know for cleared.
    clock.advance(TimeDelta::hours(25));
    reconcile(&mut engine).await;
    minutes(&mut engine, &clock, 5).await;
    let tags = |n: usize| world.desk.contact(people[n]).unwrap().tags;
    assert_eq!((world.desk_count(), tags(1)), (3, vec!["old".to_owned()]));
    assert_eq!(world.crm_row(crm).properties["label"], "crm");
    world.desk.backstage().faults.clear();
    clock.advance(TimeDelta::hours(25));
    minutes(&mut engine, &clock, 2).await;
    assert_eq!(tags(1), ["crm", "old"]);
    assert_eq!(world.holds().await, []);
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_system_that_reads_nobody_singly_is_in_trouble_and_nobody_is_passed_over() {
    let (world, clock, mut engine, people) = staffed(12).await;
    let faults = &world.desk.backstage().faults;
    faults.inject("GET", "/api/v2/contacts/", Fault::Refuse(500), u32::MAX);
    clock.advance(TimeDelta::minutes(1));
    edit(&world, &people);
    let report = attempt(&mut engine).await;
    assert_eq!(report.troubles.len(), 1, "{:?}", report.troubles);
    assert_eq!(world.count("SELECT count(*) FROM unread").await, 0);
    faults.clear();
    minutes(&mut engine, &clock, 1).await;
    assert!((0..12).all(|n| shown(&world, n, "label") == "new"));
}

#[tokio::test]
async fn ten_contacts_in_a_row_that_cannot_be_read_are_told_from_a_system_that_is_down() {
    let (world, clock, mut engine, people) = staffed(12).await;
    clock.advance(TimeDelta::minutes(1));
    edit(&world, &people);
    // Freshdesk lists by name: `C 0`, `C 1`, `C 10`, `C 11`, `C 2` …
    for id in &people[2..10] {
        poison(&world, *id, Fault::Refuse(500));
    }
    cycle(&mut engine).await;
    let read: Vec<usize> = (0..12)
        .filter(|n| shown(&world, *n, "label") == "new")
        .collect();
    assert_eq!(read, [0, 1, 10, 11]);
    assert!((0..12).all(|n| shown(&world, n, "phone") == "+1"));
    assert_eq!(world.count("SELECT count(*) FROM unread").await, 8);
}

#[tokio::test]
async fn a_contact_that_cannot_be_read_and_is_deleted_is_not_asked_for_any_more() {
    let (world, clock, mut engine, people) = staffed(2).await;
    poison(&world, people[1], Fault::Refuse(500));
    clock.advance(TimeDelta::minutes(1));
    let news = json!({"phone": "+1"});
    world.desk_edit(people[1], &news);
    minutes(&mut engine, &clock, 2).await;
    assert_eq!(world.count("SELECT count(*) FROM unread").await, 1);
    world.desk.delete_contact(people[1]).unwrap();
    minutes(&mut engine, &clock, 61).await;
    assert_eq!(world.count("SELECT count(*) FROM unread").await, 0);
    assert_eq!(world.holds().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_is_told_which_records_cannot_be_read_and_what_the_server_says() {
    let (world, clock, mut engine, people) = staffed(2).await;
    write_config(&world);
    let calm = output(&world, &["status"]);
    assert_eq!(code(&calm), 0, "{}", said(&calm));
    assert!(!said(&calm).contains("cannot be read"), "{}", said(&calm));
    poison(&world, people[1], Fault::Refuse(500));
    clock.advance(TimeDelta::minutes(1));
    edit(&world, &people[1..]);
    cycle(&mut engine).await;
    let told = said(&output(&world, &["status"]));
    assert!(
        told.contains("cannot be read, to be read again (1):"),
        "{told}"
    );
    let line = format!("  contact {} in freshdesk, since 2026-03-02", people[1]);
    assert!(told.contains(&line), "{told}");
    assert!(told.contains("status 500"), "{told}");
    let status = parsed(&output(&world, &["status", "--json"]));
    let unreadable = &status["unreadable"];
    assert_eq!(unreadable["count"], 1, "{status:#}");
    let record = &unreadable["records"][0];
    assert_eq!(record["kind"], "contact");
    assert_eq!(record["side"], "freshdesk");
    assert_eq!(record["id"], people[1].to_string());
    assert_eq!(record["attempts"], 1);
    assert!(record["error"].as_str().unwrap().contains("status 500"));
    for name in [
        format!("freshdesk:{}", people[1]),
        "c1@acme.test".to_owned(),
    ] {
        let explained = parsed(&output(&world, &["explain", &name, "--json"]));
        let why = &explained["records"][0]["why"];
        assert_eq!(why[0]["code"], "unreadable", "{explained:#}");
        assert!(
            why[0]["text"].as_str().unwrap().contains("status 500"),
            "{why:#}"
        );
        let text = said(&output(&world, &["explain", &name]));
        assert!(text.contains("cannot be read itself since"), "{text}");
    }
}
