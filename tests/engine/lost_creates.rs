//! Creates whose answer was lost: what they have made is found, whatever becomes of it and of whom it was made
//! for, and nobody is there twice.

use crate::unknown_outcomes::{MISHAPS, settle};
use crate::world::{World, attempt, cycle, quiet};
use chrono::TimeDelta;
use deskbridge::model::{Kind, Side};
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::ContactSeed;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::sync::Engine;
use futures_util::future::join_all;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Somebody who is not on `side`, and whose create there is carried out and never answered. Returns who they
/// are and who was made.
async fn ada_made_unheard(world: &World, engine: &mut Engine, side: Side) -> (u64, u64) {
    let address = "ada@acme.test";
    let ada = match side {
        Side::Desk => {
            let faults = &world.desk.backstage().faults;
            faults.inject("POST", "/api/v2/contacts", Fault::DropAfter, 1);
            world.crm_contact(&[("email", address), ("firstname", "Ada")])
        }
        Side::Crm => {
            let faults = &world.crm.backstage().faults;
            let create = "/crm/v3/objects/contacts/batch/create";
            faults.inject("POST", create, Fault::DropAfter, 1);
            world.desk_contact(&json!({"name": "Ada", "email": address}))
        }
    };
    attempt(engine).await;
    assert_eq!(world.count(DOUBTS).await, 1, "{side}");
    let made = match side {
        Side::Desk => world.desk_by_email(address).id,
        Side::Crm => world.crm.portal().contact_by_email(address).unwrap(),
    };
    (ada, made)
}

#[tokio::test]
async fn nobody_whose_address_changes_is_there_twice_while_looks_for_who_was_made_get_no_answer() {
    for side in Side::BOTH {
        let world = World::new().await;
        let (mut engine, hooked) = world.hooked_engine(side, Kind::Contact).await;
        let (ada, made) = ada_made_unheard(&world, &mut engine, side).await;
        // Both are edited before anybody has looked: by their addresses they will not find each other.
        let (crm, desk) = match side {
            Side::Desk => (ada, made),
            Side::Crm => (made, ada),
        };
        let (email, phone) = (("email", "ada@byron.test"), ("phone", "+1"));
        let (of_crm, (field, value)) = match side {
            Side::Desk => (email, phone),
            Side::Crm => (phone, email),
        };
        world.crm_edit(crm, &[of_crm]);
        let of_desk = json!({ field: value });
        world.desk_edit(desk, &of_desk);
        hooked.deafen(true);
        attempt(&mut engine).await;
        hooked.deafen(false);
        for _ in 0..2 {
            attempt(&mut engine).await;
        }
        let both = (
            world.desk_count(),
            world.crm.portal().count(CrmKind::Contact),
        );
        assert_eq!(both, (1, 1), "{side}: there twice");
        let (row, there) = (world.crm_row(crm), world.desk.contact(desk).unwrap());
        assert_eq!(row.properties["email"], "ada@byron.test", "{side}");
        assert_eq!(there.email.as_deref(), Some("ada@byron.test"), "{side}");
        assert_eq!(row.properties["phone"], "+1", "{side}");
        assert_eq!(there.phone.as_deref(), Some("+1"), "{side}");
        assert_eq!(world.parked().await, [], "{side}");
        quiet(&mut engine).await;
    }
}

#[tokio::test]
async fn a_company_is_not_made_twice_in_a_crm_whose_search_does_not_show_it_yet() {
    join_all(MISHAPS.map(|fault| async move {
        let (world, clock) = World::timed().await;
        world
            .crm
            .portal()
            .set_search_lag(Duration::from_mins(3), Duration::ZERO);
        let acme = world.desk.add_company(&json!({"name": "Acme"})).unwrap();
        let mut engine = world.timed_engine(&clock).await;
        let faults = &world.crm.backstage().faults;
        faults.inject("POST", "/crm/v3/objects/companies/batch/create", fault, 1);
        attempt(&mut engine).await;
        for _ in 0..3 {
            clock.advance(TimeDelta::minutes(1));
            world
                .desk
                .edit_company(
                    acme,
                    &json!({"domains": [format!("{}.test", clock.now().timestamp())]}),
                )
                .unwrap();
            attempt(&mut engine).await;
        }
        settle(&mut engine, &clock).await;
        let companies = world.crm.portal().rows(CrmKind::Company);
        assert_eq!(companies.len(), 1, "{fault:?} {companies:?}");
        assert_eq!(world.parked().await, [], "{fault:?}");
    }))
    .await;
}

