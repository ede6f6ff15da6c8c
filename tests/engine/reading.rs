//! Reading: pages, marks and listings, and what is never concluded from them.

use super::known;
use crate::world::hooked::Hooked;
use crate::world::{World, attempt, cycle, quiet};
use chrono::TimeDelta;
use deskbridge::model::{Kind, Side};
use deskbridge::remote::ErrorKind;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::ContactSeed;
use deskbridge::store::PassKind;
use deskbridge::sync::CycleOutcome;
use serde_json::json;
use std::sync::Arc;

fn staff(world: &World, people: u32) {
    let seeds = (0..people).map(|n| ContactSeed {
        name: format!("Person {n:04}"),
        email: Some(format!("p{n}@acme.test")),
        ..ContactSeed::default()
    });
    world.desk.populate_contacts(seeds);
}

/// The first page of contacts goes through; the second does not, however often it is asked for.
fn tear_the_second_page(world: &World, hooked: &Hooked) {
    let desk = Arc::clone(&world.desk);
    hooked.after_page(move || {
        let faults = &desk.backstage().faults;
        faults.inject("GET", "/api/v2/contacts", Fault::TornBody, 4);
    });
}

#[tokio::test]
async fn an_idle_cycle_costs_one_call_a_kind_and_side_and_writes_nothing() {
    let (world, clock) = World::timed().await;
    world.crm_company(&[("name", "Acme")]);
    world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    for _ in 0..2 {
        clock.advance(TimeDelta::minutes(1));
        cycle(&mut engine).await;
    }
    let tables = "SELECT (SELECT group_concat(id || image || coalesce(base, '') || dirty || version) FROM record)";
    let before = world.text(tables).await;
    clock.advance(TimeDelta::minutes(1));
    world.forget_calls();
    let report = cycle(&mut engine).await;
    assert_eq!(
        (report.calls.crm, report.calls.desk),
        (2, 2),
        "{:?}",
        report.endpoints
    );
    assert_eq!(world.crm.backstage().log.total(), 2);
    assert_eq!(world.desk.backstage().log.total(), 2);
    assert_eq!(world.writes(), [""; 0]);
    assert_eq!(world.text(tables).await, before);
    assert_eq!(
        world
            .count(
                "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM record WHERE dirty)"
            )
            .await,
        0
    );
}

#[tokio::test]
async fn a_cycle_with_one_side_down_reads_the_other_and_writes_nothing() {
    for down in Side::BOTH {
        let (world, clock, mut engine, ada, there) = known::ada(|_| {}).await;
        world.crm_edit(ada, &[("phone", "+1")]);
        world.desk_edit(there, &json!({"job_title": "Boss"}));
        let faults = match down {
            Side::Crm => &world.crm.backstage().faults,
            Side::Desk => &world.desk.backstage().faults,
        };
        faults.take_down();
        world.forget_calls();
        let report = attempt(&mut engine).await;
        assert_eq!(report.outcome, CycleOutcome::Incomplete);
        assert_eq!(*report.read.of(down.other()), 1, "{report:?}");
        assert_eq!(world.writes(), [""; 0]);
        assert!(report.errors.iter().all(|error| error.side == down));
        faults.clear();
        clock.advance(TimeDelta::minutes(1));
        assert_eq!(cycle(&mut engine).await.updated, 2);
    }
}

#[tokio::test]
async fn an_account_that_cannot_be_read_at_first_gets_no_doubles_from_the_other() {
    let (world, clock) = World::timed().await;
    world.crm_person("Ada", &[]);
    world.desk_contact(&json!({"name": "Ada", "email": "ada@acme.test"}));
    let mut engine = world.timed_engine(&clock).await;
    world
        .desk
        .backstage()
        .faults
        .inject("GET", "/api/v2/contacts", Fault::Refuse(403), 1);
    let report = attempt(&mut engine).await;
    let sorts: Vec<_> = report.errors.iter().map(|it| (it.side, it.kind)).collect();
    assert_eq!(sorts, [(Side::Desk, ErrorKind::Forbidden)]);
    assert_eq!(report.created, 0);
    let report = cycle(&mut engine).await;
    assert_eq!((report.linked, report.created), (1, 0));
}

