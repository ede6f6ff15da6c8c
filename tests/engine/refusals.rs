//! Writes that a system refuses: the record waits, the others go on, and nobody is asked in vain.

use crate::world::hooked::Hook;
use crate::world::{World, attempt, cycle, quiet, reconcile};
use chrono::TimeDelta;
use deskbridge::model::{Kind, Side};
use deskbridge::remote::ErrorKind;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::{Options as DeskOptions, Schema};
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::sync::{CycleOutcome, CycleReport, Engine};
use serde_json::json;
use std::sync::Arc;

/// A world in which the tier crosses over as it is, so that Freshdesk refuses what is none of its choices.
async fn untranslated() -> (World, SimClock) {
    let (mut world, clock) = World::timed().await;
    world.remap(
        "direction = \"to_freshdesk\"\nvalues    = { vip = \"VIP\", standard = \"Standard\" }",
        "direction = \"to_freshdesk\"",
    );
    (world, clock)
}

/// So many cycles, a minute apart, in which no write is sent.
async fn nobody_asks(world: &World, clock: &SimClock, engine: &mut Engine, cycles: usize) {
    for _ in 0..cycles {
        clock.advance(TimeDelta::minutes(1));
        world.forget_calls();
        quiet(engine).await;
        assert_eq!(world.writes(), [""; 0]);
    }
}

