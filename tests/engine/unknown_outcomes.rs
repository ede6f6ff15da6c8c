//! Writes without an answer, and processes that end in the midst: nobody is made twice, nothing is lost.

use super::known;
use crate::world::hooked::Hook;
use crate::world::{World, attempt, cycle, quiet};
use chrono::TimeDelta;
use deskbridge::model::{Kind, Side};
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::Options as DeskOptions;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::store::StoreError;
use deskbridge::sync::Engine;
use futures_util::future::join_all;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Notify;

/// What may befall the one write.
pub(crate) const MISHAPS: [Fault; 8] = [
    Fault::DropBefore,
    Fault::DropAfter,
    Fault::Refuse(500),
    Fault::Refuse(502),
    Fault::ApplyThenFail(503),
    Fault::TornBody,
    Fault::HtmlBody,
    Fault::EmptyBody,
];

/// Cycles, a minute apart and beyond every pause and lag, until all is said and done.
pub(crate) async fn settle(engine: &mut Engine, clock: &SimClock) {
    for _ in 0..4 {
        clock.advance(TimeDelta::minutes(7));
        attempt(engine).await;
    }
    clock.advance(TimeDelta::minutes(1));
    quiet(engine).await;
}

#[tokio::test]
async fn a_contact_whose_creation_got_no_answer_is_never_made_twice_in_freshdesk() {
    join_all(MISHAPS.map(|fault| async move {
        let (world, clock) = World::timed().await;
        let ada = world.crm_person("Ada", &[]);
        let mut engine = world.timed_engine(&clock).await;
        let faults = &world.desk.backstage().faults;
        faults.inject("POST", "/api/v2/contacts", fault, 1);
        attempt(&mut engine).await;
        // It changes before anybody has looked.
        world.crm_edit(ada, &[("phone", "+1")]);
        clock.advance(TimeDelta::seconds(10));
        faults.inject("GET", "/api/v2/contacts", Fault::Refuse(403), 1);
        attempt(&mut engine).await;
        settle(&mut engine, &clock).await;
        assert_eq!(world.desk.contacts().len(), 1, "{fault:?}");
        let there = world.desk_by_email("ada@acme.test");
        assert_eq!(there.phone.as_deref(), Some("+1"), "{fault:?}");
        assert_eq!(world.parked().await, [], "{fault:?}");
        let refused = world
            .writes()
            .iter()
            .filter(|it| it.ends_with("409"))
            .count();
        assert_eq!(
            refused,
            0,
            "nobody knocks blindly: {fault:?} {:?}",
            world.writes()
        );
    }))
    .await;
}

#[tokio::test]
async fn a_contact_whose_creation_got_no_answer_is_never_made_twice_in_the_crm() {
    join_all(MISHAPS.map(|fault| async move {
        let (world, clock) = World::timed().await;
        for n in 0..3 {
            world.desk_contact(&json!({"name": "C", "email": format!("c{n}@acme.test")}));
        }
        let mut engine = world.timed_engine(&clock).await;
        let faults = &world.crm.backstage().faults;
        faults.inject("POST", "/crm/v3/objects/contacts/batch/create", fault, 1);
        attempt(&mut engine).await;
        settle(&mut engine, &clock).await;
        assert_eq!(world.crm.portal().count(CrmKind::Contact), 3, "{fault:?}");
        assert_eq!(world.parked().await, [], "{fault:?}");
    }))
    .await;
}

#[tokio::test]
async fn an_update_without_an_answer_reaches_the_other_side_all_the_same() {
    join_all(MISHAPS.map(|fault| async move {
        let (world, clock, mut engine, ada, there) = known::ada(|_| {}).await;
        world.crm_edit(ada, &[("phone", "+1")]);
        world.desk_edit(there, &json!({"job_title": "Boss"}));
        world.desk.backstage().faults.inject("PUT", "", fault, 1);
        let crm = &world.crm.backstage().faults;
        crm.inject("POST", "/crm/v3/objects/contacts/batch/update", fault, 1);
        attempt(&mut engine).await;
        settle(&mut engine, &clock).await;
        assert_eq!(world.desk_phone(there), "+1", "{fault:?}");
        assert_eq!(
            world.crm_row(ada).properties["jobtitle"],
            "Boss",
            "{fault:?}"
        );
        assert_eq!(world.parked().await, [], "{fault:?}");
    }))
    .await;
}