#[tokio::test]
async fn a_pass_that_breaks_on_its_last_page_is_not_taken_for_complete() {
    let (world, clock) = World::timed().await;
    staff(&world, 150);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let mark = |it: Option<i64>| it.unwrap();
    let before = mark(
        engine
            .store
            .pass(Side::Desk, Kind::Contact, PassKind::Changes)
            .await
            .unwrap()
            .mark,
    );
    clock.advance(TimeDelta::minutes(10));
    for contact in world.desk.contacts() {
        world.desk_edit(contact.id, &json!({"phone": format!("+{}", contact.id)}));
    }
    let (mut engine, hooked) = {
        drop(engine);
        world.lying_engine(&clock).await
    };
    tear_the_second_page(&world, &hooked);
    let report = attempt(&mut engine).await;
    assert_eq!(
        (report.outcome, report.updated),
        (CycleOutcome::Incomplete, 0),
        "{report:?}"
    );
    let now = engine
        .store
        .pass(Side::Desk, Kind::Contact, PassKind::Changes)
        .await
        .unwrap();
    assert_eq!(mark(now.mark), before);
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(cycle(&mut engine).await.updated, 150);
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_system_that_is_down_for_months_does_not_fill_the_disk_with_reports() {
    let (world, clock) = World::timed().await;
    staff(&world, 2);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let rows = "SELECT count(*) FROM cycle";
    let before = world.count(rows).await;
    world.desk.backstage().faults.take_down();
    for _ in 0..5 {
        clock.advance(TimeDelta::minutes(1));
        let report = attempt(&mut engine).await;
        assert_eq!(report.outcome, CycleOutcome::Incomplete);
    }
    assert_eq!(world.count(rows).await, before + 1);
    // What goes wrong in another way is told again.
    world.crm.backstage().faults.take_down();
    attempt(&mut engine).await;
    assert_eq!(world.count(rows).await, before + 2);
}

#[tokio::test]
async fn a_listing_goes_on_after_a_restart_and_misses_no_edit_of_the_pages_before() {
    let (world, clock) = World::timed().await;
    staff(&world, 250);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    drop(engine);
    clock.advance(TimeDelta::hours(1));
    // Everything is read again; the second page breaks, and the process ends.
    let (mut engine, hooked) = world.lying_engine(&clock).await;
    tear_the_second_page(&world, &hooked);
    let report = engine.cycle(true).await.unwrap();
    assert_eq!(report.outcome, CycleOutcome::Incomplete);
    drop(engine);
    // Both sides edit one of the first page's people: Freshdesk later, so Freshdesk wins.
    let email = "p0@acme.test";
    let crm = world.crm.portal().contact_by_email(email).unwrap();
    clock.advance(TimeDelta::hours(2));
    world.crm_edit(crm, &[("phone", "+1")]);
    clock.advance(TimeDelta::minutes(1));
    let desk = world.desk_by_email(email).id;
    world.desk_edit(desk, &json!({"phone": "+2"}));
    world.forget_calls();
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    assert_eq!(world.crm_row(crm).properties["phone"], "+2");
    assert_eq!(world.desk_phone(desk), "+2");
    let pages = world.desk.backstage().log.entries();
    let resumed = pages
        .iter()
        .filter(|it| it.path == "/api/v2/contacts" && it.query == "per_page=100&page=1");
    assert_eq!(
        resumed.count(),
        0,
        "the listing goes on where it was: {pages:?}"
    );
    quiet(&mut engine).await;
}

#[tokio::test]
async fn records_that_slip_between_pages_are_neither_lost_nor_deleted() {
    let (mut world, clock) = World::timed().await;
    world.remap("delete   = \"hold\"", "delete   = \"propagate\"");
    staff(&world, 250);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    drop(engine);
    clock.advance(TimeDelta::minutes(20));
    let world = Arc::new(world);
    let (mut engine, hooked) = world.lying_engine(&clock).await;
    let there = Arc::clone(&world);
    // Freshdesk lists by name: those who go to the end move everybody else up by ten.
    hooked.after_page(move || {
        for n in 0..10 {
            let id = there.desk_by_email(&format!("p{n}@acme.test")).id;
            there
                .desk
                .edit_contact(id, &json!({"name": format!("Zoe {n}")}))
                .unwrap();
        }
    });
    engine.cycle(true).await.unwrap();
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    assert_eq!(world.contacts(), (250, 250));
    let zoe = world.crm.portal().contact_by_email("p3@acme.test").unwrap();
    assert_eq!(world.crm_row(zoe).properties["firstname"], "Zoe");
    assert_eq!(world.holds().await, []);
}

#[tokio::test]
async fn another_mapping_reads_everything_again_before_it_writes_and_keeps_what_was_agreed() {
    let (mut world, clock) = World::timed().await;
    let ada = world.crm_person("Ada", &[("phone", "+1"), ("mobilephone", "+7")]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = world.desk_by_email("ada@acme.test").id;
    drop(engine);
    clock.advance(TimeDelta::hours(3));
    world.desk_edit(there, &json!({"phone": "+2"}));
    world.remap(
        "[companies]",
        "[[contacts.field]]\ncrm = \"mobilephone\"\nfreshdesk = \"mobile\"\n\n[companies]",
    );
    let mut engine = world.timed_engine(&clock).await;
    world
        .desk
        .backstage()
        .faults
        .inject("GET", "/api/v2/contacts", Fault::Refuse(403), 1);
    world.forget_calls();
    attempt(&mut engine).await;
    assert_eq!(
        world.writes(),
        [""; 0],
        "nothing before both sides are read"
    );
    cycle(&mut engine).await;
    let now = world.desk.contact(there).unwrap();
    assert_eq!(
        (now.phone.as_deref(), now.mobile.as_deref()),
        (Some("+2"), Some("+7"))
    );
    assert_eq!(world.crm_row(ada).properties["phone"], "+2");
    assert_eq!(world.contacts(), (1, 1));
    quiet(&mut engine).await;
}

#[tokio::test]
async fn one_record_that_cannot_be_read_hides_neither_the_edits_nor_the_deletions_of_others() {
    for status in [403, 500] {
        let (world, clock) = World::timed().await;
        let ids: Vec<u64> = ["ada", "bob", "eve"]
            .map(|name| {
                let email = format!("{name}@acme.test");
                world.crm_contact(&[("email", &email), ("firstname", name)])
            })
            .into();
        let mut engine = world.timed_engine(&clock).await;
        cycle(&mut engine).await;
        let there = |name: &str| world.desk_by_email(&format!("{name}@acme.test")).id;
        let (ada, bob, eve) = (there("ada"), there("bob"), there("eve"));
        clock.advance(TimeDelta::hours(24));
        for gone in [ada, bob] {
            world.desk.hard_delete_contact(gone).unwrap();
        }
        let edit = json!({"phone": "+2"});
        world.desk_edit(eve, &edit);
        let faults = &world.desk.backstage().faults;
        let path = format!("/api/v2/contacts/{ada}");
        faults.inject("GET", &path, Fault::Refuse(status), 900);
        let report = engine.cycle(true).await.unwrap();
        assert!(report.troubles.is_empty(), "{:?}", report.troubles);
        assert_eq!(world.crm_row(ids[2]).properties["phone"], "+2", "{status}");
        let gone = "SELECT remote_id FROM record WHERE side = 'freshdesk' AND presence = 'gone'";
        assert_eq!(world.texts(gone).await, [bob.to_string()], "{status}");
        let certified = "SELECT count(*) FROM certificate WHERE kind = 'contact'";
        assert_eq!(world.count(certified).await, 0, "not all was read");
        faults.clear();
        clock.advance(TimeDelta::hours(24));
        engine.cycle(true).await.unwrap();
        assert_eq!(world.texts(gone).await.len(), 2, "{status}");
        assert_eq!(world.count(certified).await, 1, "{status}");
    }
}

#[tokio::test]
async fn where_no_record_can_be_read_no_listing_is_believed() {
    let (world, clock) = World::timed().await;
    for number in 0..15 {
        let email = format!("customer-{number}@acme.test");
        world.crm_contact(&[("email", &email), ("firstname", "Ada")]);
    }
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    for contact in world.desk.contacts() {
        world.desk.hard_delete_contact(contact.id).unwrap();
    }
    clock.advance(TimeDelta::hours(24));
    let faults = &world.desk.backstage().faults;
    faults.inject("GET", "/api/v2/contacts/", Fault::Refuse(403), 900);
    let report = attempt(&mut engine).await;
    assert!(report.troubles.is_empty(), "{:?}", report.troubles);
    let report = engine.cycle(true).await.unwrap();
    assert_eq!(report.troubles.len(), 1, "{:?}", report.troubles);
    let gone = "SELECT count(*) FROM record WHERE presence = 'gone'";
    assert_eq!(world.count(gone).await, 0);
}