#[tokio::test]
async fn one_refused_contact_stops_nobody_else_and_is_tried_again_when_it_changes() {
    let (world, clock) = untranslated().await;
    let bad = world.crm_person("Bad", &[("customer_tier", "vip")]);
    world.crm_person("Good", &[]);
    let mut engine = world.timed_engine(&clock).await;
    let report = cycle(&mut engine).await;
    assert_eq!((report.created, report.failed), (1, 1), "{report:?}");
    let parked = world.parked().await;
    assert_eq!(parked.len(), 1);
    assert_eq!(
        (parked[0].state.as_str(), parked[0].action.as_str()),
        ("refused", "create")
    );
    let said = parked[0].error.clone().unwrap();
    assert!(
        said.contains("VIP,Standard"),
        "the server's own words: {said}"
    );
    // Not every cycle.
    nobody_asks(&world, &clock, &mut engine, 1).await;
    // When its pause is over, once.
    clock.advance(TimeDelta::minutes(15));
    assert_eq!(cycle(&mut engine).await.failed, 1);
    // When it changes, at once.
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(bad, &[("customer_tier", "")]);
    assert_eq!(cycle(&mut engine).await.created, 1);
    assert_eq!(world.parked().await, []);
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_refused_update_is_parked_and_forgotten_when_nobody_wants_it_any_more() {
    let (world, clock) = untranslated().await;
    let ada = world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(ada, &[("customer_tier", "vip")]);
    assert_eq!(cycle(&mut engine).await.failed, 1);
    assert_eq!(world.parked().await.len(), 1);
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(ada, &[("customer_tier", "")]);
    cycle(&mut engine).await;
    assert_eq!(world.parked().await, []);
}

#[tokio::test]
async fn a_refused_create_is_forgotten_when_its_record_goes() {
    let (world, clock) = untranslated().await;
    let bad = world.crm_person("Bad", &[("customer_tier", "vip")]);
    world.crm_person("Good", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    world.crm.portal().archive(CrmKind::Contact, bad).unwrap();
    clock.advance(TimeDelta::minutes(61));
    cycle(&mut engine).await;
    assert_eq!(world.parked().await, []);
}

#[tokio::test]
async fn a_refused_create_is_forgotten_when_somebody_makes_the_contact_by_hand() {
    let (world, clock) = untranslated().await;
    world.crm_person("Bad", &[("customer_tier", "standard")]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    world.desk_contact(&json!({"name": "Bad", "email": "bad@acme.test"}));
    let report = cycle(&mut engine).await;
    assert_eq!(report.linked, 1, "{report:?}");
    let parked = world.parked().await;
    assert!(parked.iter().all(|it| it.action != "create"), "{parked:?}");
}

#[tokio::test]
async fn a_company_without_a_name_is_parked_with_the_servers_words() {
    let world = World::new().await;
    world.crm_company(&[("domain", "acme.test")]);
    world.crm_company(&[("name", "Other")]);
    let mut engine = world.engine().await;
    let report = cycle(&mut engine).await;
    assert_eq!((report.created, report.failed), (1, 1), "{report:?}");
    assert!(
        world.parked().await[0]
            .error
            .as_ref()
            .unwrap()
            .contains("name")
    );
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_contact_that_an_agent_makes_meanwhile_is_linked_and_not_doubled() {
    let world = Arc::new(World::new().await);
    let ada = world.crm_person("Ada", &[("phone", "+1")]);
    let (mut engine, hooked) = world.hooked_engine(Side::Desk, Kind::Contact).await;
    let there = Arc::clone(&world);
    hooked.hook(Hook::Before(Arc::new(move || {
        there.desk_contact(&json!({"name": "Ada", "email": "ada@acme.test", "job_title": "Boss"}));
    })));
    let report = attempt(&mut engine).await;
    assert_eq!(report.outcome, CycleOutcome::Done, "{report:?}");
    cycle(&mut engine).await;
    assert_eq!(world.desk_count(), 1);
    assert_eq!(world.crm_row(ada).properties["jobtitle"], "Boss");
    assert_eq!(
        world.desk_by_email("ada@acme.test").phone.as_deref(),
        Some("+1")
    );
    assert_eq!(world.parked().await, []);
    quiet(&mut engine).await;
}

#[tokio::test]
async fn an_address_in_the_trash_is_held_and_dissolves_when_restored() {
    let (world, clock) = World::timed().await;
    let old = world.desk_contact(&json!({"name": "Ada", "email": "ada@acme.test"}));
    world.desk.delete_contact(old).unwrap();
    world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(holds[0].class, "duplicate");
    nobody_asks(&world, &clock, &mut engine, 1).await;
    clock.advance(TimeDelta::minutes(1));
    world.desk.restore_contact(old).unwrap();
    let report = cycle(&mut engine).await;
    assert_eq!((report.linked, report.held), (1, 0), "{report:?}");
    assert_eq!(
        (world.holds().await, world.parked().await),
        (vec![], vec![])
    );
    assert_eq!(world.desk.contacts().len(), 1);
}

#[tokio::test]
async fn an_address_in_the_trash_is_held_no_longer_than_anybody_wants_it() {
    let (world, clock) = World::timed().await;
    let old = world.desk_contact(&json!({"name": "Ada", "email": "ada@acme.test"}));
    world.desk.delete_contact(old).unwrap();
    let ada = world.crm_person("Ada", &[]);
    world.crm_person("Bob", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    world.crm.portal().archive(CrmKind::Contact, ada).unwrap();
    clock.advance(TimeDelta::minutes(61));
    cycle(&mut engine).await;
    cycle(&mut engine).await;
    assert_eq!(
        (world.holds().await, world.parked().await),
        (vec![], vec![])
    );
}

#[tokio::test]
async fn an_agents_address_parks_the_contact_and_is_not_asked_every_minute() {
    let (world, clock) = World::timed().await;
    let agent = world.desk_contact(&json!({"name": "Ada", "email": "ada@acme.test"}));
    world.desk.promote_contact(agent).unwrap();
    world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    let report = cycle(&mut engine).await;
    assert_eq!((report.created, report.failed), (0, 1), "{report:?}");
    let parked = world.parked().await;
    assert!(
        parked[0].error.as_ref().unwrap().contains("agent"),
        "{parked:?}"
    );
    nobody_asks(&world, &clock, &mut engine, 5).await;
}

#[tokio::test]
async fn a_unique_number_that_is_no_key_is_not_asked_for_every_minute() {
    let schema = Schema {
        unique_phone: true,
        ..Schema::default()
    };
    let desk = DeskOptions {
        schema,
        ..DeskOptions::default()
    };
    let (world, clock) = World::timed_with(desk).await;
    world.crm_person("Ada", &[("phone", "+49 1")]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let bob = world.crm_person("Bob", &[("phone", "+49 1")]);
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(cycle(&mut engine).await.failed, 1);
    nobody_asks(&world, &clock, &mut engine, 5).await;
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(bob, &[("phone", "+49 2")]);
    assert_eq!(cycle(&mut engine).await.created, 1);
    // The same in an update.
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(bob, &[("phone", "+49 1")]);
    assert_eq!(cycle(&mut engine).await.failed, 1);
    nobody_asks(&world, &clock, &mut engine, 5).await;
}

#[tokio::test]
async fn a_value_that_the_table_does_not_know_is_said_once_and_blocks_no_other_field() {
    let (mut world, clock) = World::timed().await;
    world.remap(
        "values    = { vip = \"VIP\", standard = \"Standard\" }",
        "values    = { vip = \"VIP\" }",
    );
    let ada = world.crm_person("Ada", &[("customer_tier", "standard")]);
    let mut engine = world.timed_engine(&clock).await;
    assert_eq!(cycle(&mut engine).await.created, 1);
    let there = world.desk_by_email("ada@acme.test");
    assert_eq!(world.desk.contact_field(&there, "tier"), json!(null));
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(ada, &[("phone", "+1")]);
    assert_eq!(cycle(&mut engine).await.updated, 1);
    quiet(&mut engine).await;
    let notices = world.count("SELECT count(*) FROM notice").await;
    assert_eq!(notices, 1);
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(ada, &[("customer_tier", "vip")]);
    cycle(&mut engine).await;
    let there = world.desk_by_email("ada@acme.test");
    assert_eq!(world.desk.contact_field(&there, "tier"), json!("VIP"));
    assert_eq!(world.count("SELECT count(*) FROM notice").await, 0);
}

#[tokio::test]
async fn a_contact_whose_company_is_refused_crosses_over_and_follows_when_the_company_does() {
    let (world, clock) = World::timed().await;
    let nameless = world.crm_company(&[("domain", "acme.test")]);
    let ada = world.crm_contact(&[("email", "ada@else.test"), ("firstname", "Ada")]);
    world.crm.portal().associate(ada, nameless, true).unwrap();
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    assert_eq!(world.desk_by_email("ada@else.test").company_id, None);
    clock.advance(TimeDelta::minutes(1));
    world
        .crm
        .portal()
        .edit(CrmKind::Company, nameless, &[("name", "Acme")])
        .unwrap();
    cycle(&mut engine).await;
    let there = world.desk_by_email("ada@else.test").company_id.unwrap();
    assert_eq!(world.desk.company(there).unwrap().name, "Acme");
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_right_that_is_missing_is_said_once_and_the_rest_goes_on_without_a_storm_of_calls() {
    let (world, clock) = World::timed().await;
    let portal = world.crm.portal();
    portal.set_scope("crm.objects.contacts.write", false);
    for n in 0..1500 {
        world.desk_contact(&json!({"name": "C", "email": format!("c{n}@acme.test")}));
    }
    world.desk.add_company(&json!({"name": "Acme"})).unwrap();
    world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    world.forget_calls();
    let report = attempt(&mut engine).await;
    assert_eq!(
        report.created, 2,
        "the company, and Ada: {:?}",
        report.troubles
    );
    assert_eq!(sorts(&report), [(Side::Crm, ErrorKind::Forbidden)]);
    let refused = world
        .writes()
        .iter()
        .filter(|it| it.ends_with("403"))
        .count();
    assert!(refused <= 4, "{refused}");
    portal.set_scope("crm.objects.contacts.write", true);
    clock.advance(TimeDelta::minutes(5));
    assert_eq!(cycle(&mut engine).await.created, 1500);
}

#[tokio::test]
async fn a_wrong_key_ends_the_cycle_after_a_few_calls() {
    let (world, clock) = World::timed().await;
    for n in 0..50 {
        let email = format!("c{n}@acme.test");
        world.crm_contact(&[("email", &email), ("firstname", "C")]);
    }
    let mut engine = world.timed_engine(&clock).await;
    let faults = &world.desk.backstage().faults;
    faults.inject("", "", Fault::Refuse(401), u32::MAX);
    world.forget_calls();
    let report = attempt(&mut engine).await;
    assert_eq!(report.outcome, CycleOutcome::Incomplete);
    assert!(
        sorts(&report).contains(&(Side::Desk, ErrorKind::Denied)),
        "{report:?}"
    );
    assert!(world.desk.backstage().log.total() <= 2);
    // It is taken away in the midst of the writes.
    faults.clear();
    faults.inject("POST", "", Fault::Refuse(401), u32::MAX);
    world.forget_calls();
    let report = attempt(&mut engine).await;
    assert!(
        sorts(&report).contains(&(Side::Desk, ErrorKind::Denied)),
        "{report:?}"
    );
    assert!(world.writes().len() <= 8, "{:?}", world.writes());
    faults.clear();
    let report = cycle(&mut engine).await;
    assert_eq!(report.created, 50);
}

#[tokio::test]
async fn a_dead_company_in_freshdesk_does_not_get_contacts_refused() {
    let (mut world, clock) = World::timed().await;
    world.remap("delete   = \"ignore\"", "delete   = \"hold\"");
    let acme = world.crm_company(&[("name", "Acme")]);
    world.crm_company(&[("name", "Other")]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = world
        .desk
        .companies()
        .into_iter()
        .find(|it| it.name == "Acme")
        .unwrap()
        .id;
    world.desk.delete_company(there).unwrap();
    clock.advance(TimeDelta::minutes(1));
    reconcile(&mut engine).await;
    let ada = world.crm_person("Ada", &[]);
    world.crm.portal().associate(ada, acme, true).unwrap();
    clock.advance(TimeDelta::minutes(1));
    let report = cycle(&mut engine).await;
    assert_eq!((report.created, report.failed), (1, 0), "{report:?}");
}

/// What went wrong, and where.
fn sorts(report: &CycleReport) -> Vec<(Side, ErrorKind)> {
    report
        .errors
        .iter()
        .map(|error| (error.side, error.kind))
        .collect()
}
