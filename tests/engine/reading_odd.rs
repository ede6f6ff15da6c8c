//! Servers with habits of their own, late, rewriting or set back: no edit is lost or undone by them.

use crate::world::{World, cycle, quiet, reconcile};
use chrono::TimeDelta;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::freshdesk::{Options as DeskOptions, Quirks, UpdatedSince};
use deskbridge::sandbox::hubspot::{Kind as CrmKind, Seed};
use serde_json::json;
use std::time::Duration;

async fn odd_desk(change: impl FnOnce(&mut DeskOptions)) -> (World, SimClock) {
    let mut desk = DeskOptions::default();
    change(&mut desk);
    World::timed_with(desk).await
}

#[tokio::test]
async fn every_spelling_of_the_change_filter_brings_every_edit() {
    use UpdatedSince::{
        Both, IgnoresBoth, IgnoresPlain, IgnoresUnderscored, OnlyPlain, OnlyUnderscored,
    };
    for spelling in [
        Both,
        OnlyPlain,
        OnlyUnderscored,
        IgnoresUnderscored,
        IgnoresPlain,
        IgnoresBoth,
    ] {
        let (world, clock) = odd_desk(|it| it.updated_since = spelling).await;
        let ada = world.crm_person("Ada", &[]);
        let mut engine = world.timed_engine(&clock).await;
        cycle(&mut engine).await;
        let there = world.desk_by_email("ada@acme.test").id;
        for n in 0..3 {
            clock.advance(TimeDelta::minutes(1));
            let phone = format!("+{n}");
            world.desk_edit(there, &json!({"phone": phone}));
            assert_eq!(cycle(&mut engine).await.updated, 1, "{spelling:?}");
            assert_eq!(
                world.crm_row(ada).properties["phone"],
                phone,
                "{spelling:?}"
            );
            quiet(&mut engine).await;
        }
        clock.advance(TimeDelta::minutes(1));
        world.desk.delete_contact(there).unwrap();
        clock.advance(TimeDelta::minutes(61));
        cycle(&mut engine).await;
        assert_eq!(world.holds().await.len(), 1, "{spelling:?}");
    }
}

#[tokio::test]
async fn a_search_that_still_shows_yesterdays_values_undoes_nothing() {
    let (world, clock) = World::timed().await;
    world
        .crm
        .portal()
        .set_search_lag(Duration::from_mins(2), Duration::ZERO);
    let ada = world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = world.desk_by_email("ada@acme.test").id;
    for n in 0..4 {
        clock.advance(TimeDelta::seconds(50));
        world.desk_edit(there, &json!({"phone": format!("+{n}")}));
        assert_eq!(cycle(&mut engine).await.updated, 1);
    }
    for _ in 0..4 {
        clock.advance(TimeDelta::seconds(50));
        quiet(&mut engine).await;
    }
    assert_eq!(world.crm_row(ada).properties["phone"], "+3");
    // A late edit in the CRM arrives all the same.
    world.crm_edit(ada, &[("phone", "+9")]);
    for _ in 0..4 {
        clock.advance(TimeDelta::seconds(50));
        cycle(&mut engine).await;
    }
    assert_eq!(world.desk_phone(there), "+9");
}

#[tokio::test]
async fn an_edit_that_the_search_does_not_show_yet_is_not_overwritten_unseen() {
    let (world, clock) = World::timed().await;
    let ada = world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = world.desk_by_email("ada@acme.test").id;
    let portal = world.crm.portal();
    portal.set_search_lag(Duration::from_mins(2), Duration::ZERO);
    clock.advance(TimeDelta::minutes(10));
    let phone = json!({"phone": "+1"});
    world.desk_edit(there, &phone);
    clock.advance(TimeDelta::seconds(20));
    world.crm_edit(ada, &[("phone", "+2")]);
    clock.advance(TimeDelta::seconds(20));
    cycle(&mut engine).await;
    assert_eq!(
        world.crm_row(ada).properties["phone"],
        "+2",
        "the later edit"
    );
    let desk = world.desk.contact(there).unwrap();
    assert_eq!(desk.phone.as_deref(), Some("+2"));
    let journal = "SELECT group_concat(fields) FROM journal";
    assert!(world.text(journal).await.unwrap().contains("+1"));
}

