//! Edits on both sides: who wins, what the journal keeps, and what follows a contact's company.

use super::known::ada;
use crate::world::{World, cycle, quiet};
use chrono::TimeDelta;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::store::Answer;
use serde_json::json;

async fn journal(world: &World) -> String {
    world
        .text("SELECT group_concat(fields) FROM journal")
        .await
        .unwrap_or_default()
}

#[tokio::test]
async fn the_later_edit_wins_and_the_loser_stays_in_the_journal() {
    let (world, clock, mut engine, crm, desk) = ada(|_| {}).await;
    world.desk_edit(desk, &json!({"phone": "+2"}));
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(crm, &[("phone", "+1")]);
    cycle(&mut engine).await;
    assert_eq!(world.desk_phone(desk), "+1");
    assert!(journal(&world).await.contains("\"+2\""));
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(crm, &[("phone", "+3")]);
    clock.advance(TimeDelta::minutes(1));
    world.desk_edit(desk, &json!({"phone": "+4"}));
    cycle(&mut engine).await;
    assert_eq!(world.crm_row(crm).properties["phone"], "+4");
    assert!(journal(&world).await.contains("\"+3\""));
    quiet(&mut engine).await;
}

#[tokio::test]
async fn edits_of_one_moment_fall_to_the_crm() {
    let (world, _, mut engine, crm, desk) = ada(|_| {}).await;
    world.desk_edit(desk, &json!({"phone": "+2"}));
    world.crm_edit(crm, &[("phone", "+1")]);
    cycle(&mut engine).await;
    assert_eq!(world.desk_phone(desk), "+1");
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_held_field_holds_itself_alone_and_writes_neither_side() {
    let (world, clock, mut engine, crm, desk) =
        ada(|world| world.remap("conflict = \"newest\"", "conflict = \"hold\"")).await;
    world.desk_edit(desk, &json!({"phone": "+2", "name": "Ada King"}));
    world.crm_edit(crm, &[("phone", "+1"), ("jobtitle", "Boss")]);
    let report = cycle(&mut engine).await;
    assert_eq!((report.updated, report.held), (2, 1), "{report:?}");
    let there = world.desk.contact(desk).unwrap();
    assert_eq!(there.phone.as_deref(), Some("+2"));
    assert_eq!(there.job_title.as_deref(), Some("Boss"));
    let row = world.crm_row(crm);
    assert_eq!(
        (
            row.properties["phone"].as_str(),
            row.properties["lastname"].as_str()
        ),
        ("+1", "King")
    );
    let holds = world.holds().await;
    assert_eq!(holds[0].fields[0]["field"], "phone");
    assert_eq!(holds[0].fields[0]["crm"], json!(["+1"]));
    quiet(&mut engine).await;
    // The person decides by editing: here, they take over the CRM's value.
    clock.advance(TimeDelta::minutes(1));
    world.desk_edit(desk, &json!({"phone": "+1"}));
    assert_eq!(cycle(&mut engine).await.held, 0);
    clock.advance(TimeDelta::minutes(1));
    world.desk_edit(desk, &json!({"phone": "+5"}));
    cycle(&mut engine).await;
    assert_eq!(world.crm_row(crm).properties["phone"], "+5");
}

#[tokio::test]
async fn the_same_edit_on_both_sides_is_no_conflict() {
    let (world, _, mut engine, crm, desk) =
        ada(|world| world.remap("conflict = \"newest\"", "conflict = \"hold\"")).await;
    world.desk_edit(desk, &json!({"phone": "+1"}));
    world.crm_edit(crm, &[("phone", "+1")]);
    world.forget_calls();
    quiet(&mut engine).await;
    assert_eq!((world.writes(), world.holds().await), (vec![], vec![]));
}

#[tokio::test]
async fn a_field_that_a_person_empties_is_emptied_on_the_other_side() {
    let (world, clock, mut engine, crm, desk) = ada(|_| {}).await;
    world.crm_edit(crm, &[("phone", "+1"), ("jobtitle", "Boss")]);
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(crm, &[("phone", "")]);
    world.desk_edit(desk, &json!({"job_title": ""}));
    cycle(&mut engine).await;
    assert_eq!(world.desk.contact(desk).unwrap().phone, None);
    assert_eq!(world.crm_row(crm).properties.get("jobtitle"), None);
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_one_way_field_never_flows_back_and_its_source_wins_in_the_end() {
    let (world, clock, mut engine, crm, desk) = ada(|_| {}).await;
    world.crm_edit(crm, &[("customer_tier", "vip")]);
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    world.desk_edit(desk, &json!({"custom_fields": {"tier": "Standard"}}));
    cycle(&mut engine).await;
    assert_eq!(world.crm_row(crm).properties["customer_tier"], "vip");
    let there = world.desk.contact(desk).unwrap();
    assert_eq!(world.desk.contact_field(&there, "tier"), json!("VIP"));
    assert!(journal(&world).await.contains("Standard"));
    quiet(&mut engine).await;
}

#[tokio::test]
async fn an_address_that_changes_follows_its_person_and_makes_no_second_one() {
    let (world, clock, mut engine, crm, desk) = ada(|_| {}).await;
    world.crm_edit(crm, &[("email", "ada@new.test")]);
    cycle(&mut engine).await;
    assert_eq!(
        world.desk.contact(desk).unwrap().email.as_deref(),
        Some("ada@new.test")
    );
    clock.advance(TimeDelta::minutes(1));
    world.desk_edit(desk, &json!({"email": "ada@newer.test"}));
    cycle(&mut engine).await;
    assert_eq!(world.crm_row(crm).properties["email"], "ada@newer.test");
    // The old address is somebody else's by now.
    clock.advance(TimeDelta::minutes(1));
    world.desk_contact(&json!({"name": "Eda", "email": "ada@acme.test"}));
    assert_eq!(cycle(&mut engine).await.created, 1);
    assert_eq!(world.contacts(), (2, 2));
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_contact_follows_its_company_whoever_moves_it() {
    let (world, clock, mut engine, crm, desk) = ada(|_| {}).await;
    let acme = world.crm_company(&[("name", "Acme")]);
    world.crm.portal().associate(crm, acme, true).unwrap();
    world.crm_edit(crm, &[("phone", "+1")]);
    cycle(&mut engine).await;
    let there = world.desk.contact(desk).unwrap().company_id.unwrap();
    assert_eq!(world.desk.company(there).unwrap().name, "Acme");
    // In Freshdesk, to a company that is new in the same cycle.
    clock.advance(TimeDelta::minutes(1));
    let other = world.desk.add_company(&json!({"name": "Other"})).unwrap();
    world.desk_edit(desk, &json!({"company_id": other}));
    cycle(&mut engine).await;
    let company = world.crm_row(crm).companies[0];
    let company = world.crm.portal().row(CrmKind::Company, company).unwrap();
    assert_eq!(company.properties["name"], "Other");
    quiet(&mut engine).await;
    // Out of any company.
    clock.advance(TimeDelta::minutes(1));
    world.desk_edit(desk, &json!({"company_id": null}));
    cycle(&mut engine).await;
    let primary = world.crm_row(crm).companies;
    assert!(!primary.contains(&company.id), "{primary:?}");
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_contact_taken_out_of_its_company_in_the_crm_leaves_it_in_freshdesk() {
    let (world, clock, mut engine, crm, desk) = ada(|_| {}).await;
    let acme = world.crm_company(&[("name", "Acme")]);
    world.crm.portal().associate(crm, acme, true).unwrap();
    world.crm_edit(crm, &[("phone", "+1")]);
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    world.crm.portal().dissociate(crm, acme);
    world.crm_edit(crm, &[("phone", "+2")]);
    cycle(&mut engine).await;
    let there = world.desk.contact(desk).unwrap();
    assert_eq!(
        (there.company_id, there.phone.as_deref()),
        (None, Some("+2"))
    );
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_company_that_freshdesk_finds_by_domain_reaches_the_crm() {
    let (world, clock, mut engine, crm, desk) = ada(|_| {}).await;
    world.crm_company(&[("name", "New"), ("domain", "new.test")]);
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(crm, &[("email", "ada@new.test")]);
    cycle(&mut engine).await;
    let there = world.desk.contact(desk).unwrap();
    assert!(
        there.company_id.is_some(),
        "Freshdesk fills it in by itself"
    );
    assert_eq!(world.crm_row(crm).companies.len(), 1);
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_renamed_company_is_renamed_and_not_made_anew() {
    let (world, clock) = World::timed().await;
    let acme = world.crm_company(&[("name", "Acme"), ("domain", "acme.test")]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = world.desk.companies()[0].id;
    clock.advance(TimeDelta::minutes(1));
    world
        .desk
        .edit_company(there, &json!({"domains": ["acme.test", "acme.example"]}))
        .unwrap();
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    world
        .crm
        .portal()
        .edit(
            CrmKind::Company,
            acme,
            &[("name", "Acme Ltd"), ("domain", "acme-ltd.test")],
        )
        .unwrap();
    cycle(&mut engine).await;
    let companies = world.desk.companies();
    assert_eq!(companies.len(), 1);
    assert_eq!(companies[0].name, "Acme Ltd");
    assert_eq!(
        companies[0].domains,
        ["acme-ltd.test", "acme.example"],
        "the others stay in their order"
    );
    quiet(&mut engine).await;
}

#[tokio::test]
async fn an_approval_goes_by_what_people_changed_last_and_not_by_what_we_wrote_since() {
    for last in ["freshdesk", "crm"] {
        let (world, clock, mut engine, crm, desk) =
            ada(|world| world.remap("conflict = \"newest\"", "conflict = \"hold\"")).await;
        let edit = |what: serde_json::Value| world.desk_edit(desk, &what);
        let minute = || clock.advance(TimeDelta::minutes(1));
        // The later telephone is that of `last`, and so is another edit, which we carry over.
        if last == "freshdesk" {
            world.crm_edit(crm, &[("phone", "+1")]);
            minute();
            edit(json!({"phone": "+2"}));
        } else {
            edit(json!({"phone": "+2"}));
            minute();
            world.crm_edit(crm, &[("phone", "+1")]);
        }
        minute();
        assert_eq!(cycle(&mut engine).await.held, 1);
        minute();
        if last == "freshdesk" {
            edit(json!({"name": "Ada King"}));
        } else {
            world.crm_edit(crm, &[("jobtitle", "Boss")]);
        }
        minute();
        assert_eq!(cycle(&mut engine).await.updated, 1);
        // What we wrote is read back before anybody answers.
        minute();
        quiet(&mut engine).await;
        let holds = world.holds().await;
        world.answer(holds[0].id, Answer::Approve).await;
        minute();
        cycle(&mut engine).await;
        let phone = world.desk.contact(desk).unwrap().phone;
        let expected = if last == "freshdesk" { "+2" } else { "+1" };
        assert_eq!(phone.as_deref(), Some(expected), "{last} was later");
        assert_eq!(world.crm_row(crm).properties["phone"], expected, "{last}");
    }
}
