//! Tickets that Freshdesk does not let us change, and calls that it refuses.

use crate::world::hooked::{Hook, TicketCall};
use crate::world::stage::{LOW, MEDIUM, Stage, URGENT, VIP};
use chrono::TimeDelta;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::{Options, TicketOptions, TicketSeed};
use serde_json::json;
use std::sync::Arc;

/// An account where no ticket can be written while a custom field of it is empty.
fn strict() -> Options {
    Options {
        tickets: TicketOptions {
            required_for_agents: vec!["cf_order_number".to_owned()],
            ..TicketOptions::default()
        },
        ..Options::default()
    }
}

/// A ticket that has what the form wants.
fn complete(stage: &Stage) -> u64 {
    stage.seed(TicketSeed {
        requester_id: stage.ada_desk,
        custom: vec![("cf_order_number", json!("7"))],
        ..TicketSeed::default()
    })
}

#[tokio::test]
async fn a_ticket_that_lacks_a_mandatory_field_stops_no_other_and_rises_once_it_has_it() {
    let mut stage = Stage::with(VIP, strict()).await;
    let (bare, whole) = (stage.ticket(2, LOW), complete(&stage));
    stage.vip();
    let report = stage.turn().await;
    assert_eq!((stage.priority(bare), stage.priority(whole)), (LOW, URGENT));
    assert_eq!((report.tickets.raised, report.tickets.parked), (1, 1));
    let parked = stage
        .world
        .text("SELECT error FROM ticket WHERE state = 'refused'")
        .await;
    assert!(
        parked.unwrap().contains("cf_order_number"),
        "in which words"
    );
    stage.world.forget_calls();
    stage.turn().await;
    assert_eq!(stage.world.writes(), [""; 0], "asked again at once");
    let filled = json!({"custom_fields": {"cf_order_number": "8"}});
    stage.edit(bare, &filled);
    stage.turn().await;
    assert_eq!(stage.priority(bare), URGENT);
    assert_eq!(stage.notes(bare), 1);
    stage.rests().await;
}

#[tokio::test]
async fn a_refused_ticket_is_tried_again_after_a_pause_and_rarer_each_time() {
    let mut stage = Stage::with(VIP, strict()).await;
    let bare = stage.ticket(2, LOW);
    stage.vip();
    stage.turn().await;
    let mut tries = Vec::new();
    for _ in 0..12 {
        stage.world.forget_calls();
        stage.clock.advance(TimeDelta::minutes(4));
        stage.turn().await;
        tries.push(stage.world.writes().len());
    }
    let tries: usize = tries.iter().sum();
    assert!((1..=4).contains(&tries), "{tries} tries in an hour");
    stage.standard();
    stage.turn().await;
    assert_eq!(
        stage.world.count("SELECT count(*) FROM ticket").await,
        0,
        "{bare}"
    );
}

#[tokio::test]
async fn a_ticket_that_was_deleted_meanwhile_is_let_alone_and_rises_when_it_is_restored() {
    for spam in [false, true] {
        let mut stage = Stage::new(VIP).await;
        let (gone, there) = (stage.ticket(2, LOW), stage.ticket(2, LOW));
        stage.vip();
        // It is deleted between our read and our write.
        let desk = stage.hooked().await;
        let shared = Arc::clone(&stage.world.desk);
        desk.hook_tickets(
            TicketCall::Change,
            Hook::Before(Arc::new(move || {
                let removed = if spam {
                    shared.spam_ticket(gone)
                } else {
                    shared.delete_ticket(gone)
                };
                removed.unwrap();
            })),
        );
        stage.turn().await;
        assert_eq!(stage.priority(there), URGENT);
        assert_eq!(stage.priority(gone), LOW);
        stage.rests().await;
        let back = if spam {
            stage.world.desk.unspam_ticket(gone)
        } else {
            stage.world.desk.restore_ticket(gone)
        };
        back.unwrap();
        stage.turn().await;
        assert_eq!(stage.priority(gone), URGENT);
        stage.rests().await;
    }
}