#[tokio::test]
async fn a_company_is_not_made_twice_because_our_clock_was_set_before_a_search_shows_it() {
    // Our clock is put forward: from the right time, and to it.
    for behind in [0, 60] {
        let (world, clock) = World::timed().await;
        world
            .crm
            .portal()
            .set_search_lag(Duration::from_mins(3), Duration::ZERO);
        world.desk.add_company(&json!({"name": "Acme"})).unwrap();
        let ours = SimClock::manual(clock.now() - TimeDelta::minutes(behind));
        let mut engine = world.timed_engine(&ours).await;
        let faults = &world.crm.backstage().faults;
        let create = "/crm/v3/objects/companies/batch/create";
        faults.inject("POST", create, Fault::DropAfter, 1);
        attempt(&mut engine).await;
        ours.advance(TimeDelta::minutes(60));
        for _ in 0..8 {
            for clock in [&clock, &ours] {
                clock.advance(TimeDelta::minutes(1));
            }
            attempt(&mut engine).await;
        }
        let companies = world.crm.portal().rows(CrmKind::Company);
        assert_eq!(companies.len(), 1, "{behind} {companies:?}");
        assert_eq!(world.parked().await, [], "{behind}");
    }
}

#[tokio::test]
async fn a_person_without_any_address_is_not_made_twice_either() {
    join_all(MISHAPS.map(|fault| async move {
        let (world, clock) = World::timed().await;
        world.desk_contact(&json!({"name": "Walk In", "phone": "+49 30 5"}));
        world.crm_contact(&[
            ("firstname", "Call"),
            ("lastname", "Er"),
            ("phone", "+49 30 6"),
        ]);
        let mut engine = world.timed_engine(&clock).await;
        let crm = &world.crm.backstage().faults;
        crm.inject("POST", "/crm/v3/objects/contacts/batch/create", fault, 1);
        let desk = &world.desk.backstage().faults;
        desk.inject("POST", "/api/v2/contacts", fault, 1);
        attempt(&mut engine).await;
        settle(&mut engine, &clock).await;
        assert_eq!(world.desk.contacts().len(), 2, "{fault:?}");
        assert_eq!(world.crm.portal().count(CrmKind::Contact), 2, "{fault:?}");
        assert_eq!(world.parked().await, [], "{fault:?}");
    }))
    .await;
}

/// A cycle that the CRM shows its records of one kind, and then refuses everything else.
async fn glimpse(world: &World, engine: &mut Engine, clock: &SimClock, refused: &str) {
    clock.advance(TimeDelta::minutes(7));
    let faults = &world.crm.backstage().faults;
    faults.inject("POST", refused, Fault::Refuse(401), 1);
    attempt(engine).await;
    let seen = "SELECT count(*) FROM record WHERE side = 'crm'";
    assert_eq!(world.count(seen).await, 1, "what was made has been seen");
}

#[tokio::test]
async fn a_company_that_is_renamed_after_its_lost_create_was_seen_is_not_made_twice() {
    let (world, clock) = World::timed().await;
    let acme = world.desk.add_company(&json!({"name": "Acme"})).unwrap();
    let mut engine = world.timed_engine(&clock).await;
    let faults = &world.crm.backstage().faults;
    let create = "/crm/v3/objects/companies/batch/create";
    faults.inject("POST", create, Fault::DropAfter, 1);
    attempt(&mut engine).await;
    let contacts = "/crm/v3/objects/contacts/search";
    glimpse(&world, &mut engine, &clock, contacts).await;
    let portal = world.crm.portal();
    let made = portal.rows(CrmKind::Company)[0].id;
    let name = [("name", "Acme Ltd")];
    portal.edit(CrmKind::Company, made, &name).unwrap();
    settle(&mut engine, &clock).await;
    assert_eq!(portal.count(CrmKind::Company), 1, "made again");
    let companies = world.desk.companies();
    assert_eq!(companies.len(), 1, "{companies:?}");
    assert_eq!(world.desk.company(acme).unwrap().name, "Acme Ltd");
    assert_eq!(world.parked().await, []);
}

