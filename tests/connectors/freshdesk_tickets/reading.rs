//! Reading tickets: none is missed, none is declared gone in error, and no page is read in vain.

use super::{Desk, NOON, changed, ids, raise, record, set, some_ticket, time};
use chrono::TimeDelta;
use deskbridge::model::{Presence, RecordId};
use deskbridge::remote::{Applied, ErrorKind, Job, JobState, TicketFeed, TicketOutcome};
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::{self as sim, TicketOptions, TicketSeed, TicketStanding};
use serde_json::json;

#[tokio::test]
async fn no_changed_ticket_is_missed_and_no_page_is_read_in_vain() {
    let desk = Desk::new().await;
    let before = desk.changed_at([NOON - 9000]);
    let after = desk.changed_at((0..450).map(|n| NOON - 4500 + 10 * n));
    let seen = desk.read(&changed(NOON - 4500)).await;
    assert_eq!(ids(&seen), set(&after));
    assert!(!ids(&seen).contains(&before[0]));
    assert_eq!(desk.calls("tickets.list"), 5);
}

#[tokio::test]
async fn a_ticket_that_changes_during_a_pass_hides_no_other() {
    let desk = Desk::new().await;
    let all = desk.changed_at((0..350).map(|n| NOON - 3500 + 10 * n));
    let seen = desk
        .pass(&changed(NOON - 3500), |_, page| {
            desk.sim.backstage().clock.advance(TimeDelta::seconds(1));
            for id in ids(&page[..page.len().min(3)]) {
                desk.sim
                    .edit_ticket(id, &json!({"tags": ["moved"]}))
                    .unwrap();
            }
        })
        .await;
    assert_eq!(ids(&seen), set(&all));
}

#[tokio::test]
async fn an_import_that_changed_hundreds_of_tickets_in_one_second_is_read_whole() {
    let desk = Desk::new().await;
    let mut all = desk.changed_at([NOON - 100; 350]);
    all.extend(desk.changed_at([NOON - 99; 150]));
    all.extend(desk.changed_at([NOON - 50]));
    let seen = desk.read(&changed(NOON - 200)).await;
    assert_eq!(ids(&seen), set(&all));
}

#[tokio::test]
async fn a_server_that_leaves_the_first_second_out_costs_no_ticket_between_pages() {
    let desk = Desk::with(sim::Options {
        since_inclusive: false,
        ..sim::Options::default()
    })
    .await;
    let all = desk.changed_at((0..400).map(|n| NOON - 400 + n / 3));
    let seen = desk.read(&changed(NOON - 500)).await;
    assert_eq!(ids(&seen), set(&all));
}

#[tokio::test]
async fn a_pass_goes_on_after_a_restart_where_it_stopped() {
    let desk = Desk::new().await;
    let all = desk.changed_at((0..150).map(|n| NOON - 1500 + 10 * n));
    let feed = changed(NOON - 1500);
    let first = desk.desk().tickets(&feed, None).await.unwrap();
    let cursor = first.next.unwrap();
    let second = desk.desk().tickets(&feed, Some(&cursor)).await.unwrap();
    let mut seen = ids(&first.tickets);
    assert!(second.next.is_none());
    assert!(second.tickets.len() < 60);
    seen.extend(ids(&second.tickets));
    assert_eq!(seen, set(&all));
    assert_eq!(first.server_time, time(NOON));
}

#[tokio::test]
async fn a_customers_tickets_are_found_however_old() {
    let desk = Desk::new().await;
    let old = desk.changed_at([NOON - 86_400 * 900, NOON - 60]);
    let bob = desk
        .sim
        .add_contact(&json!({"name": "Bob", "email": "b@example.com"}));
    let other = desk.sim.ticket_arrives(bob.unwrap(), "Other").unwrap();
    let of_ada = desk.read(&TicketFeed::Requester(record(desk.ada))).await;
    assert_eq!(ids(&of_ada), set(&old));
    assert_eq!(of_ada[0].requester, record(desk.ada));
    assert_eq!(of_ada[0].company, Some(record(desk.acme)));
    let of_acme = desk.read(&TicketFeed::Company(record(desk.acme))).await;
    assert_eq!(ids(&of_acme), set(&old));
    assert!(!ids(&of_acme).contains(&other));
}

#[tokio::test]
async fn a_customer_who_is_gone_for_good_has_no_tickets_and_stops_nobody_else() {
    for strict_filters in [true, false] {
        let desk = Desk::with_tickets(TicketOptions {
            strict_filters,
            ..TicketOptions::default()
        })
        .await;
        desk.ticket();
        for feed in [
            TicketFeed::Requester(record(999)),
            TicketFeed::Company(record(999)),
        ] {
            assert_eq!(desk.read(&feed).await, []);
        }
    }
}