#[tokio::test]
async fn a_raised_ticket_that_is_deleted_costs_no_calls_once_the_trash_is_emptied_and_is_given_back_if_restored_before()
 {
    let mut stage = Stage::new(VIP).await;
    let (restored, deleted) = (stage.ticket(2, LOW), stage.ticket(2, LOW));
    stage.vip();
    stage.turn().await;
    for ticket in [restored, deleted] {
        stage.world.desk.delete_ticket(ticket).unwrap();
    }
    stage.turn().await;
    stage.world.desk.restore_ticket(restored).unwrap();
    stage.standard();
    stage.turn().await;
    assert_eq!(stage.priority(restored), LOW);
    // The trash is emptied after 30 days.
    stage.clock.advance(TimeDelta::days(31));
    stage.turn().await;
    stage.world.forget_calls();
    stage.turn().await;
    assert_eq!(stage.ticket_calls(), [""; 0], "for a ticket in the trash");
}

#[tokio::test]
async fn a_raised_ticket_that_comes_back_from_the_trash_after_the_standing_is_given_back() {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket(2, LOW);
    stage.vip();
    stage.turn().await;
    stage.world.desk.delete_ticket(ticket).unwrap();
    stage.turn().await;
    stage.standard();
    stage.turn().await;
    stage.world.desk.restore_ticket(ticket).unwrap();
    stage.turn().await;
    assert_eq!(stage.priority(ticket), LOW);
    stage.rests().await;
}

#[tokio::test]
async fn a_ticket_that_is_closed_while_it_is_raised_is_not_fought_over() {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket(2, LOW);
    stage.vip();
    stage.turn().await;
    stage.edit(ticket, &json!({"status": 5}));
    stage.turn().await;
    stage.standard();
    stage.turn().await;
    assert_eq!(stage.priority(ticket), URGENT, "a closed ticket is changed");
    stage.vip();
    stage.turn().await;
    stage.edit(ticket, &json!({"status": 2}));
    stage.turn().await;
    assert_eq!(stage.priority(ticket), URGENT);
    stage.standard();
    stage.turn().await;
    assert_eq!(
        stage.priority(ticket),
        LOW,
        "what stood there before is forgotten"
    );
}

#[tokio::test]
async fn calls_that_the_key_has_no_right_to_leave_other_tickets_alone() {
    let mut stage = Stage::new(VIP).await;
    let (forbidden, allowed) = (stage.ticket(2, LOW), stage.ticket(2, LOW));
    let path = format!("/api/v2/tickets/{forbidden}");
    let faults = &stage.world.desk.backstage().faults.clone();
    faults.inject("PUT", &path, Fault::Refuse(403), 9);
    stage.vip();
    stage.try_turn().await;
    assert_eq!(stage.priority(allowed), URGENT);
    assert_eq!(stage.priority(forbidden), LOW);
    faults.clear();
    stage.clock.advance(TimeDelta::hours(2));
    stage.turn().await;
    assert_eq!(stage.priority(forbidden), URGENT);
}

#[tokio::test]
async fn a_ticket_that_always_fails_is_asked_rarer_and_rarer_and_rises_in_the_end() {
    let mut stage = Stage::new(VIP).await;
    let (bad, good) = (stage.ticket(2, LOW), stage.ticket(2, LOW));
    let path = format!("/api/v2/tickets/{bad}");
    let faults = stage.world.desk.backstage().faults.clone();
    faults.inject("PUT", &path, Fault::Refuse(500), 900);
    stage.vip();
    stage.world.forget_calls();
    for _ in 0..15 {
        stage.clock.advance(TimeDelta::minutes(1));
        stage.try_turn().await;
    }
    assert_eq!(stage.priority(good), URGENT);
    let tries = stage
        .world
        .writes()
        .iter()
        .filter(|it| it.contains(&path))
        .count();
    assert!((2..=12).contains(&tries), "{tries} tries in half an hour");
    faults.clear();
    stage.clock.advance(TimeDelta::hours(2));
    stage.turn().await;
    assert_eq!(stage.priority(bad), URGENT);
    stage.rests().await;
}

/// A rule that only posts a note.
fn only_a_note() -> String {
    VIP.replace("priority = ", "# ")
        .replace("tags     = ", "# ")
        .replace("\"restore\"", "\"keep\"")
}

impl Stage {
    /// How many notes were sent since the log was last taken.
    fn notes_sent(&self) -> usize {
        let writes = self.world.writes().into_iter();
        writes.filter(|it| it.contains("/notes")).count()
    }
}

