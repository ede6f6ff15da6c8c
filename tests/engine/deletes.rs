//! Deletions, and everything that merely looks like one.

use super::known::ada_and_bob;
use crate::world::{World, attempt, cycle, quiet, reconcile};
use chrono::TimeDelta;
use deskbridge::model::{Kind, Side};
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::{Options as DeskOptions, Quirks, Standing};
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use serde_json::json;

fn standing(world: &World, contact: u64) -> Option<Standing> {
    world.desk.contact(contact).map(|it| it.standing)
}

#[tokio::test]
async fn a_contact_trashed_in_freshdesk_waits_for_a_person_and_the_crm_keeps_its_own() {
    let (world, clock, mut engine, ada, there) = ada_and_bob("hold").await;
    world.desk.delete_contact(there).unwrap();
    cycle(&mut engine).await;
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(holds[0].class, "delete");
    assert!(!world.crm_row(ada).archived);
    // Meanwhile an edit of the survivor goes nowhere, and makes nobody anew.
    world.crm_edit(ada, &[("phone", "+1")]);
    quiet(&mut engine).await;
    // The hold dissolves when the contact comes back, and the edit crosses over.
    clock.advance(TimeDelta::minutes(1));
    world.desk.restore_contact(there).unwrap();
    let report = cycle(&mut engine).await;
    assert_eq!((report.updated, report.held), (1, 0), "{report:?}");
    assert_eq!(world.desk_phone(there), "+1");
}

#[tokio::test]
async fn a_contact_archived_in_the_crm_waits_for_a_person_and_its_return_ends_the_wait() {
    let (world, clock, mut engine, ada, there) = ada_and_bob("hold").await;
    world.crm.portal().archive(CrmKind::Contact, ada).unwrap();
    cycle(&mut engine).await;
    assert_eq!(world.holds().await.len(), 1);
    assert_eq!(standing(&world, there), Some(Standing::Live));
    clock.advance(TimeDelta::minutes(1));
    world.crm.portal().restore(CrmKind::Contact, ada).unwrap();
    assert_eq!(cycle(&mut engine).await.held, 0);
    quiet(&mut engine).await;
}

#[tokio::test]
async fn the_archive_of_the_crm_is_looked_into_every_hour_and_not_every_minute() {
    let (world, clock, mut engine, ada, _) = ada_and_bob("hold").await;
    cycle(&mut engine).await;
    world.crm.portal().archive(CrmKind::Contact, ada).unwrap();
    clock.advance(TimeDelta::minutes(1));
    world.forget_calls();
    cycle(&mut engine).await;
    let archived = |world: &World| {
        let entries = world.crm.backstage().log.entries();
        entries
            .iter()
            .filter(|it| it.query.contains("archived=true"))
            .count()
    };
    assert_eq!((archived(&world), world.holds().await.len()), (0, 0));
    clock.advance(TimeDelta::minutes(60));
    cycle(&mut engine).await;
    assert_eq!(world.holds().await.len(), 1);
}

#[tokio::test]
async fn a_full_read_notices_an_archived_contact_at_once() {
    let (world, clock, mut engine, ada, _) = ada_and_bob("hold").await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    world.crm.portal().archive(CrmKind::Contact, ada).unwrap();
    reconcile(&mut engine).await;
    assert_eq!(world.holds().await.len(), 1);
}

#[tokio::test]
async fn an_ignored_deletion_leaves_the_survivor_alone_and_makes_no_new_counterpart() {
    let (world, clock, mut engine, ada, there) = ada_and_bob("ignore").await;
    world.desk.delete_contact(there).unwrap();
    cycle(&mut engine).await;
    world.crm_edit(ada, &[("phone", "+1")]);
    quiet(&mut engine).await;
    reconcile(&mut engine).await;
    assert_eq!(world.desk.contacts().len(), 2);
    assert!(!world.crm_row(ada).archived);
    let counts = world.report().await.counts(Kind::Contact).await.unwrap();
    assert_eq!((counts.linked, counts.held, counts.failed), (1, 0, 0));
    // It comes back: the two are linked again, and nobody is doubled.
    clock.advance(TimeDelta::minutes(1));
    world.desk.restore_contact(there).unwrap();
    let report = cycle(&mut engine).await;
    assert_eq!((report.linked, report.created), (1, 0), "{report:?}");
}

