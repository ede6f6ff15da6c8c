//! A plan with two writes to one record.

use crate::world::World;
use crate::world::cycle;
use crate::world::hooked::{Hook, Hooked};
use deskbridge::model::{Image, Kind, Pair, Presence, RecordId, Side, Value, Version};
use deskbridge::plan::{Deed, FieldChange, PlannedWrite, Rule, SavedPlan, Seen, Subject};
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::sync::Engine;
use serde_json::json;
use std::sync::Arc;

/// What the state has of the only record of this kind on this side.
async fn shown(world: &World, sql: &'static str) -> (RecordId, Image) {
    let text = world.text(sql).await.unwrap();
    serde_json::from_str(&text).unwrap()
}

fn update(subject: Subject, ids: &Pair<RecordId>, field: (&str, &str, &str)) -> PlannedWrite {
    let (name, before, after) = field;
    PlannedWrite {
        record: subject,
        action: Deed::Update,
        side: Side::Desk,
        crm_id: Some(ids.crm.clone()),
        freshdesk_id: Some(ids.desk.clone()),
        found: None,
        fields: vec![FieldChange {
            field: name.to_owned(),
            base: vec![Value::from(before)],
            crm: vec![Value::from(after)],
            freshdesk: vec![Value::from(before)],
            set: Image::from([(name, Value::from(after))]),
            rule: Rule::Changed(Side::Crm),
        }],
        customers: Vec::new(),
        unlink: false,
    }
}

/// Ada and Acme in step, and a plan that writes Ada's telephone, then Acme, then Ada's title.
async fn scene() -> (World, Engine, Arc<Hooked>, SavedPlan, u64) {
    let world = World::new().await;
    let ada = world.crm_person("Ada", &[("phone", "+1"), ("jobtitle", "Clerk")]);
    let acme = world.crm_company(&[("name", "Acme"), ("domain", "acme.test")]);
    let (mut engine, hooked) = world.hooked_engine(Side::Desk, Kind::Company).await;
    cycle(&mut engine).await;
    world.crm_edit(ada, &[("phone", "+2"), ("jobtitle", "Pilot")]);
    let portal = world.crm.portal();
    portal
        .edit(CrmKind::Company, acme, &[("name", "Acme Ltd")])
        .unwrap();
    let sql = [
        "SELECT json_array(remote_id, json(image)) FROM record WHERE side = 'crm' AND kind = 'contact'",
        "SELECT json_array(remote_id, json(image)) FROM record WHERE side = 'freshdesk' AND kind = 'contact'",
        "SELECT json_array(remote_id, json(image)) FROM record WHERE side = 'crm' AND kind = 'company'",
        "SELECT json_array(remote_id, json(image)) FROM record WHERE side = 'freshdesk' AND kind = 'company'",
    ];
    let mut crm = shown(&world, sql[0]).await;
    let desk = shown(&world, sql[1]).await;
    let mut company = shown(&world, sql[2]).await;
    let theirs = shown(&world, sql[3]).await;
    crm.1.set("phone", "+2".into());
    crm.1.set("jobtitle", "Pilot".into());
    company.1.set("name", "Acme Ltd".into());
    let contact = Pair {
        crm: crm.0.clone(),
        desk: desk.0.clone(),
    };
    let companies = Pair {
        crm: company.0.clone(),
        desk: theirs.0.clone(),
    };
    let seen = |side, kind, (id, image): (RecordId, Image)| {
        Seen::new(side, kind, id, (Version(1), Presence::Live), &image, &[])
    };
    let there: u64 = desk.0.0.parse().unwrap();
    let plan = SavedPlan {
        made_at: "2026-11-22T10:00:00Z".parse().unwrap(),
        accounts: Pair::default(),
        config: String::new(),
        records: vec![
            seen(Side::Crm, Kind::Contact, crm),
            seen(Side::Desk, Kind::Contact, desk),
            seen(Side::Crm, Kind::Company, company),
            seen(Side::Desk, Kind::Company, theirs),
        ],
        writes: vec![
            update(Subject::Contact, &contact, ("phone", "+1", "+2")),
            update(Subject::Company, &companies, ("name", "Acme", "Acme Ltd")),
            update(Subject::Contact, &contact, ("job_title", "Clerk", "Pilot")),
        ],
    };
    (world, engine, hooked, plan, there)
}

fn of(world: &World, id: u64) -> (Option<String>, Option<String>) {
    let there = world.desk.contact(id).unwrap();
    (there.phone, there.job_title)
}

#[tokio::test]
async fn what_a_person_changed_between_two_writes_to_one_record_is_not_written_over() {
    let (world, mut engine, hooked, plan, there) = scene().await;
    let desk = Arc::clone(&world.desk);
    hooked.hook(Hook::Before(Arc::new(move || {
        let edit = json!({"job_title": "Boss"});
        desk.edit_contact(there, &edit).unwrap();
    })));
    let applied = engine.apply(&plan).await.unwrap();
    let boss = (Some("+2".to_owned()), Some("Boss".to_owned()));
    assert_eq!(of(&world, there), boss, "{applied:?}");
    assert_eq!(applied.left.len(), 1, "{applied:?}");
    assert!(applied.left[0].why.contains("has changed since"));
}

#[tokio::test]
async fn two_writes_to_one_record_are_both_made_where_nobody_comes_between() {
    let (world, mut engine, _, plan, there) = scene().await;
    let applied = engine.apply(&plan).await.unwrap();
    assert!(applied.is_whole(), "{applied:?}");
    let pilot = (Some("+2".to_owned()), Some("Pilot".to_owned()));
    assert_eq!(of(&world, there), pilot);
    let report = cycle(&mut engine).await;
    assert_eq!((report.created, report.updated), (0, 0), "{report:?}");
}
