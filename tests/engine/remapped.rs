//! Another mapping: what people have decided, and what became of records, is not forgotten over it.

use super::known::ada_and_bob;
use crate::world::{World, attempt, cycle, quiet, reconcile};
use chrono::TimeDelta;
use deskbridge::model::Kind;
use deskbridge::plan::{Guards, Limit};
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::freshdesk::Standing;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::store::Answer;
use deskbridge::sync::Engine;
use serde_json::json;

/// The daemon, started again with another mapping.
async fn remapped(world: &mut World, clock: &SimClock, engine: Engine) -> Engine {
    drop(engine);
    world.remap("direction = \"to_freshdesk\"\n", "");
    let mut engine = world.timed_engine(clock).await;
    engine.young = Some(TimeDelta::hours(18));
    engine
}

/// Guards that let hardly anything pass.
fn hardly_any(count: u64) -> Guards {
    let few = Limit {
        count,
        percent: 1.0,
    };
    Guards {
        creates: few,
        updates: few,
        clears: few,
        deletes: few,
        tickets: few,
    }
}

#[tokio::test]
async fn who_was_archived_just_before_it_is_not_taken_for_living() {
    let (mut world, clock, engine, ada, there) = ada_and_bob("hold").await;
    world.crm.portal().archive(CrmKind::Contact, ada).unwrap();
    let mut engine = remapped(&mut world, &clock, engine).await;
    // Everything is read as if for the first time, and she is not among them.
    cycle(&mut engine).await;
    let holds = world.holds().await;
    let classes: Vec<&str> = holds.iter().map(|it| it.class.as_str()).collect();
    assert_eq!(classes, ["delete"], "{holds:?}");
    assert_eq!(world.desk.contact(there).unwrap().standing, Standing::Live);
}

#[tokio::test]
async fn a_contact_made_an_agent_before_it_is_no_deletion_after_it() {
    let (mut world, clock, mut engine, ada, there) = ada_and_bob("propagate").await;
    world.desk.promote_contact(there).unwrap();
    reconcile(&mut engine).await;
    assert_eq!(world.holds().await.len(), 1);
    let mut engine = remapped(&mut world, &clock, engine).await;
    cycle(&mut engine).await;
    reconcile(&mut engine).await;
    assert!(!world.crm_row(ada).archived, "nobody has deleted her");
    assert_eq!(world.holds().await.len(), 1);
}

#[tokio::test]
async fn who_was_merged_away_before_it_is_neither_deleted_nor_made_anew_after_it() {
    for policy in ["hold", "propagate", "ignore"] {
        let (mut world, clock, mut engine, ada, there) = ada_and_bob(policy).await;
        let heir = world.desk_by_email("bob@acme.test").id;
        world.desk.merge_contacts(heir, &[there]).unwrap();
        reconcile(&mut engine).await;
        assert_eq!(world.holds().await.len(), 1, "{policy}");
        let mut engine = remapped(&mut world, &clock, engine).await;
        cycle(&mut engine).await;
        clock.advance(TimeDelta::minutes(61));
        world.crm_edit(ada, &[("phone", "+1")]);
        reconcile(&mut engine).await;
        assert_eq!(world.contacts(), (2, 1), "{policy}");
        assert!(!world.crm_row(ada).archived, "{policy}");
        let holds = world.holds().await;
        assert_eq!(holds.len(), 1, "{policy}: {holds:?}");
        assert!(holds[0].reason.contains("merged into"), "{holds:?}");
    }
}

#[tokio::test]
async fn who_was_deleted_and_ignored_before_it_is_not_made_anew_after_it() {
    let (mut world, clock, mut engine, _, there) = ada_and_bob("ignore").await;
    world.desk.delete_contact(there).unwrap();
    cycle(&mut engine).await;
    let mut engine = remapped(&mut world, &clock, engine).await;
    quiet(&mut engine).await;
    reconcile(&mut engine).await;
    assert_eq!(world.contacts(), (2, 1));
    let counts = world.report().await.counts(Kind::Contact).await.unwrap();
    assert_eq!((counts.linked, counts.held, counts.failed), (1, 0, 0));
}

