//! What the CRM is told about a customer's tickets, over real HTTP.

use crate::world::hooked::Hooked;
use crate::world::stage::{URGENT, VIP};
use crate::world::{World, cycle};
use chrono::TimeDelta;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::{Fault, Faults};
use deskbridge::sandbox::freshdesk::TicketSeed;
use deskbridge::sandbox::hubspot::{Kind, Property, ValueType};
use deskbridge::store::Answer;
use deskbridge::sync::{CycleReport, Engine};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

pub(super) const SUMMARY: &str = r#"
[support_summary]
contact = { open_tickets = "open_tickets", last_ticket = "last_ticket", first_response_hours = "first_response", satisfaction = "csat" }
company = { open_tickets = "open_tickets" }
"#;

pub(super) struct Stage {
    pub(super) world: World,
    pub(super) clock: SimClock,
    pub(super) engine: Engine,
    pub(super) ada: u64,
    pub(super) ada_desk: u64,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let (mut world, clock) = World::timed().await;
        world.mapping.push_str(SUMMARY);
        for (name, value_type) in [
            ("open_tickets", ValueType::Number),
            ("last_ticket", ValueType::Date),
            ("first_response", ValueType::Number),
            ("csat", ValueType::Number),
        ] {
            for kind in [Kind::Contact, Kind::Company] {
                let property = Property::new(name, name, value_type);
                world.crm.portal().add_property(kind, property);
            }
        }
        let ada = world.crm_contact(&[("email", "ada@example.com"), ("firstname", "Ada")]);
        let mut engine = world.timed_engine(&clock).await;
        cycle(&mut engine).await;
        let ada_desk = world.desk_by_email("ada@example.com").id;
        Self {
            world,
            clock,
            engine,
            ada,
            ada_desk,
        }
    }

    /// The daemon is started anew.
    pub(super) async fn restarted(self) -> Self {
        drop(self.engine);
        let engine = self.world.timed_engine(&self.clock).await;
        Self { engine, ..self }
    }

    /// The engine is another one from now on, with something between it and the CRM.
    pub(super) async fn hooked(&mut self) -> Arc<Hooked> {
        use deskbridge::model::{Kind, Side};
        self.world.let_go(&mut self.engine).await;
        let clock = Arc::clone(&self.engine.clock);
        let hooked = self
            .world
            .hooked_engine_with(Side::Crm, Kind::Contact, clock);
        let (engine, hooked) = hooked.await;
        self.engine = engine;
        hooked
    }

    pub(super) async fn later(&mut self, minutes: i64) -> CycleReport {
        self.clock.advance(TimeDelta::minutes(minutes));
        cycle(&mut self.engine).await
    }

    /// The same, whatever comes of it.
    pub(super) async fn try_later(&mut self, minutes: i64) -> CycleReport {
        self.clock.advance(TimeDelta::minutes(minutes));
        self.engine.cycle(false).await.unwrap()
    }

    pub(super) fn ticket(&self, days_ago: i64) -> u64 {
        let created = self.clock.now() - TimeDelta::days(days_ago);
        let seeds = [TicketSeed {
            requester_id: self.ada_desk,
            created_at: Some(created.timestamp()),
            updated_at: Some(self.clock.now().timestamp()),
            ..TicketSeed::default()
        }];
        self.world.desk.populate_tickets(seeds).remove(0)
    }

    /// What the CRM shows of Ada.
    pub(super) fn shown(&self, property: &str) -> String {
        let row = self.world.crm_row(self.ada);
        row.properties.get(property).cloned().unwrap_or_default()
    }

    pub(super) async fn updates(&self) -> i64 {
        let sql = "SELECT count(*) FROM journal WHERE side = 'crm' AND outcome = 'done'";
        self.world.count(sql).await
    }
}

#[tokio::test]
async fn sales_sees_how_many_tickets_a_customer_has_open() {
    let mut stage = Stage::new().await;
    let (first, _second) = (stage.ticket(200), stage.ticket(3));
    let report = stage.later(1).await;
    assert_eq!(report.summed_up, 1);
    assert_eq!(stage.shown("open_tickets"), "2");
    assert_eq!(stage.shown("last_ticket"), "2026-02-27");
    stage
        .world
        .desk
        .edit_ticket(first, &json!({"status": 5}))
        .unwrap();
    stage.later(1).await;
    assert_eq!(stage.shown("open_tickets"), "1");
}