#[tokio::test]
async fn an_archived_contact_that_the_search_still_shows_does_not_come_back_to_life() {
    let (world, clock) = World::timed().await;
    world
        .crm
        .portal()
        .set_search_lag(Duration::from_mins(4), Duration::ZERO);
    let ada = world.crm_person("Ada", &[]);
    world.crm_person("Bob", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(20));
    world.crm_edit(ada, &[("phone", "+1")]);
    clock.advance(TimeDelta::minutes(5));
    cycle(&mut engine).await;
    world.crm.portal().archive(CrmKind::Contact, ada).unwrap();
    reconcile(&mut engine).await;
    assert_eq!(world.holds().await.len(), 1);
    for _ in 0..6 {
        clock.advance(TimeDelta::seconds(50));
        cycle(&mut engine).await;
        assert_eq!(world.holds().await.len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_rewrites_values_and_ticks_once_more_starts_no_quarrel() {
    let (world, clock) = odd_desk(|it| {
        it.quirks = Quirks {
            second_tick: true,
            rewrites: true,
            ..Quirks::default()
        };
    })
    .await;
    let ada = world.crm_contact(&[
        ("email", "Ada@Acme.test"),
        ("firstname", " Ada "),
        ("lastname", "King"),
        ("phone", "+49 (30) 12-34"),
        ("jobtitle", " Boss "),
    ]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let before = world.crm_row(ada);
    for _ in 0..5 {
        clock.advance(TimeDelta::minutes(1));
        quiet(&mut engine).await;
    }
    clock.advance(TimeDelta::minutes(1));
    reconcile(&mut engine).await;
    assert_eq!(world.crm_row(ada).properties, before.properties);
    world.crm_edit(ada, &[("phone", "+49 (30) 99-99")]);
    assert_eq!(cycle(&mut engine).await.updated, 1);
    for _ in 0..5 {
        clock.advance(TimeDelta::minutes(1));
        quiet(&mut engine).await;
    }
    assert_eq!(world.crm_row(ada).properties["phone"], "+49 (30) 99-99");
}

#[tokio::test]
async fn a_vendor_that_touches_every_record_at_one_moment_writes_nothing_anywhere() {
    let (world, clock) = World::timed().await;
    let seeds = (0..450).map(|n| Seed {
        properties: vec![
            ("email", format!("p{n}@acme.test")),
            ("firstname", "P".to_owned()),
        ],
        company: None,
    });
    world
        .crm
        .portal()
        .populate(CrmKind::Contact, clock.now(), seeds)
        .unwrap();
    let mut engine = world.timed_engine(&clock).await;
    assert_eq!(cycle(&mut engine).await.created, 450);
    clock.advance(TimeDelta::minutes(10));
    world.crm.portal().touch_all(CrmKind::Contact);
    let report = cycle(&mut engine).await;
    assert_eq!((report.read.crm, report.updated), (450, 0), "{report:?}");
    // One edit among them is not overlooked.
    let one = world
        .crm
        .portal()
        .contact_by_email("p449@acme.test")
        .unwrap();
    world.crm_edit(one, &[("phone", "+1")]);
    assert_eq!(cycle(&mut engine).await.updated, 1);
}

#[tokio::test]
async fn a_server_clock_that_goes_back_hides_no_edit_for_good() {
    let (world, clock) = World::timed().await;
    let ada = world.crm_person("Ada", &[("phone", "+1")]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = world.desk_by_email("ada@acme.test").id;
    clock.advance(TimeDelta::minutes(-90));
    world.desk_edit(there, &json!({"phone": "+2"}));
    clock.advance(TimeDelta::minutes(1));
    reconcile(&mut engine).await;
    assert_eq!(world.crm_row(ada).properties["phone"], "+2");
    quiet(&mut engine).await;
}