#[tokio::test]
async fn creates_that_a_person_discarded_before_it_are_not_made_after_it() {
    let (mut world, clock, mut engine, _, _) = ada_and_bob("hold").await;
    engine.guard(hardly_any(2));
    for number in 0..5 {
        let email = format!("import{number}@acme.test");
        world.crm_contact(&[("email", &email), ("firstname", "I")]);
    }
    cycle(&mut engine).await;
    let holds = world.holds().await;
    assert_eq!((holds.len(), world.contacts()), (1, (7, 2)), "{holds:?}");
    world.answer(holds[0].id, Answer::Discard).await;
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    let mut engine = remapped(&mut world, &clock, engine).await;
    attempt(&mut engine).await;
    reconcile(&mut engine).await;
    assert_eq!((world.contacts(), world.holds().await.len()), ((7, 2), 0));
}

/// Two telephones, the CRM's value standing where both differ.
const TELEPHONES: &str = "[[contacts.field]]
crm       = \"phone\"
freshdesk = \"phone\"
conflict  = \"crm\"

[[contacts.field]]
crm       = \"mobilephone\"
freshdesk = \"mobile\"
conflict  = \"crm\"
";

/// The two with each other's partner.
const CROSSED: &str = "[[contacts.field]]
crm       = \"phone\"
freshdesk = \"mobile\"
conflict  = \"crm\"

[[contacts.field]]
crm       = \"mobilephone\"
freshdesk = \"phone\"
conflict  = \"crm\"
";

/// Ada and Bob with two telephones each, in step: Ada's id in the CRM and in Freshdesk.
async fn telephones(clock: &SimClock, world: &mut World) -> (Engine, u64, u64) {
    world.remap(
        "[[contacts.field]]\ncrm       = \"phone\"\nfreshdesk = \"phone\"\n",
        TELEPHONES,
    );
    let of = |name: &str, phone: &str, mobile: &str| {
        let email = format!("{name}@acme.test");
        world.crm_contact(&[
            ("email", &email),
            ("firstname", name),
            ("phone", phone),
            ("mobilephone", mobile),
        ])
    };
    let ada = of("ada", "+1", "+2");
    of("bob", "+3", "+4");
    let mut engine = world.timed_engine(clock).await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    (engine, ada, world.desk_by_email("ada@acme.test").id)
}

fn telephones_there(world: &World, id: u64) -> (Option<String>, Option<String>) {
    let there = world.desk.contact(id).unwrap();
    (there.phone, there.mobile)
}

fn both(one: &str, other: &str) -> (Option<String>, Option<String>) {
    (Some(one.to_owned()), Some(other.to_owned()))
}