#[tokio::test]
async fn a_summary_is_written_when_it_changes_and_not_otherwise() {
    let mut stage = Stage::new().await;
    let ticket = stage.ticket(3);
    stage.later(1).await;
    assert_eq!(stage.updates().await, 1);
    stage
        .world
        .desk
        .edit_ticket(ticket, &json!({"priority": 2}))
        .unwrap();
    for _ in 0..3 {
        stage.later(30).await;
    }
    assert_eq!(stage.updates().await, 1);
}

#[tokio::test]
async fn deleted_tickets_and_ratings_count_within_the_hour() {
    let mut stage = Stage::new().await;
    let ticket = stage.ticket(3);
    let other = stage.ticket(4);
    stage.later(1).await;
    assert_eq!(stage.shown("open_tickets"), "2");
    stage.world.desk.delete_ticket(ticket).unwrap();
    stage.world.desk.rate_ticket(other, 103, None);
    stage.later(61).await;
    assert_eq!(stage.shown("open_tickets"), "1");
    assert_eq!(stage.shown("csat"), "100");
}

#[tokio::test]
async fn a_company_is_told_of_the_tickets_that_were_opened_for_it() {
    let mut stage = Stage::new().await;
    let acme = stage
        .world
        .crm_company(&[("name", "Acme"), ("domain", "acme.example")]);
    stage.later(1).await;
    let companies = stage.world.desk.companies();
    let desk = companies.iter().find(|it| it.name == "Acme").unwrap().id;
    stage.world.desk.populate_tickets([TicketSeed {
        requester_id: stage.ada_desk,
        company_id: Some(desk),
        ..TicketSeed::default()
    }]);
    stage.later(1).await;
    let row = stage.world.crm.portal().row(Kind::Company, acme).unwrap();
    assert_eq!(row.properties["open_tickets"], "1");
}

#[tokio::test]
async fn a_summary_that_the_crm_refuses_is_sent_again_only_when_it_changes() {
    let mut stage = Stage::new().await;
    let archived = Property::new("open_tickets", "open_tickets", ValueType::Bool);
    let portal = stage.world.crm.portal();
    portal.add_property(Kind::Contact, archived);
    let ticket = stage.ticket(3);
    stage.ticket(2);
    for _ in 0..3 {
        stage.later(1).await;
    }
    let refused = "SELECT count(*) FROM journal WHERE side = 'crm' AND outcome = 'refused'";
    assert_eq!(stage.world.count(refused).await, 1);
    let number = Property::new("open_tickets", "open_tickets", ValueType::Number);
    stage.world.crm.portal().add_property(Kind::Contact, number);
    let closed = json!({"status": 5});
    stage.world.desk.edit_ticket(ticket, &closed).unwrap();
    stage.later(1).await;
    assert_eq!(stage.shown("open_tickets"), "1");
}

#[tokio::test]
async fn the_time_to_the_first_answer_is_told_in_hours() {
    let mut stage = Stage::new().await;
    let ticket = stage.ticket(0);
    stage.clock.advance(TimeDelta::minutes(90));
    let desk = &stage.world.desk;
    let url = format!("{}/api/v2/tickets/{ticket}/reply", desk.url());
    let reply = reqwest::Client::new()
        .post(url)
        .basic_auth(desk.api_key(), Some("X"))
        .json(&json!({"body": "We are looking into it."}));
    assert!(reply.send().await.unwrap().status().is_success());
    stage.later(1).await;
    assert_eq!(stage.shown("first_response"), "1.5");
}