#[tokio::test]
async fn who_is_back_after_an_ignored_deletion_is_not_doubled_whatever_the_address_is_by_now() {
    for side in Side::BOTH {
        let (world, clock, mut engine, ada, there) = ada_and_bob("ignore").await;
        let crm = world.crm.portal();
        match side {
            Side::Crm => crm.archive(CrmKind::Contact, ada).unwrap(),
            Side::Desk => world.desk.delete_contact(there).unwrap(),
        }
        cycle(&mut engine).await;
        clock.advance(TimeDelta::minutes(1));
        match side {
            Side::Crm => {
                let address = json!({"email": "ada@new.test"});
                world.desk_edit(there, &address);
            }
            Side::Desk => world.crm_edit(ada, &[("email", "ada@new.test")]),
        }
        quiet(&mut engine).await;
        clock.advance(TimeDelta::minutes(1));
        match side {
            Side::Crm => crm.restore(CrmKind::Contact, ada).unwrap(),
            Side::Desk => world.desk.restore_contact(there).unwrap(),
        }
        let report = cycle(&mut engine).await;
        assert_eq!((report.linked, report.created), (1, 0), "{side} {report:?}");
        let count = (world.desk_count(), crm.count(CrmKind::Contact));
        assert_eq!(count, (2, 2), "{side}");
        let in_desk = world.desk.contact(there).unwrap().email;
        let in_crm = world.crm_row(ada).properties["email"].clone();
        assert_eq!(in_desk, Some(in_crm), "{side}");
        clock.advance(TimeDelta::minutes(1));
        quiet(&mut engine).await;
    }
}

#[tokio::test]
async fn a_propagated_deletion_goes_into_the_trash_and_no_further() {
    let (world, _, mut engine, ada, there) = ada_and_bob("propagate").await;
    world.desk.delete_contact(there).unwrap();
    let report = cycle(&mut engine).await;
    assert_eq!(report.deleted, 1, "{report:?}");
    assert!(world.crm_row(ada).archived);
    quiet(&mut engine).await;
    reconcile(&mut engine).await;
    let counts = world.report().await.counts(Kind::Contact).await.unwrap();
    assert_eq!((counts.linked, counts.held, counts.failed), (1, 0, 0));
}