#[tokio::test]
async fn a_person_without_any_address_who_is_edited_after_they_were_seen_is_not_made_twice() {
    let (world, clock) = World::timed().await;
    let there = world.desk_contact(&json!({"name": "Walk In", "phone": "+49 30 5"}));
    let mut engine = world.timed_engine(&clock).await;
    let faults = &world.crm.backstage().faults;
    let create = "/crm/v3/objects/contacts/batch/create";
    faults.inject("POST", create, Fault::DropAfter, 1);
    attempt(&mut engine).await;
    let companies = "/crm/v3/objects/companies/search";
    glimpse(&world, &mut engine, &clock, companies).await;
    let portal = world.crm.portal();
    let made = portal.rows(CrmKind::Contact)[0].id;
    world.crm_edit(made, &[("phone", "+1")]);
    settle(&mut engine, &clock).await;
    assert_eq!(portal.count(CrmKind::Contact), 1, "made again");
    assert_eq!(world.desk_count(), 1, "{:?}", world.desk.contacts());
    let phone = world.desk.contact(there).unwrap().phone;
    assert_eq!(phone.as_deref(), Some("+1"));
    assert_eq!(world.parked().await, []);
}

/// Creates of which nobody knows whether they were carried out.
const DOUBTS: &str = "SELECT count(*) FROM outbox WHERE state = 'sent' AND action = 'create'";

/// Somebody without an address.
fn walk_in(world: &World) -> u64 {
    world.crm_contact(&[
        ("firstname", "Walk"),
        ("lastname", "In"),
        ("phone", "+49 30 5"),
    ])
}

#[tokio::test]
async fn who_is_merged_with_somebody_just_made_keeps_their_own_counterpart_and_cycles_go_on() {
    let (mut world, clock) = World::timed().await;
    let (both, one_way) = ("create   = \"both\"", "create   = \"freshdesk\"");
    // Bea is known first, so that what became of her create is looked at first.
    world.remap(both, one_way);
    world.desk_contact(&json!({"name": "Bea Mill", "email": "bea@acme.test"}));
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    drop(engine);
    world.remap(one_way, both);
    let walk_in = walk_in(&world);
    let mut engine = world.timed_engine(&clock).await;
    let crm = &world.crm.backstage().faults;
    let made = "/crm/v3/objects/contacts/batch/create";
    crm.inject("POST", made, Fault::DropAfter, 1);
    let desk = &world.desk.backstage().faults;
    desk.inject("POST", "/api/v2/contacts", Fault::DropAfter, 1);
    attempt(&mut engine).await;
    assert_eq!(world.count(DOUBTS).await, 2);
    // Before anybody has looked, Bea is merged into the walk-in, who has her address from then on.
    let portal = world.crm.portal();
    let bea = portal.contact_by_email("bea@acme.test").unwrap();
    portal.merge(CrmKind::Contact, walk_in, bea).unwrap();
    settle(&mut engine, &clock).await;
    assert_eq!(portal.count(CrmKind::Contact), 1, "made again");
    let contacts = world.desk.contacts();
    assert_eq!(contacts.len(), 2, "{contacts:?}");
    let theirs = contacts.iter().find(|it| it.email.is_none()).unwrap().id;
    clock.advance(TimeDelta::minutes(1));
    let job = json!({"job_title": "Boss"});
    world.desk_edit(theirs, &job);
    cycle(&mut engine).await;
    assert_eq!(world.crm_row(walk_in).properties["jobtitle"], "Boss");
}

