//! A kind of record, or a company, that goes and comes back: what waited for it.

use crate::world::{World, attempt, cycle};
use chrono::TimeDelta;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use serde_json::json;

#[tokio::test]
async fn nobody_is_asked_about_a_kind_that_is_not_mapped_any_more() {
    let (mut world, clock) = World::timed().await;
    world.remap(
        "conflict = \"crm\"\ndelete   = \"ignore\"",
        "conflict = \"hold\"\ndelete   = \"ignore\"",
    );
    let acme = world.crm_company(&[("name", "Acme"), ("domain", "acme.test")]);
    // Freshdesk takes no company without a name.
    world.crm_company(&[("domain", "nameless.test")]);
    world.crm_contact(&[("email", "ada@acme.test"), ("firstname", "Ada")]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = world.desk.companies()[0].id;
    clock.advance(TimeDelta::minutes(1));
    let edit = [("name", "Acme Inc")];
    world
        .crm
        .portal()
        .edit(CrmKind::Company, acme, &edit)
        .unwrap();
    world
        .desk
        .edit_company(there, &json!({"name": "Acme Ltd"}))
        .unwrap();
    attempt(&mut engine).await;
    assert_eq!(world.holds().await.len(), 1);
    assert_eq!(world.parked().await.len(), 1);
    // Somebody thinks better of it: contacts alone.
    drop(engine);
    let (contacts, _) = world.mapping.split_once("[companies]").unwrap();
    world.mapping = contacts.replace("company  = \"both\"\n", "");
    let mut engine = world.timed_engine(&clock).await;
    clock.advance(TimeDelta::minutes(1));
    let report = cycle(&mut engine).await;
    assert_eq!(report.held, 0);
    assert_eq!(world.holds().await, []);
    assert_eq!(world.parked().await, []);
}

#[tokio::test]
async fn whoever_joined_a_company_that_was_away_is_in_it_as_soon_as_it_is_back() {
    let (mut world, clock) = World::timed().await;
    world.remap("delete   = \"ignore\"", "delete   = \"hold\"");
    let acme = world.crm_company(&[("name", "Acme")]);
    let bob = world.crm_contact(&[("email", "bob@web.test"), ("firstname", "Bob")]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = world.desk.companies()[0].id;
    let bob_there = world.desk_by_email("bob@web.test").id;
    clock.advance(TimeDelta::minutes(61));
    world.crm.portal().archive(CrmKind::Company, acme).unwrap();
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    world
        .desk
        .edit_contact(bob_there, &json!({"company_id": there}))
        .unwrap();
    cycle(&mut engine).await;
    assert_eq!(world.crm_row(bob).companies, [0; 0]);
    clock.advance(TimeDelta::minutes(1));
    world.crm.portal().restore(CrmKind::Company, acme).unwrap();
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    assert_eq!(world.crm_row(bob).companies, [acme]);
}