#[tokio::test]
async fn while_the_key_may_post_no_notes_the_budget_is_left_to_others_and_no_note_is_lost() {
    let mut stage = Stage::new(&only_a_note()).await;
    let tickets = stage.open_tickets(40);
    let faults = stage.world.desk.backstage().faults.clone();
    let all = "/api/v2/tickets/";
    faults.inject("POST", all, Fault::Refuse(403), 9_000);
    stage.vip();
    stage.world.forget_calls();
    for turn in 1..=10 {
        let report = stage.try_turn().await;
        assert_eq!(report.troubles.len(), 1, "{:?}", report.troubles);
        assert_eq!(stage.notes_sent(), turn);
    }
    let rows = "SELECT count(*) FROM journal WHERE action = 'note'";
    assert_eq!(stage.world.count(rows).await, 10);
    faults.clear();
    stage.clock.advance(TimeDelta::hours(2));
    stage.turn().await;
    assert!(tickets.iter().all(|it| stage.notes(*it) == 1));
    stage.rests().await;
}

#[tokio::test]
async fn a_ticket_that_takes_no_notes_holds_up_no_other_and_is_tried_rarer_and_rarer() {
    for status in [403, 500] {
        let mut stage = Stage::new(VIP).await;
        let (bad, good) = (stage.ticket(2, LOW), stage.ticket(2, LOW));
        let path = format!("/api/v2/tickets/{bad}/notes");
        let faults = stage.world.desk.backstage().faults.clone();
        faults.inject("POST", &path, Fault::Refuse(status), 900);
        stage.vip();
        stage.world.forget_calls();
        for _ in 0..30 {
            stage.try_turn().await;
        }
        assert_eq!(stage.notes(good), 1, "{status}");
        let tries = stage.notes_sent() - 1;
        assert!((3..=8).contains(&tries), "{status}: {tries} in 30 minutes");
        // What the rules want of the ticket itself does not wait for the note.
        stage.standard();
        stage.try_turn().await;
        assert_eq!(stage.priority(bad), LOW, "{status}");
        stage.vip();
        stage.try_turn().await;
        assert_eq!(stage.priority(bad), URGENT, "{status}");
        faults.clear();
        stage.clock.advance(TimeDelta::hours(2));
        stage.turn().await;
        assert_eq!(stage.notes(bad), 1, "{status}");
        stage.rests().await;
    }
}

#[tokio::test]
async fn a_ticket_that_cannot_be_changed_gets_the_note_that_it_is_owed() {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket(2, LOW);
    let path = format!("/api/v2/tickets/{ticket}");
    let faults = stage.world.desk.backstage().faults.clone();
    faults.inject("POST", &path, Fault::Refuse(403), 900);
    stage.vip();
    stage.try_turn().await;
    stage.standard();
    faults.inject("PUT", &path, Fault::Refuse(403), 900);
    for _ in 0..9 {
        stage.try_turn().await;
    }
    assert_eq!((stage.priority(ticket), stage.notes(ticket)), (URGENT, 0));
    faults.clear();
    faults.inject("PUT", &path, Fault::Refuse(403), 900);
    stage.clock.advance(TimeDelta::hours(2));
    stage.try_turn().await;
    assert_eq!((stage.priority(ticket), stage.notes(ticket)), (URGENT, 1));
}

#[tokio::test]
async fn one_customer_whose_tickets_cannot_be_listed_holds_up_nobody_else() {
    let mut stage = Stage::new(VIP).await;
    let bob = stage.person("bob", "standard");
    stage.turn().await;
    let bob_desk = stage.world.desk_by_email("bob@example.com").id;
    let (ada, bobs) = (stage.ticket(2, LOW), stage.ticket_of(bob_desk, None));
    stage
        .world
        .desk
        .edit_ticket(ada, &json!({"priority": MEDIUM}))
        .unwrap();
    stage.turn().await;
    let desk = stage.hooked().await;
    desk.deny_tickets_of(Some(stage.ada_desk));
    stage.vip();
    stage.world.crm_edit(bob, &[("customer_tier", "vip")]);
    stage.try_turn().await;
    assert_eq!(stage.priority(bobs), URGENT);
    desk.deny_tickets_of(None);
    stage.turn().await;
    assert_eq!(stage.priority(ada), URGENT);
}