#[tokio::test]
async fn while_a_hundred_old_tickets_are_counted_a_vip_does_not_wait_and_nobody_is_told_half_a_sum()
{
    let mut stage = Stage::new().await;
    stage.world.remap(SUMMARY, "");
    stage = stage.restarted().await;
    stage.later(1).await;
    for _ in 0..250 {
        stage.ticket(200);
    }
    stage.later(10).await;
    stage.world.mapping.push_str(SUMMARY);
    stage.world.mapping.push_str(VIP);
    stage = stage.restarted().await;
    let urgent = stage.ticket(3);
    stage.world.crm_edit(stage.ada, &[("customer_tier", "vip")]);
    let mut cycles = 0;
    loop {
        stage.engine.slice = Some(Duration::ZERO);
        let report = stage.later(1).await;
        cycles += 1;
        let priority = stage.world.desk.ticket(urgent).unwrap().priority;
        assert_eq!(priority, URGENT, "after {cycles} cycles");
        let row = stage.world.crm_row(stage.ada);
        let shown = row.properties.get("open_tickets").map(String::as_str);
        if !report.unfinished {
            assert_eq!(shown, Some("251"));
            break;
        }
        assert!(shown.is_none_or(str::is_empty), "{shown:?} after {cycles}");
        stage = stage.restarted().await;
        assert!(cycles < 10);
    }
    assert!(cycles >= 3, "{cycles} cycles for three pages");
}

/// Customers of whom each has a ticket, and whose summaries the CRM does not take.
async fn crowd(fault: Fault) -> (Stage, Faults) {
    let mut stage = Stage::new().await;
    for number in 0..240 {
        let email = format!("customer-{number}@example.com");
        stage
            .world
            .crm_contact(&[("email", &email), ("firstname", "Bob")]);
    }
    stage.later(1).await;
    for contact in stage.world.desk.contacts() {
        stage.world.desk.populate_tickets([TicketSeed {
            requester_id: contact.id,
            ..TicketSeed::default()
        }]);
    }
    let faults = stage.world.crm.backstage().faults.clone();
    let updates = "/crm/v3/objects/contacts/batch/update";
    faults.inject("POST", updates, fault, 9_000);
    (stage, faults)
}

const IN_VAIN: &str =
    "SELECT count(*) FROM journal WHERE outcome IN ('failed', 'unknown', 'not_sent')";

#[tokio::test]
async fn while_the_crm_takes_no_summaries_the_budget_is_left_to_others_and_no_summary_is_lost() {
    for status in [403, 500] {
        let (mut stage, faults) = crowd(Fault::Refuse(status)).await;
        let report = stage.try_later(1).await;
        assert_eq!(report.troubles.len(), 1, "{:?}", report.troubles);
        let first = stage.world.count(IN_VAIN).await;
        for _ in 0..30 {
            stage.try_later(1).await;
        }
        let rows = stage.world.count(IN_VAIN).await - first;
        assert!((200..=2_000).contains(&rows), "{status}: {rows} rows");
        assert_eq!(stage.updates().await, 0);
        faults.clear();
        stage.later(120).await;
        assert_eq!(stage.updates().await, 241, "{status}");
        let report = stage.later(1).await;
        assert_eq!(report.summed_up, 0);
    }
}

#[tokio::test]
async fn a_batch_of_summaries_that_always_fails_holds_up_no_other() {
    let (mut stage, faults) = crowd(Fault::Refuse(403)).await;
    faults.clear();
    let updates = "/crm/v3/objects/contacts/batch/update";
    faults.inject("POST", updates, Fault::Refuse(500), 1);
    stage.try_later(1).await;
    assert_eq!(stage.updates().await, 141);
    stage.later(2).await;
    assert_eq!(stage.updates().await, 241);
}

#[tokio::test]
async fn a_summary_makes_the_crms_side_of_a_conflict_no_later_edit() {
    let mut stage = Stage::new().await;
    let policy = "conflict = \"newest\"";
    stage.world.remap(policy, "conflict = \"hold\"");
    let mut stage = stage.restarted().await;
    stage.later(1).await;
    stage.clock.advance(TimeDelta::minutes(1));
    stage.world.crm_edit(stage.ada, &[("phone", "+1")]);
    stage.clock.advance(TimeDelta::minutes(1));
    let edit = json!({"phone": "+2"});
    stage.world.desk_edit(stage.ada_desk, &edit);
    assert_eq!(stage.later(1).await.held, 1);
    stage.ticket(3);
    assert_eq!(stage.later(1).await.summed_up, 1);
    stage.later(1).await;
    let hold = stage.world.only_hold().await;
    stage.world.answer(hold.id, Answer::Approve).await;
    stage.later(1).await;
    assert_eq!(stage.shown("phone"), "+2", "the later edit of a person");
}