#[tokio::test]
async fn fields_that_are_mapped_to_each_others_partner_are_compared_anew() {
    let (mut world, clock) = World::timed().await;
    let (engine, ada, there) = telephones(&clock, &mut world).await;
    drop(engine);
    world.remap(TELEPHONES, CROSSED);
    let mut engine = world.timed_engine(&clock).await;
    let report = cycle(&mut engine).await;
    assert_eq!(report.updated, 2, "{report:?}");
    assert_eq!(telephones_there(&world, there), both("+2", "+1"));
    quiet(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(ada, &[("phone", "+9")]);
    cycle(&mut engine).await;
    assert_eq!(telephones_there(&world, there), both("+2", "+9"));
}

#[tokio::test]
async fn what_another_mapping_would_rewrite_waits_where_it_is_more_than_the_guards_allow() {
    let (mut world, clock) = World::timed().await;
    let (engine, _, there) = telephones(&clock, &mut world).await;
    drop(engine);
    world.remap(TELEPHONES, CROSSED);
    let mut engine = world.timed_engine(&clock).await;
    engine.guard(hardly_any(1));
    cycle(&mut engine).await;
    let holds = world.holds().await;
    let classes: Vec<&str> = holds.iter().map(|it| it.class.as_str()).collect();
    assert_eq!(classes, ["update"], "{holds:?}");
    assert_eq!(telephones_there(&world, there), both("+1", "+2"));
}

#[tokio::test]
async fn an_edit_that_waited_for_a_word_crosses_over_once_the_table_knows_it() {
    let (mut world, clock) = World::timed().await;
    world.remap("direction = \"to_freshdesk\"\n", "");
    world.remap("vip = \"VIP\", ", "");
    let ada = world.crm_person("Ada", &[("customer_tier", "standard")]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = world.desk_by_email("ada@acme.test").id;
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(ada, &[("customer_tier", "vip")]);
    cycle(&mut engine).await;
    // Her record there is the later one now, and its tier is nobody's edit.
    clock.advance(TimeDelta::minutes(1));
    world.desk_edit(there, &json!({"job_title": "Boss"}));
    cycle(&mut engine).await;
    drop(engine);
    world.remap("{ standard", "{ vip = \"VIP\", standard");
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    assert_eq!(custom(&world, there, "tier"), json!("VIP"));
    assert_eq!(world.crm_row(ada).properties["customer_tier"], "vip");
}

fn custom(world: &World, id: u64, name: &str) -> serde_json::Value {
    let there = world.desk.contact(id).unwrap();
    world.desk.contact_field(&there, name)
}

#[tokio::test]
async fn another_word_for_a_value_is_written_to_those_who_have_the_value_already() {
    let (mut world, clock) = World::timed().await;
    world.remap("custom_fields.tier", "custom_fields.segment");
    world.crm_person("Ada", &[("customer_tier", "vip")]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = world.desk_by_email("ada@acme.test").id;
    drop(engine);
    world.remap("vip = \"VIP\"", "vip = \"Gold\"");
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    assert_eq!(custom(&world, there, "segment"), json!("Gold"));
    quiet(&mut engine).await;
}

#[tokio::test]
async fn what_only_the_other_side_has_is_filled_in_once_the_field_goes_both_ways() {
    let (mut world, clock) = World::timed().await;
    world.remap(
        "crm       = \"phone\"\nfreshdesk = \"phone\"\n",
        "crm       = \"phone\"\nfreshdesk = \"phone\"\ndirection = \"to_freshdesk\"\n",
    );
    let ada = world.crm_contact(&[("email", "ada@acme.test")]);
    world.desk_contact(&json!({"email": "ada@acme.test", "name": "Ada", "phone": "+1"}));
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    assert!(!world.crm_row(ada).properties.contains_key("phone"));
    drop(engine);
    world.remap("direction = \"to_freshdesk\"\n", "");
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    assert_eq!(world.crm_row(ada).properties["phone"], "+1");
}

#[tokio::test]
async fn what_a_person_left_different_is_not_asked_about_again_over_another_field() {
    let (mut world, clock) = World::timed().await;
    world.remap("conflict = \"newest\"", "conflict = \"hold\"");
    let ada = world.crm_contact(&[("email", "ada@acme.test"), ("phone", "+1")]);
    let there =
        world.desk_contact(&json!({"email": "ada@acme.test", "name": "Ada", "phone": "+2"}));
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    world.answer(holds[0].id, Answer::Discard).await;
    cycle(&mut engine).await;
    let mut engine = remapped(&mut world, &clock, engine).await;
    cycle(&mut engine).await;
    assert_eq!(world.holds().await.len(), 0);
    assert_eq!(world.crm_row(ada).properties["phone"], "+1");
    assert_eq!(world.desk_phone(there), "+2");
}

#[tokio::test]
async fn a_company_that_only_the_other_side_knows_is_filled_in_once_companies_go_both_ways() {
    let (mut world, clock) = World::timed().await;
    world.remap("company  = \"both\"", "company  = \"to_freshdesk\"");
    let ada = world.crm_contact(&[("email", "ada@acme.test")]);
    let company = world
        .desk
        .add_company(&json!({"name": "Acme", "domains": ["acme.test"]}))
        .unwrap();
    world.desk_contact(&json!({"email": "ada@acme.test", "name": "Ada", "company_id": company}));
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    assert!(world.crm_row(ada).companies.is_empty());
    drop(engine);
    world.remap("company  = \"to_freshdesk\"", "company  = \"both\"");
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    assert_eq!(world.crm_row(ada).companies.len(), 1);
}