#[tokio::test]
async fn an_agents_edit_after_an_unanswered_update_is_not_overwritten() {
    let (world, clock, mut engine, ada, there) = known::ada(|_| {}).await;
    world.crm_edit(ada, &[("phone", "+1")]);
    world
        .desk
        .backstage()
        .faults
        .inject("PUT", "", Fault::DropAfter, 1);
    attempt(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    world.desk_edit(there, &json!({"phone": "+2"}));
    settle(&mut engine, &clock).await;
    assert_eq!(world.crm_row(ada).properties["phone"], "+2");
    assert_eq!(world.desk_phone(there), "+2");
}

#[tokio::test]
async fn a_create_without_an_answer_takes_nobody_who_only_has_the_address_as_well() {
    let (world, clock) = World::timed().await;
    let bob = world.crm_person("Bob", &[]);
    world.desk_contact(&json!({
        "name": "Ada", "email": "ada@acme.test", "other_emails": ["bob@acme.test"]
    }));
    let mut engine = world.timed_engine(&clock).await;
    let desk = &world.desk.backstage().faults;
    desk.inject("POST", "/api/v2/contacts", Fault::DropAfter, 1);
    let crm = &world.crm.backstage().faults;
    let path = "/crm/v3/objects/contacts/batch/create";
    crm.inject("POST", path, Fault::DropAfter, 1);
    attempt(&mut engine).await;
    settle(&mut engine, &clock).await;
    let row = world.crm_row(bob);
    assert_eq!(row.properties["email"], "bob@acme.test");
    assert_eq!(row.properties["firstname"], "Bob");
    let portal = world.crm.portal();
    assert!(portal.contact_by_email("ada@acme.test").is_some());
    assert_eq!(portal.count(CrmKind::Contact), 2);
    assert_eq!(world.desk_count(), 1);
    // That he cannot be made is said, and nothing else is left open.
    let parked = world.parked().await;
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert_eq!(
        (parked[0].action.as_str(), parked[0].state.as_str()),
        ("create", "refused")
    );
}

/// Starts a cycle that dies at its first write of contacts to `side`.
async fn die(world: &World, side: Side, applied: bool) {
    let (mut engine, hooked) = world.hooked_engine(side, Kind::Contact).await;
    let reached = Arc::new(Notify::new());
    hooked.hook(if applied {
        Hook::Swallow(Arc::clone(&reached))
    } else {
        Hook::Vanish(Arc::clone(&reached))
    });
    tokio::select! {
        _ = engine.cycle(false) => panic!("the cycle went on to its end"),
        () = reached.notified() => {}
    }
}

#[tokio::test]
async fn a_process_that_dies_while_it_creates_leaves_no_doubles_behind() {
    for side in Side::BOTH {
        for applied in [false, true] {
            let clock = SimClock::real();
            let world = World::at(&clock, DeskOptions::default()).await;
            for n in 0..3 {
                let email = format!("a{n}@acme.test");
                world.crm_contact(&[("email", &email), ("firstname", "A"), ("phone", "+1")]);
                world.desk_contact(&json!({"name": "B", "email": format!("b{n}@acme.test")}));
            }
            die(&world, side, applied).await;
            assert!(
                world
                    .count("SELECT count(*) FROM outbox WHERE state = 'sent'")
                    .await
                    > 0
            );
            let stop = world.engine().await;
            let mut engine = stop;
            for _ in 0..3 {
                attempt(&mut engine).await;
            }
            if !applied {
                // Seven minutes later, when an empty look-up of the CRM proves something.
                drop(engine);
                clock.advance(TimeDelta::minutes(7));
                engine = world.timed_engine(&clock).await;
                cycle(&mut engine).await;
            }
            cycle(&mut engine).await;
            quiet(&mut engine).await;
            let tag = format!("{side} {applied}");
            assert_eq!(world.desk.contacts().len(), 6, "{tag}");
            assert_eq!(world.crm.portal().count(CrmKind::Contact), 6, "{tag}");
            assert_eq!(world.parked().await, [], "{tag}");
            assert!(
                !world.writes().iter().any(|it| it.ends_with("409")),
                "{tag}"
            );
        }
    }
}

#[tokio::test]
async fn a_process_that_dies_while_it_updates_loses_no_edit() {
    for applied in [false, true] {
        let world = World::new().await;
        let ada = world.crm_person("Ada", &[]);
        let mut engine = world.engine().await;
        cycle(&mut engine).await;
        drop(engine);
        world.crm_edit(ada, &[("phone", "+1")]);
        die(&world, Side::Desk, applied).await;
        let mut engine = world.engine().await;
        cycle(&mut engine).await;
        let there = world.desk_by_email("ada@acme.test");
        assert_eq!(there.phone.as_deref(), Some("+1"), "{applied}");
        quiet(&mut engine).await;
        assert_eq!(world.parked().await, []);
    }
}

#[tokio::test]
async fn an_edit_between_our_read_and_our_write_crosses_over_all_the_same() {
    // Of the same field, it is lost: neither API has a way to say "unless it changed".
    let world = Arc::new(World::new().await);
    let ada = world.crm_person("Ada", &[]);
    let (mut engine, hooked) = world.hooked_engine(Side::Desk, Kind::Contact).await;
    cycle(&mut engine).await;
    let there = world.desk_by_email("ada@acme.test").id;
    world.crm_edit(ada, &[("lastname", "King")]);
    let desk = Arc::clone(&world);
    hooked.hook(Hook::Before(Arc::new(move || {
        desk.desk
            .edit_contact(there, &json!({"phone": "+1"}))
            .unwrap();
    })));
    cycle(&mut engine).await;
    cycle(&mut engine).await;
    assert_eq!(world.desk.contact(there).unwrap().name, "Ada King");
    assert_eq!(world.crm_row(ada).properties["phone"], "+1");
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_second_instance_or_a_foreign_or_damaged_state_is_refused_before_anything_is_sent() {
    let world = World::new().await;
    world.crm_person("Ada", &[]);
    let mut engine = world.engine().await;
    cycle(&mut engine).await;
    let second = deskbridge::store::Store::open(&world.state()).await;
    assert!(matches!(second, Err(StoreError::Locked(_))), "{second:?}");
    let others = deskbridge::model::Pair {
        crm: "hubspot:1".to_owned(),
        desk: "freshdesk:test".to_owned(),
    };
    let foreign = engine.store.belongs_to(&others).await;
    assert!(
        matches!(foreign, Err(StoreError::Foreign { .. })),
        "{foreign:?}"
    );
    engine.store.close().await.unwrap();
    std::fs::write(world.state(), [7; 9000]).unwrap();
    let damaged = deskbridge::store::Store::open(&world.state()).await;
    assert!(
        matches!(damaged, Err(StoreError::Damaged { .. })),
        "{damaged:?}"
    );
    let shown = deskbridge::store::Report::open(&world.state()).await;
    assert!(
        matches!(shown, Err(StoreError::Damaged { .. })),
        "{shown:?}"
    );
}

#[tokio::test]
async fn a_state_of_which_an_index_has_lost_records_is_refused_before_it_makes_them_twice() {
    let world = World::new().await;
    world.crm_person("Ada", &[]);
    world.crm_person("Bob", &[]);
    let mut engine = world.engine().await;
    cycle(&mut engine).await;
    engine.store.close().await.unwrap();
    // The index says one thing and its table another, as after a write that the disk has lost.
    world
        .execute(
            "PRAGMA writable_schema = ON;
             UPDATE sqlite_master SET sql = 'CREATE INDEX journal_link ON journal (cycle)' WHERE name = 'journal_link';
             UPDATE sqlite_master SET sql = 'CREATE INDEX journal_cycle ON journal (link)' WHERE name = 'journal_cycle'",
        )
        .await;
    let opened = deskbridge::store::Store::open(&world.state()).await;
    assert!(
        matches!(opened, Err(StoreError::Damaged { .. })),
        "{opened:?}"
    );
}

#[tokio::test]
async fn a_state_restored_from_yesterday_makes_nobody_twice_and_keeps_todays_edits() {
    let (world, clock) = World::timed().await;
    let ada = world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    engine.store.close().await.unwrap();
    let backup = std::fs::read(world.state()).unwrap();
    clock.advance(TimeDelta::hours(5));
    let mut engine = world.timed_engine(&clock).await;
    let there = world.desk_by_email("ada@acme.test").id;
    world.desk_edit(there, &json!({"phone": "+1"}));
    world.crm_person("Bob", &[]);
    cycle(&mut engine).await;
    clock.advance(TimeDelta::hours(5));
    world.crm_edit(ada, &[("phone", "+2")]);
    cycle(&mut engine).await;
    engine.store.close().await.unwrap();
    std::fs::write(world.state(), backup).unwrap();
    clock.advance(TimeDelta::hours(5));
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    quiet(&mut engine).await;
    assert_eq!(world.contacts(), (2, 2));
    assert_eq!(world.crm_row(ada).properties["phone"], "+2");
    assert_eq!(world.desk_phone(there), "+2");
}