#[tokio::test]
async fn a_create_that_arrives_when_its_contact_has_another_counterpart_stops_no_cycle() {
    let (world, clock) = World::timed().await;
    let ada = world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(61));
    let walk_in = walk_in(&world);
    let faults = &world.desk.backstage().faults;
    faults.inject("POST", "/api/v2/contacts", Fault::DropBefore, 1);
    attempt(&mut engine).await;
    assert_eq!(world.count(DOUBTS).await, 1);
    let portal = world.crm.portal();
    portal.merge(CrmKind::Contact, walk_in, ada).unwrap();
    for _ in 0..2 {
        clock.advance(TimeDelta::seconds(20));
        engine.cycle(true).await.unwrap();
    }
    let heirs = "SELECT count(*) FROM journal WHERE action = 'relink'";
    assert_eq!(world.count(heirs).await, 1, "Ada's counterpart is theirs");
    // Only now the request arrives.
    let late = world.desk_contact(&json!({"name": "Walk In", "phone": "+49 30 5"}));
    settle(&mut engine, &clock).await;
    let job = json!({"job_title": "Boss"});
    world.desk_edit(late, &job);
    settle(&mut engine, &clock).await;
    assert_eq!(portal.count(CrmKind::Contact), 1, "made again");
    assert_eq!(world.desk_count(), 2);
    let ada_there = world.desk_by_email("ada@acme.test").id;
    world.crm_edit(walk_in, &[("jobtitle", "Guest")]);
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    let there = world.desk.contact(ada_there).unwrap();
    assert_eq!(there.job_title.as_deref(), Some("Guest"));
}

/// Ada, who is in Freshdesk alone, and a caller without an address, who is in the CRM alone.
fn ada_and_a_caller(world: &World) -> u64 {
    world.crm_contact(&[
        ("firstname", "Call"),
        ("lastname", "Er"),
        ("phone", "+49 30 6"),
    ]);
    world.desk_contact(&json!({"name": "Ada King", "email": "ada@acme.test"}))
}

#[tokio::test]
async fn a_person_without_any_address_is_not_made_twice_while_looks_for_changes_show_nobody() {
    let (world, clock) = World::timed().await;
    ada_and_a_caller(&world);
    let (mut engine, liar) = world.lying_engine(&clock).await;
    let faults = &world.desk.backstage().faults;
    faults.inject("POST", "/api/v2/contacts", Fault::DropAfter, 1);
    attempt(&mut engine).await;
    liar.hush(true);
    for _ in 0..3 {
        clock.advance(TimeDelta::minutes(7));
        attempt(&mut engine).await;
        assert_eq!(world.desk_count(), 2, "{:?}", world.desk.contacts());
    }
    liar.hush(false);
    settle(&mut engine, &clock).await;
    assert_eq!(world.desk_count(), 2, "{:?}", world.desk.contacts());
    assert_eq!(world.crm.portal().count(CrmKind::Contact), 2);
    assert_eq!(world.parked().await, []);
}

#[tokio::test]
async fn a_person_without_any_address_arrives_although_nobody_who_could_be_shown_is_left() {
    let (world, clock) = World::timed().await;
    let ada = ada_and_a_caller(&world);
    let mut engine = world.timed_engine(&clock).await;
    let faults = &world.desk.backstage().faults;
    faults.inject("POST", "/api/v2/contacts", Fault::DropBefore, 1);
    attempt(&mut engine).await;
    // Nobody has told us: the trash is looked into once an hour.
    world.desk.delete_contact(ada).unwrap();
    settle(&mut engine, &clock).await;
    assert_eq!(world.desk_count(), 1, "{:?}", world.desk.contacts());
    assert_eq!(world.parked().await, []);
}

