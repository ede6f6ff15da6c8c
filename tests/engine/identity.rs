//! Who is who: first meetings, namesakes, and records that take another's place.

use crate::world::{World, cycle, quiet, reconcile};
use chrono::TimeDelta;
use deskbridge::model::Kind;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use serde_json::json;

#[tokio::test]
async fn at_the_first_meeting_gaps_are_filled_and_nothing_is_cleared() {
    let world = World::new().await;
    let crm = world.crm_person("Ada", &[("lastname", "Lovelace"), ("phone", "+1")]);
    let desk = world.desk_contact(
        &json!({"name": "Ada Lovelace", "email": "ada@acme.test", "job_title": "Countess",
                "custom_fields": {"tier": "VIP"}}),
    );
    let mut engine = world.engine().await;
    let report = cycle(&mut engine).await;
    assert_eq!((report.linked, report.created), (1, 0), "{report:?}");
    assert_eq!(world.crm_row(crm).properties["jobtitle"], "Countess");
    let there = world.desk.contact(desk).unwrap();
    assert_eq!(there.phone.as_deref(), Some("+1"));
    // One-way, and its source is empty: what is there stays.
    assert_eq!(world.desk.contact_field(&there, "tier"), json!("VIP"));
    quiet(&mut engine).await;
}

#[tokio::test]
async fn at_the_first_meeting_each_conflict_falls_as_its_policy_says() {
    let (mut world, clock) = World::timed().await;
    world.remap(
        "crm       = \"phone\"\nfreshdesk = \"phone\"",
        "crm       = \"phone\"\nfreshdesk = \"phone\"\nconflict = \"hold\"",
    );
    let crm = world.crm_contact(&[
        ("email", "ada@acme.test"),
        ("firstname", "Old"),
        ("lastname", "Name"),
        ("phone", "+1"),
        ("jobtitle", "Programmer"),
    ]);
    clock.advance(TimeDelta::minutes(1));
    let desk = world.desk_contact(
        &json!({"name": "New Name", "email": "ada@acme.test", "phone": "+2", "job_title": "Countess"}),
    );
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let (row, there) = (world.crm_row(crm), world.desk.contact(desk).unwrap());
    assert_eq!(row.properties["firstname"], "New", "newest");
    assert_eq!(there.job_title.as_deref(), Some("Programmer"), "crm");
    assert_eq!(row.properties["phone"], "+1", "hold");
    assert_eq!(there.phone.as_deref(), Some("+2"), "hold");
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!((holds[0].class.as_str(), holds[0].count), ("conflict", 1));
    quiet(&mut engine).await;
    // A person makes both sides equal: nothing waits any more.
    world.crm_edit(crm, &[("phone", "+2")]);
    cycle(&mut engine).await;
    assert_eq!(world.holds().await, []);
}

#[tokio::test]
async fn two_contacts_with_one_address_are_shown_and_nobody_is_mixed_up_with_anybody() {
    // Freshdesk has no two contacts with one address, but the CRM's own uniqueness can be of
    // another opinion about letter case and blanks: names stand for it here.
    let world = World::new().await;
    world.crm_company(&[("name", "Acme")]);
    let second = world.crm_company(&[("name", "ACME")]);
    world.desk.add_company(&json!({"name": "acme"})).unwrap();
    let mut engine = world.engine().await;
    let report = cycle(&mut engine).await;
    assert_eq!((report.linked, report.created), (0, 0), "{report:?}");
    let counts = world.report().await.counts(Kind::Company).await.unwrap();
    assert_eq!((counts.shadowed, counts.linked), (3, 0));
    quiet(&mut engine).await;
    // One of the two gets another name: the other one is free to be linked.
    world
        .crm
        .portal()
        .edit(CrmKind::Company, second, &[("name", "Emca")])
        .unwrap();
    let report = cycle(&mut engine).await;
    assert_eq!((report.linked, report.created), (1, 1), "{report:?}");
    let counts = world.report().await.counts(Kind::Company).await.unwrap();
    assert_eq!((counts.shadowed, counts.linked), (0, 2));
    assert_eq!(world.desk.companies().len(), 2);
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_second_record_with_a_linked_ones_key_gets_no_counterpart_until_it_has_its_own() {
    let world = World::new().await;
    world.crm_company(&[("name", "Acme")]);
    let mut engine = world.engine().await;
    cycle(&mut engine).await;
    let twin = world.crm_company(&[("name", "acme")]);
    let report = cycle(&mut engine).await;
    assert_eq!(report.created, 0, "{report:?}");
    world
        .crm
        .portal()
        .edit(CrmKind::Company, twin, &[("name", "Acme Ltd")])
        .unwrap();
    assert_eq!(cycle(&mut engine).await.created, 1);
    quiet(&mut engine).await;
}

#[tokio::test]
async fn ids_beyond_32_bits_keep_every_digit() {
    let world = World::new().await;
    let desk = world.desk_contact(&json!({"name": "Ada King", "email": "ada@acme.test"}));
    assert!(desk > u64::from(u32::MAX));
    let mut engine = world.engine().await;
    cycle(&mut engine).await;
    world.desk_edit(desk, &json!({"phone": "+1"}));
    assert_eq!(cycle(&mut engine).await.updated, 1);
    let kept = world
        .text("SELECT remote_id FROM record WHERE side = 'freshdesk'")
        .await;
    assert_eq!(kept, Some(desk.to_string()));
}

#[tokio::test]
async fn a_contact_without_any_address_still_crosses_over_once() {
    let world = World::new().await;
    world.desk_contact(&json!({"name": "Walk In", "phone": "+49 30 5"}));
    world.crm_contact(&[
        ("firstname", "No"),
        ("lastname", "Mail"),
        ("phone", "+49 30 6"),
    ]);
    let mut engine = world.engine().await;
    assert_eq!(cycle(&mut engine).await.created, 2);
    quiet(&mut engine).await;
    reconcile(&mut engine).await;
    assert_eq!(world.contacts(), (2, 2));
}

#[tokio::test]
async fn two_spellings_of_one_address_are_one_person() {
    let world = World::new().await;
    world.crm_contact(&[("email", "Ada@Acme.TEST"), ("firstname", "Ada")]);
    world.desk_contact(&json!({"name": "Ada", "email": "ada@acme.test"}));
    let mut engine = world.engine().await;
    let report = cycle(&mut engine).await;
    assert_eq!((report.linked, report.created), (1, 0), "{report:?}");
    assert_eq!(world.contacts(), (1, 1));
    quiet(&mut engine).await;
}
