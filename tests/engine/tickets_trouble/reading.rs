//! Many customers, many tickets, and reading that is cut short.

use crate::world::hooked::TicketCall;
use crate::world::stage::{LOW, Stage, URGENT, VIP, impatient};
use chrono::TimeDelta;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::{Options, TicketOptions, TicketSeed};
use futures_util::future::join_all;

fn quick() -> Options {
    Options {
        tickets: TicketOptions {
            job_polls: 0,
            ..TicketOptions::default()
        },
        ..Options::default()
    }
}

fn silent() -> String {
    VIP.replace("note ", "# note ")
}

/// This many customers, each with a ticket; their ids in the CRM and those of the tickets.
async fn crowd(stage: &mut Stage, people: usize) -> (Vec<u64>, Vec<u64>) {
    let crm: Vec<u64> = (0..people)
        .map(|n| stage.person(&format!("p{n}"), "standard"))
        .collect();
    stage.turn().await;
    let tickets = (0..people).map(|n| {
        let desk = stage.world.desk_by_email(&format!("p{n}@example.com")).id;
        stage.ticket_of(desk, None)
    });
    let tickets = tickets.collect();
    stage.turn().await;
    (crm, tickets)
}

fn ennoble(stage: &Stage, people: &[u64]) {
    for person in people {
        stage.world.crm_edit(*person, &[("customer_tier", "vip")]);
    }
}

#[tokio::test]
async fn when_many_customers_become_vips_at_once_all_tickets_are_read_instead_of_each_ones() {
    let mut stage = Stage::with(&silent(), quick()).await;
    let (people, tickets) = crowd(&mut stage, 30).await;
    stage.clock.advance(TimeDelta::minutes(5));
    ennoble(&stage, &people);
    stage.world.forget_calls();
    stage.turn().await;
    assert!(tickets.iter().all(|it| stage.priority(*it) == URGENT));
    let calls = stage.ticket_calls();
    assert!(calls.len() <= 9, "{calls:#?}");
    stage.rests().await;
}

#[tokio::test]
async fn a_reading_of_all_tickets_that_is_cut_short_is_finished_later() {
    let mut stage = Stage::with(&silent(), quick()).await;
    // Old ones of nobody, so that there are several pages.
    let old = stage.clock.now().timestamp() - 86_400;
    for n in 0..250 {
        stage.seed(TicketSeed {
            requester_id: stage.ada_desk,
            status: 5,
            created_at: Some(old + n),
            ..TicketSeed::default()
        });
    }
    let (people, tickets) = crowd(&mut stage, 30).await;
    stage.clock.advance(TimeDelta::minutes(5));
    ennoble(&stage, &people);
    for _ in 0..4 {
        // The list of changes, then a page of all.
        stage.die_at(TicketCall::List, false).await;
    }
    let faults = stage.world.desk.backstage().faults.clone();
    stage.turn().await;
    assert!(tickets.iter().all(|it| stage.priority(*it) == URGENT));
    let unread = "SELECT count(*) FROM standing WHERE phase <> 'read'";
    assert_eq!(stage.world.count(unread).await, 0);
    faults.inject("GET", "/api/v2/tickets", Fault::TornBody, 1);
    stage.try_turn().await;
    stage.rests().await;
}

#[tokio::test]
async fn a_customer_with_hundreds_of_tickets_has_all_open_ones_raised() {
    let mut stage = Stage::with(&silent(), quick()).await;
    impatient(&mut stage.engine);
    let mut open = Vec::new();
    for n in 0..430_u64 {
        let status = if n % 2 == 0 { 2 } else { 5 };
        let ticket = stage.ticket(status, LOW);
        if status == 2 {
            open.push(ticket);
        }
    }
    stage.vip();
    let report = stage.turn().await;
    assert_eq!(report.tickets.raised, open.len() as u64);
    assert!(open.iter().all(|it| stage.priority(*it) == URGENT));
    stage.rests().await;
    stage.standard();
    let report = stage.turn().await;
    assert_eq!(report.tickets.restored, open.len() as u64);
    assert!(open.iter().all(|it| stage.priority(*it) == LOW));
}

#[tokio::test]
async fn a_torn_page_of_changes_is_read_again_before_anything_is_decided() {
    let cases = [
        Fault::TornBody,
        Fault::HtmlBody,
        Fault::EmptyBody,
        Fault::Refuse(500),
    ]
    .map(|fault| async move {
        let mut stage = Stage::new(VIP).await;
        let ticket = stage.ticket(2, LOW);
        stage.vip();
        stage.turn().await;
        stage.edit(ticket, &serde_json::json!({"priority": 2}));
        stage.standard();
        stage
            .world
            .desk
            .backstage()
            .faults
            .inject("GET", "/api/v2/tickets", fault, 2);
        for _ in 0..2 {
            stage.try_turn().await;
            assert_eq!(stage.priority(ticket), 2, "{fault:?}: overruled");
        }
        stage.turn().await;
        assert_eq!(stage.priority(ticket), 2, "{fault:?}: overruled");
        stage.rests().await;
    });
    join_all(cases).await;
}