/// Somebody without an address on the other side of `side`, whose create there was carried out and whose
/// answer was lost; and somebody with one on `side`, so that it shows somebody. Returns who was made.
async fn made_unheard(world: &World, engine: &mut Engine, side: Side) -> u64 {
    let portal = world.crm.portal();
    match side {
        Side::Desk => {
            ada_and_a_caller(world);
            let faults = &world.desk.backstage().faults;
            faults.inject("POST", "/api/v2/contacts", Fault::DropAfter, 1);
        }
        Side::Crm => {
            world.crm_person("Bob", &[]);
            world.desk_contact(&json!({"name": "Walk In", "phone": "+49 30 5"}));
            let faults = &world.crm.backstage().faults;
            let create = "/crm/v3/objects/contacts/batch/create";
            faults.inject("POST", create, Fault::DropAfter, 1);
        }
    }
    attempt(engine).await;
    assert_eq!(world.count(DOUBTS).await, 1);
    match side {
        Side::Desk => {
            let contacts = world.desk.contacts();
            let made = contacts.iter().find(|it| it.email.is_none());
            made.unwrap().id
        }
        Side::Crm => {
            let contacts = portal.rows(CrmKind::Contact);
            let made = contacts
                .iter()
                .find(|it| !it.properties.contains_key("email"));
            made.unwrap().id
        }
    }
}

#[tokio::test]
async fn a_person_without_any_address_who_was_deleted_before_we_knew_of_them_is_not_made_anew() {
    for side in Side::BOTH {
        let (world, clock) = World::timed().await;
        let mut engine = world.timed_engine(&clock).await;
        let made = made_unheard(&world, &mut engine, side).await;
        let portal = world.crm.portal();
        let there = || match side {
            Side::Desk => world.desk_count(),
            Side::Crm => portal.count(CrmKind::Contact),
        };
        match side {
            Side::Desk => world.desk.delete_contact(made).unwrap(),
            Side::Crm => portal.archive(CrmKind::Contact, made).unwrap(),
        }
        settle(&mut engine, &clock).await;
        assert_eq!(there(), 1, "{side}: made again");
        let holds = world.holds().await;
        let classes: Vec<&str> = holds.iter().map(|it| it.class.as_str()).collect();
        assert_eq!(classes, ["delete"], "{side}: nobody is asked");
        // Whoever is brought back is who they were, and nobody is doubled.
        match side {
            Side::Desk => world.desk.restore_contact(made).unwrap(),
            Side::Crm => portal.restore(CrmKind::Contact, made).unwrap(),
        }
        settle(&mut engine, &clock).await;
        let both = (world.desk_count(), portal.count(CrmKind::Contact));
        assert_eq!(both, (2, 2), "{side}");
        assert!(world.holds().await.is_empty(), "{side}");
        assert_eq!(world.parked().await, [], "{side}");
    }
}

#[tokio::test]
async fn what_somebody_elses_contact_lacks_is_not_cleared_where_it_is_met_in_place_of_a_lost_create()
 {
    let (world, clock) = World::timed().await;
    let engine = world.timed_engine(&clock).await;
    drop(engine);
    let world = Arc::new(world);
    let (mut engine, hooked) = world.lying_engine(&clock).await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(5));
    let ada = world.crm_contact(&[
        ("email", "ada@acme.test"),
        ("lastname", "Ada"),
        ("phone", "+49 1"),
    ]);
    // Her mail has made her in Freshdesk as well, and no list has shown that yet.
    let (there, before) = (Arc::clone(&world), clock.now() - TimeDelta::minutes(1));
    hooked.after_page(move || {
        there.desk.populate_contacts([ContactSeed {
            name: "Ada".to_owned(),
            email: Some("ada@acme.test".to_owned()),
            updated_at: Some(before.timestamp()),
            ..ContactSeed::default()
        }]);
    });
    let faults = &world.desk.backstage().faults;
    faults.inject("POST", "/api/v2/contacts", Fault::Refuse(500), 1);
    attempt(&mut engine).await;
    assert_eq!(world.count(DOUBTS).await, 1);
    settle(&mut engine, &clock).await;
    assert_eq!(world.crm_row(ada).properties["phone"], "+49 1");
    let phone = world.desk_by_email("ada@acme.test").phone;
    assert_eq!(phone.as_deref(), Some("+49 1"));
}
