//! Tickets of a saved plan: each that was not changed is named, and a person's word counts as one.

use super::{Scene, VIP};
use crate::world::hooked::{Hook, TicketCall};
use crate::world::stage::{LOW, Stage, URGENT, impatient};
use chrono::TimeDelta;
use deskbridge::model::{Image, Kind, Pair, RecordId, Side, Value};
use deskbridge::plan::{Deed, FieldChange, PlannedWrite, Rule, SavedPlan, Subject};
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::{Options, TicketOptions, TicketSeed};
use deskbridge::sync::apply::Applied;
use serde_json::json;
use std::sync::Arc;

/// A rule that does nothing but raise.
fn plain() -> String {
    let lines = VIP
        .lines()
        .filter(|line| !line.starts_with("tags ") && !line.starts_with("note"));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// A plan that raises these tickets.
fn raises(tickets: &[u64]) -> SavedPlan {
    let write = |id: &u64| PlannedWrite {
        record: Subject::Ticket,
        action: Deed::Raise,
        side: Side::Desk,
        crm_id: None,
        freshdesk_id: Some(RecordId(id.to_string())),
        found: None,
        fields: vec![FieldChange {
            field: "priority".to_owned(),
            base: Vec::new(),
            crm: Vec::new(),
            freshdesk: vec!["low".into()],
            set: Image::from([("priority", Value::from("urgent"))]),
            rule: Rule::Standing("vip".to_owned()),
        }],
        customers: Vec::new(),
        unlink: false,
    };
    SavedPlan {
        made_at: chrono::DateTime::UNIX_EPOCH,
        accounts: Pair::default(),
        config: String::new(),
        records: Vec::new(),
        writes: tickets.iter().map(write).collect(),
    }
}

/// A VIP, and so many tickets of theirs that no cycle has seen yet.
async fn stage(desk: Options, tickets: usize) -> (Stage, Vec<u64>) {
    let mut stage = Stage::with(&plain(), desk).await;
    stage.vip();
    stage.turn().await;
    let tickets = (0..tickets).map(|_| stage.ticket(2, LOW)).collect();
    (stage, tickets)
}

fn named(applied: &Applied) -> Vec<String> {
    let ids = applied.left.iter().filter_map(|it| it.freshdesk_id.clone());
    ids.map(|id| id.0).collect()
}

fn ids(tickets: &[u64]) -> Vec<String> {
    tickets.iter().map(u64::to_string).collect()
}

#[tokio::test]
async fn tickets_whose_bulk_change_takes_longer_than_anybody_waits_are_named() {
    let desk = Options {
        tickets: TicketOptions {
            job_polls: 9,
            job_time: TimeDelta::hours(1),
            ..TicketOptions::default()
        },
        ..Options::default()
    };
    let (mut stage, tickets) = stage(desk, 8).await;
    impatient(&mut stage.engine);
    let applied = stage.engine.apply(&raises(&tickets)).await.unwrap();
    assert_eq!(named(&applied), ids(&tickets), "{applied:?}");
    assert!(!applied.is_whole());
}

#[tokio::test]
async fn a_ticket_that_went_away_before_its_turn_is_named() {
    let (mut stage, tickets) = stage(Options::default(), 2).await;
    let hooked = stage.hooked().await;
    let (desk, doomed) = (Arc::clone(&stage.world.desk), tickets.clone());
    hooked.hook_tickets(
        TicketCall::Change,
        Hook::Before(Arc::new(move || {
            for ticket in &doomed {
                desk.delete_ticket(*ticket).unwrap();
            }
        })),
    );
    let applied = stage.engine.apply(&raises(&tickets)).await.unwrap();
    assert_eq!(named(&applied), ids(&tickets), "{applied:?}");
    assert!(applied.left[0].why.contains("not there any more"));
}

#[tokio::test]
async fn tickets_that_a_system_does_not_take_are_named_each_once() {
    for fault in [Fault::Refuse(401), Fault::Refuse(500), Fault::Refuse(400)] {
        let (mut stage, tickets) = stage(Options::default(), 3).await;
        let faults = &stage.world.desk.backstage().faults;
        faults.inject("PUT", "/api/v2/tickets", fault, 30);
        let applied = stage.engine.apply(&raises(&tickets)).await.unwrap();
        assert_eq!(named(&applied), ids(&tickets), "{fault:?} {applied:?}");
        for ticket in &tickets {
            assert_eq!(stage.priority(*ticket), LOW, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn tickets_that_a_person_approved_do_not_hold_up_the_next_customers() {
    let (mut stage, tickets) = stage(Options::default(), 3).await;
    stage.engine.guard(stage.world.config().guards);
    let applied = stage.engine.apply(&raises(&tickets)).await.unwrap();
    assert!(applied.is_whole(), "{applied:?}");
    assert_eq!(stage.priority(tickets[2]), URGENT);
    let counted = "SELECT count(*) FROM guard_hour WHERE kind = 'ticket'";
    assert_eq!(stage.world.count(counted).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_rises_whose_customer_the_same_plan_makes() {
    let rule = VIP
        .replace("customer_tier", "jobtitle")
        .replace("\"vip\"] }", "\"Boss\"] }");
    let scene = Scene::with(&rule).await;
    // Somebody whose standing begins with their link: so it is looked once more who has one.
    scene.world.crm_edit(scene.ada, &[("jobtitle", "Boss")]);
    let zoe = scene
        .world
        .desk_contact(&json!({"name": "zoe", "email": "zoe@acme.test", "job_title": "Boss"}));
    let ticket = scene.world.desk.populate_tickets([TicketSeed {
        requester_id: zoe,
        ..TicketSeed::default()
    }]);
    let plan = scene.plan();
    assert_eq!(super::rows(&plan, "ticket").len(), 2, "{plan:#}");
    assert!(
        !scene.file().contains("\"id\":\"new:"),
        "nobody has seen it"
    );
    let done = scene.apply(0);
    assert_eq!(done["skipped"], json!([]), "{done:#}");
    assert_eq!(scene.world.desk.ticket(ticket[0]).unwrap().priority, URGENT);
    scene.rests();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_who_lost_their_standing_while_the_plan_was_applied_is_looked_at_again() {
    let scene = Arc::new(Scene::with(VIP).await);
    scene.world.crm_edit(scene.ada, &[("customer_tier", "vip")]);
    let ticket = scene.world.desk.populate_tickets([TicketSeed {
        requester_id: scene.ada_desk,
        ..TicketSeed::default()
    }]);
    scene.plan();
    let plan = SavedPlan::from_text(&scene.file()).unwrap();
    let (mut engine, hooked) = scene.world.hooked_engine(Side::Desk, Kind::Contact).await;
    let office = Arc::clone(&scene);
    hooked.hook(Hook::Before(Arc::new(move || {
        let lost = [("customer_tier", "standard")];
        office.world.crm_edit(office.ada, &lost);
    })));
    let applied = engine.apply(&plan).await.unwrap();
    assert_eq!(named(&applied), ids(&ticket), "{applied:?}");
    assert_eq!(scene.world.desk.ticket(ticket[0]).unwrap().priority, LOW);
}