#[tokio::test]
async fn what_was_deleted_or_marked_as_spam_is_said_to_be_and_not_just_missing() {
    let desk = Desk::new().await;
    let all = desk.changed_at([NOON - 60; 3]);
    desk.sim.delete_ticket(all[0]).unwrap();
    desk.sim.spam_ticket(all[1]).unwrap();
    let trashed = desk.read(&TicketFeed::Trashed(time(NOON - 30))).await;
    assert_eq!(ids(&trashed), set(&all[..2]));
    assert!(trashed.iter().all(|it| it.presence == Presence::Trashed));
    assert_eq!(ids(&desk.read(&changed(NOON - 90)).await), set(&all[2..]));
}

#[tokio::test]
async fn the_first_answer_is_read_where_it_is_asked_for_and_costs_nothing_where_not() {
    let desk = Desk::new().await;
    let ticket = desk.ticket();
    let reply = format!("{}/api/v2/tickets/{ticket}/reply", desk.sim.url());
    let request = reqwest::Client::new().post(reply);
    let request = request.basic_auth(desk.sim.api_key(), Some("X"));
    let sent = request.json(&json!({"body": "Hello"})).send().await;
    assert_eq!(sent.unwrap().status(), 201);
    let feed = |answers| TicketFeed::Changed {
        since: time(NOON - 90),
        answers,
    };
    let seen = desk.read(&feed(true)).await;
    assert_eq!(seen[0].first_answered_at, Some(time(NOON)));
    let seen = desk.read(&feed(false)).await;
    assert_eq!(seen[0].first_answered_at, None);
    let log = desk.sim.backstage().log.entries();
    assert!(!log.last().unwrap().query.contains("include"));
}

#[tokio::test]
async fn a_ticket_is_missing_only_while_the_account_answers() {
    let desk = Desk::new().await;
    let ticket = desk.ticket();
    let view = async |id| desk.desk().ticket(&record(id)).await;
    let seen = view(ticket).await.unwrap().unwrap();
    assert_eq!((seen.image.status, seen.presence), (5, Presence::Live));
    desk.sim.delete_ticket(ticket).unwrap();
    let seen = view(ticket).await.unwrap().unwrap();
    assert_eq!(seen.presence, Presence::Trashed);
    assert_eq!(view(999).await.unwrap(), None);
    desk.sim.switch_off(true);
    assert_eq!(view(ticket).await.unwrap_err().kind, ErrorKind::Missing);
    let outcome = desk.change(ticket, &raise()).await;
    let TicketOutcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (error.kind, error.applied()),
        (ErrorKind::Missing, Applied::No)
    );
}

#[tokio::test]
async fn an_id_cannot_lead_to_another_path() {
    let desk = Desk::new().await;
    for id in [
        "",
        "1/restore",
        "../agents/me",
        "-1",
        "99999999999999999999",
    ] {
        let id = RecordId::from(id);
        assert!(desk.desk().ticket(&id).await.is_err());
        assert!(desk.desk().notes(&id).await.is_err());
        let outcome = desk.desk().change(&some_ticket(id.clone()), &raise()).await;
        assert!(matches!(outcome, TicketOutcome::Failed(_)));
        let many = desk.desk().change_many(&[id], &raise()).await;
        assert_eq!(many.unwrap_err().kind, ErrorKind::Rejected(400));
    }
    let job = desk.desk().job(&Job("../tickets/1".to_owned())).await;
    assert_eq!(job.unwrap(), JobState::Ended("unknown".to_owned()));
    assert_eq!(desk.sim.backstage().log.total(), 0);
}

#[tokio::test]
async fn how_much_work_a_first_pass_is_can_be_told_beforehand() {
    let desk = Desk::new().await;
    desk.changed_at((0..120).map(|n| NOON - 86_400 * 40 + n));
    assert_eq!(desk.desk().count().await.unwrap(), 120);
}

#[tokio::test]
async fn a_torn_page_is_never_a_shorter_one() {
    let desk = Desk::new().await;
    let all = desk.changed_at([NOON - 60; 20]);
    for fault in [Fault::TornBody, Fault::HtmlBody, Fault::EmptyBody] {
        desk.inject("GET", "/api/v2/tickets", fault, 1);
        if let Ok(page) = desk.desk().tickets(&changed(NOON - 90), None).await {
            assert_eq!(ids(&page.tickets), set(&all), "{fault:?}");
        }
    }
    let spam = TicketSeed {
        requester_id: desk.ada,
        standing: TicketStanding::Spam,
        ..TicketSeed::default()
    };
    desk.sim.populate_tickets([spam]);
    assert_eq!(desk.read(&changed(NOON - 90)).await.len(), 20);
}