#[tokio::test]
async fn a_propagated_deletion_from_the_crm_can_be_undone_in_freshdesk() {
    let (world, _, mut engine, ada, there) = ada_and_bob("propagate").await;
    world.crm.portal().archive(CrmKind::Contact, ada).unwrap();
    let report = cycle(&mut engine).await;
    assert_eq!(report.deleted, 1, "{report:?}");
    assert_eq!(standing(&world, there), Some(Standing::Deleted));
    let hard = world.writes().iter().any(|it| it.contains("hard_delete"));
    assert!(!hard, "{:?}", world.writes());
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_not_sent_twice() {
    let (world, clock, mut engine, ada, there) = ada_and_bob("propagate").await;
    world.crm.portal().archive(CrmKind::Contact, ada).unwrap();
    world
        .desk
        .backstage()
        .faults
        .inject("DELETE", "/api/v2/contacts", Fault::DropAfter, 1);
    attempt(&mut engine).await;
    assert_eq!(standing(&world, there), Some(Standing::Deleted));
    clock.advance(TimeDelta::minutes(1));
    world.forget_calls();
    quiet(&mut engine).await;
    assert_eq!(world.writes(), [""; 0]);
    let counts = world.report().await.counts(Kind::Contact).await.unwrap();
    assert_eq!((counts.linked, counts.failed), (1, 0));
}

#[tokio::test]
async fn a_contact_made_an_agent_is_no_deletion_whatever_the_policy() {
    for policy in ["hold", "propagate", "ignore"] {
        let (world, clock, mut engine, ada, there) = ada_and_bob(policy).await;
        world.desk.promote_contact(there).unwrap();
        reconcile(&mut engine).await;
        assert!(!world.crm_row(ada).archived, "{policy}");
        let holds = world.holds().await;
        assert_eq!(holds.len(), 1, "{policy}");
        assert!(holds[0].reason.contains("agent"), "{holds:?}");
        // Found out by a write instead of a full read: the same.
        world.crm_edit(ada, &[("phone", "+1")]);
        quiet(&mut engine).await;
        clock.advance(TimeDelta::minutes(61));
        world.desk.demote_agent(there).unwrap();
        cycle(&mut engine).await;
        assert_eq!(world.holds().await, [], "{policy}");
        assert_eq!(world.desk_phone(there), "+1");
    }
}

#[tokio::test]
async fn a_write_that_meets_an_agent_or_a_trashed_contact_is_held_and_not_repeated() {
    let (world, clock, mut engine, ada, there) = ada_and_bob("hold").await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    world.desk.promote_contact(there).unwrap();
    world.crm_edit(ada, &[("phone", "+1")]);
    attempt(&mut engine).await;
    assert_eq!(world.holds().await.len(), 1);
    world.forget_calls();
    clock.advance(TimeDelta::minutes(5));
    quiet(&mut engine).await;
    assert_eq!(world.writes(), [""; 0]);
    assert_eq!(world.parked().await, []);
}

#[tokio::test]
async fn a_blocked_contact_is_held_and_its_unblocking_ends_that() {
    let (world, clock, mut engine, ada, there) = ada_and_bob("hold").await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    world.desk.block_contact(there).unwrap();
    world.crm_edit(ada, &[("phone", "+1")]);
    attempt(&mut engine).await;
    clock.advance(TimeDelta::minutes(61));
    cycle(&mut engine).await;
    assert_eq!(world.holds().await.len(), 1);
    assert_eq!(world.parked().await, []);
    clock.advance(TimeDelta::minutes(1));
    world.desk.unblock_contact(there).unwrap();
    cycle(&mut engine).await;
    assert_eq!(world.holds().await, []);
    assert_eq!(world.desk_phone(there), "+1");
}

#[tokio::test]
async fn a_contact_hard_deleted_in_freshdesk_is_found_missing_by_a_full_read_alone() {
    let (world, _, mut engine, ada, there) = ada_and_bob("hold").await;
    world.desk.hard_delete_contact(there).unwrap();
    cycle(&mut engine).await;
    assert_eq!(world.holds().await, []);
    reconcile(&mut engine).await;
    assert_eq!(world.holds().await.len(), 1);
    assert!(!world.crm_row(ada).archived);
}

#[tokio::test]
async fn deletions_that_leave_no_stamp_are_found_by_a_full_read() {
    let quirks = Quirks {
        silent_deletes: true,
        ..Quirks::default()
    };
    let desk = DeskOptions {
        quirks,
        ..DeskOptions::default()
    };
    let (world, clock) = World::timed_with(desk).await;
    world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::hours(30));
    world
        .desk
        .delete_contact(world.desk_by_email("ada@acme.test").id)
        .unwrap();
    reconcile(&mut engine).await;
    assert_eq!(world.holds().await.len(), 1);
}

#[tokio::test]
async fn a_company_deleted_in_freshdesk_takes_no_contact_out_of_its_company_in_the_crm() {
    for policy in ["ignore", "hold", "propagate"] {
        let (mut world, clock) = World::timed().await;
        world.remap("delete   = \"ignore\"", &format!("delete   = \"{policy}\""));
        let acme = world.crm_company(&[("name", "Acme")]);
        world.crm_company(&[("name", "Other")]);
        let ada = world.crm_person("Ada", &[]);
        world.crm.portal().associate(ada, acme, true).unwrap();
        let mut engine = world.timed_engine(&clock).await;
        cycle(&mut engine).await;
        let there = world.desk_by_email("ada@acme.test");
        clock.advance(TimeDelta::minutes(5));
        world
            .desk
            .delete_company(there.company_id.unwrap())
            .unwrap();
        cycle(&mut engine).await;
        clock.advance(TimeDelta::minutes(5));
        let report = reconcile(&mut engine).await;
        reconcile(&mut engine).await;
        assert_eq!(world.crm_row(ada).companies, [acme], "{policy} {report:?}");
        // Freshdesk has no trash for companies, so that a company's deletion is never passed on.
        let company = world.crm.portal().row(CrmKind::Company, acme).unwrap();
        assert!(!company.archived, "{policy}");
        // The contact itself goes on.
        clock.advance(TimeDelta::minutes(5));
        world.crm_edit(ada, &[("phone", "+1")]);
        cycle(&mut engine).await;
        assert_eq!(world.desk_phone(there.id), "+1");
        assert_eq!(world.parked().await, [], "{policy}");
    }
}

#[tokio::test]
async fn a_crm_company_in_the_archive_takes_no_contact_out_of_its_company_in_freshdesk() {
    let (mut world, clock) = World::timed().await;
    world.remap("delete   = \"ignore\"", "delete   = \"hold\"");
    let acme = world.crm_company(&[("name", "Acme")]);
    let ada = world.crm_person("Ada", &[]);
    world.crm.portal().associate(ada, acme, true).unwrap();
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = world.desk_by_email("ada@acme.test");
    clock.advance(TimeDelta::minutes(5));
    world.crm.portal().archive(CrmKind::Company, acme).unwrap();
    world.crm_edit(ada, &[("phone", "+1")]);
    cycle(&mut engine).await;
    let now = world.desk.contact(there.id).unwrap();
    assert_eq!(
        (now.company_id, now.phone.as_deref()),
        (there.company_id, Some("+1"))
    );
    clock.advance(TimeDelta::minutes(61));
    cycle(&mut engine).await;
    world.crm.portal().restore(CrmKind::Company, acme).unwrap();
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    assert_eq!(world.holds().await, []);
    assert_eq!(
        world.desk.contact(there.id).unwrap().company_id,
        there.company_id
    );
}

#[tokio::test]
async fn an_empty_listing_deletes_nobody_and_loses_no_edit() {
    for contacts in [3_u32, 60] {
        let (mut world, clock) = World::timed().await;
        world.remap("delete   = \"hold\"", "delete   = \"propagate\"");
        let ids: Vec<u64> = (0..contacts)
            .map(|n| {
                let email = format!("c{n}@acme.test");
                world.crm_contact(&[("email", &email), ("firstname", "C")])
            })
            .collect();
        let mut engine = world.timed_engine(&clock).await;
        cycle(&mut engine).await;
        // Nobody is among the latest changes any more, which are read beside a listing.
        clock.advance(TimeDelta::hours(26));
        cycle(&mut engine).await;
        clock.advance(TimeDelta::minutes(20));
        let edited = world.desk_by_email("c1@acme.test").id;
        world.desk_edit(edited, &json!({"phone": "+9"}));
        let (mut engine, liar) = {
            drop(engine);
            world.lying_engine(&clock).await
        };
        liar.empty_next_listing();
        engine.cycle(true).await.unwrap();
        assert_eq!(world.desk_count(), contacts as usize);
        assert_eq!(
            world.crm.portal().count(CrmKind::Contact),
            contacts as usize
        );
        clock.advance(TimeDelta::minutes(20));
        cycle(&mut engine).await;
        assert_eq!(
            world.crm_row(ids[1]).properties["phone"],
            "+9",
            "{contacts}"
        );
        // So many are a fault of the listing until a person says otherwise.
        let holds = world.holds().await;
        let classes: Vec<&str> = holds.iter().map(|hold| hold.class.as_str()).collect();
        let expected: &[&str] = if contacts > 20 { &["listing"] } else { &[] };
        assert_eq!(classes, expected);
    }
}

#[tokio::test]
async fn what_leaves_the_scope_is_neither_deleted_nor_written_and_may_come_back() {
    let (mut world, clock) = World::timed().await;
    world.mapping.push_str(
        "\n[contacts.scope]\ncrm = { field = \"lifecyclestage\", in = [\"customer\"] }\n",
    );
    let ada = world.crm_person("Ada", &[("lifecyclestage", "customer")]);
    world.crm_contact(&[("email", "lead@acme.test"), ("lifecyclestage", "lead")]);
    let mut engine = world.timed_engine(&clock).await;
    assert_eq!(cycle(&mut engine).await.created, 1);
    let there = world.desk_by_email("ada@acme.test").id;
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(ada, &[("lifecyclestage", "other"), ("phone", "+1")]);
    quiet(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    world.desk_edit(there, &json!({"job_title": "Boss"}));
    quiet(&mut engine).await;
    reconcile(&mut engine).await;
    assert_eq!(standing(&world, there), Some(Standing::Live));
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(ada, &[("lifecyclestage", "customer")]);
    cycle(&mut engine).await;
    assert_eq!(world.desk_phone(there), "+1");
    assert_eq!(world.crm_row(ada).properties["jobtitle"], "Boss");
}
