//! Answers that never come, and deaths between a decision and its confirmation.

use crate::world::hooked::TicketCall;
use crate::world::stage::{HIGH, LOW, MEDIUM, Stage, URGENT, VIP};
use chrono::TimeDelta;
use deskbridge::sandbox::faults::Fault;
use futures_util::future::join_all;
use serde_json::json;

const PLAIN: &str = r#"
[[ticket_rule]]
name     = "vip"
when     = { record = "contact", field = "customer_tier", in = ["vip"] }
priority = "urgent"
"#;

#[tokio::test]
async fn a_ticket_whose_answer_was_lost_rises_once_and_an_agent_who_lowers_it_then_is_not_overruled()
 {
    let cases = [
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Refuse(502),
        Fault::ApplyThenFail(503),
        Fault::TornBody,
        Fault::HtmlBody,
        Fault::EmptyBody,
    ]
    .map(|fault| async move {
        let mut stage = Stage::new(PLAIN).await;
        let ticket = stage.ticket(2, LOW);
        let faults = &stage.world.desk.backstage().faults;
        faults.inject("PUT", "/api/v2/tickets/", fault, 1);
        stage.vip();
        stage.try_turn().await;
        assert_eq!(stage.priority(ticket), URGENT, "{fault:?}");
        for decision in [LOW, HIGH, LOW] {
            stage.edit(ticket, &json!({"priority": decision}));
            stage.turn().await;
            assert_eq!(stage.priority(ticket), decision, "{fault:?}");
        }
        stage.rests().await;
        let open = "SELECT count(*) FROM journal WHERE outcome IS NULL";
        assert_eq!(stage.world.count(open).await, 0, "{fault:?}");
    });
    join_all(cases).await;
}

#[tokio::test]
async fn a_death_around_a_change_neither_loses_it_nor_overrules_who_decides_meanwhile() {
    let cases = [false, true].map(|carried_out| async move {
        for decision in [None, Some(MEDIUM), Some(HIGH)] {
            let mut stage = Stage::new(VIP).await;
            let ticket = stage.ticket(2, LOW);
            stage.vip();
            stage.die_at(TicketCall::Change, carried_out).await;
            if let Some(priority) = decision {
                stage.edit(ticket, &json!({"priority": priority}));
            }
            stage.turn().await;
            let case = format!("{carried_out} {decision:?}");
            match (carried_out, decision) {
                (true, Some(theirs)) => assert_eq!(stage.priority(ticket), theirs, "{case}"),
                (_, None) => assert_eq!(stage.priority(ticket), URGENT, "{case}"),
                // Nothing shows whether it was made: whoever looked at the ticket had the last word.
                (false, Some(_)) => {}
            }
            assert!(stage.notes(ticket) <= 1);
            stage.rests().await;
            stage.standard();
            stage.turn().await;
            if decision.is_none() {
                assert_eq!(
                    stage.priority(ticket),
                    LOW,
                    "{case}: forgot what stood there"
                );
                assert_eq!(stage.tags(ticket), [""; 0], "{case}");
            }
            stage.rests().await;
        }
    });
    join_all(cases).await;
}

#[tokio::test]
async fn a_vips_ticket_that_a_broken_off_cycle_saw_unchanged_rises_whatever_an_agent_sets() {
    let rules = [PLAIN, VIP].map(|rule| async move {
        let mut stage = Stage::new(rule).await;
        let bob = stage.person("bob", "standard");
        stage.turn().await;
        let ticket = stage.ticket(2, LOW);
        stage.vip();
        stage.die_at(TicketCall::Change, false).await;
        // The ticket is looked at; then Bob's are to be listed.
        stage.world.crm_edit(bob, &[("customer_tier", "vip")]);
        stage.die_at_second_list().await;
        stage.edit(ticket, &json!({"priority": MEDIUM}));
        stage.turn().await;
        assert_eq!(stage.priority(ticket), URGENT, "{rule}");
        stage.rests().await;
        stage.standard();
        stage.turn().await;
        assert_eq!(
            stage.priority(ticket),
            MEDIUM,
            "{rule}: forgot what stood there"
        );
    });
    join_all(rules).await;
}

#[tokio::test]
async fn who_lowers_a_ticket_while_it_is_being_given_back_is_not_overruled_by_the_next_standing() {
    let cases = [false, true].map(|carried_out| async move {
        let mut stage = Stage::new(VIP).await;
        let ticket = stage.ticket(2, LOW);
        stage.vip();
        stage.turn().await;
        stage.standard();
        stage.die_at(TicketCall::Change, carried_out).await;
        stage.edit(ticket, &json!({"priority": MEDIUM}));
        stage.turn().await;
        assert_eq!(stage.priority(ticket), MEDIUM, "{carried_out}");
        assert_eq!(
            stage.tags(ticket),
            [""; 0],
            "{carried_out}: ours stays behind"
        );
        stage.vip();
        stage.turn().await;
        assert_eq!(stage.priority(ticket), MEDIUM, "{carried_out}");
        stage.rests().await;
    });
    join_all(cases).await;
}

#[tokio::test]
async fn what_an_agent_sets_after_a_ticket_was_seen_given_back_does_not_keep_it_from_the_next_standing()
 {
    let mut stage = Stage::new(PLAIN).await;
    let bob = stage.person("bob", "standard");
    stage.turn().await;
    let ticket = stage.ticket(2, LOW);
    stage.vip();
    stage.turn().await;
    stage.standard();
    stage.die_at(TicketCall::Change, true).await;
    // The ticket is looked at; then Bob's are to be listed.
    stage.world.crm_edit(bob, &[("customer_tier", "vip")]);
    stage.die_at_second_list().await;
    assert_eq!(stage.priority(ticket), LOW);
    stage.edit(ticket, &json!({"priority": MEDIUM}));
    stage.turn().await;
    assert_eq!(stage.priority(ticket), MEDIUM, "the standing is over");
    stage.vip();
    stage.turn().await;
    assert_eq!(stage.priority(ticket), URGENT);
    stage.rests().await;
    stage.standard();
    stage.turn().await;
    assert_eq!(stage.priority(ticket), MEDIUM, "forgot what stood there");
}

#[tokio::test]
async fn a_note_whose_answer_was_lost_stands_there_exactly_once() {
    let cases = [
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::ApplyThenFail(503),
        Fault::Refuse(500),
        Fault::TornBody,
        Fault::EmptyBody,
    ]
    .map(|fault| async move {
        let mut stage = Stage::new(VIP).await;
        let ticket = stage.ticket(2, LOW);
        let path = format!("/api/v2/tickets/{ticket}/notes");
        stage
            .world
            .desk
            .backstage()
            .faults
            .inject("POST", &path, fault, 1);
        stage.vip();
        stage.try_turn().await;
        stage.turn().await;
        assert_eq!(stage.notes(ticket), 1, "{fault:?}");
        stage.rests().await;
        let open = "SELECT count(*) FROM journal WHERE outcome IS NULL";
        assert_eq!(stage.world.count(open).await, 0, "{fault:?}");
    });
    join_all(cases).await;
}

#[tokio::test]
async fn a_death_around_a_note_neither_loses_nor_doubles_it() {
    let cases = [false, true].map(|carried_out| async move {
        let mut stage = Stage::new(VIP).await;
        let ticket = stage.ticket(2, LOW);
        stage.vip();
        stage.die_at(TicketCall::Note, carried_out).await;
        stage.turn().await;
        assert_eq!(stage.notes(ticket), 1, "{carried_out}");
        stage.rests().await;
    });
    join_all(cases).await;
}

#[tokio::test]
async fn a_note_that_did_not_arrive_does_not_call_the_tickets_next_customer_a_vip() {
    let keep = VIP.replace("\"restore\"", "\"keep\"");
    let cases = [
        (VIP, false, LOW, 0),
        (VIP, true, LOW, 1),
        (&keep, false, URGENT, 1),
    ];
    let cases = cases.map(|(rule, carried_out, priority, notes)| async move {
        let mut stage = Stage::new(rule).await;
        stage.person("bob", "standard");
        stage.turn().await;
        let bob = stage.world.desk_by_email("bob@example.com").id;
        let ticket = stage.ticket(2, LOW);
        stage.vip();
        stage.die_at(TicketCall::Note, carried_out).await;
        stage.edit(ticket, &json!({"requester_id": bob}));
        stage.turn().await;
        assert_eq!(stage.priority(ticket), priority, "{carried_out}");
        let said = stage.world.desk.conversations(ticket);
        assert_eq!(said.len(), notes, "{carried_out}");
        let named = said.iter().any(|note| note.body.contains("bob"));
        assert!(!named, "{said:?}");
        stage.rests().await;
        let open = "SELECT count(*) FROM journal WHERE outcome IS NULL";
        assert_eq!(stage.world.count(open).await, 0, "{carried_out}");
    });
    join_all(cases).await;
}

#[tokio::test]
async fn two_rules_notes_are_posted_once_each_although_the_first_answer_was_lost() {
    let second = VIP
        .replace("\"vip\"\nwhen", "\"also\"\nwhen")
        .replace("[\"vip\"]\nnote", "[\"also\"]\nnote");
    let mut stage = Stage::new(&format!("{VIP}{second}")).await;
    let ticket = stage.ticket(2, LOW);
    let path = format!("/api/v2/tickets/{ticket}/notes");
    let faults = stage.world.desk.backstage().faults.clone();
    faults.inject("POST", &path, Fault::ApplyThenFail(503), 1);
    stage.vip();
    stage.try_turn().await;
    stage.turn().await;
    stage.turn().await;
    assert_eq!(stage.notes(ticket), 2);
    assert_eq!(stage.tags(ticket).len(), 2);
    stage.rests().await;
}

#[tokio::test]
async fn a_change_in_doubt_is_looked_at_before_time_or_a_rule_makes_us_act_again() {
    let rules = format!(
        "{PLAIN}\n[[ticket_rule]]\nname = \"old\"\nwhen = {{ record = \"contact\", field = \"customer_tier\", in = [\"vip\"] }}\n\
         tickets = {{ older_than = \"1h\" }}\ntags = [\"old\"]\n"
    );
    let mut stage = Stage::new(&rules).await;
    let ticket = stage.ticket(2, LOW);
    stage.vip();
    stage.die_at(TicketCall::Change, true).await;
    stage.edit(ticket, &json!({"priority": MEDIUM}));
    // It can be listed, but not looked at; and its time has come.
    let path = format!("/api/v2/tickets/{ticket}");
    stage
        .world
        .desk
        .backstage()
        .faults
        .inject("GET", "/api/v2/tickets", Fault::Refuse(500), 3);
    stage.clock.advance(TimeDelta::hours(2));
    stage.try_turn().await;
    stage.turn().await;
    assert_eq!(stage.priority(ticket), MEDIUM, "{path}");
    assert_eq!(stage.tags(ticket), ["old"]);
    stage.rests().await;
}

#[tokio::test]
async fn too_many_calls_end_the_cycle_for_tickets_and_the_next_one_goes_on() {
    let mut stage = Stage::new(VIP).await;
    let tickets = stage.open_tickets(5);
    let faults = stage.world.desk.backstage().faults.clone();
    faults.inject("PUT", "/api/v2/tickets/", Fault::Throttle(0), 1);
    stage.vip();
    stage.try_turn().await;
    stage.turn().await;
    assert!(tickets.iter().all(|it| stage.priority(*it) == URGENT));
    assert!(tickets.iter().all(|it| stage.notes(*it) == 1));
    stage.rests().await;
}

#[tokio::test]
async fn a_server_that_answers_no_change_is_not_asked_for_every_ticket() {
    let mut stage = Stage::new(VIP).await;
    let tags = |n: usize| vec![format!("t{n}")];
    // Each gets another set of tags, so none can be changed in bulk.
    let tickets: Vec<u64> = (0..60)
        .map(|n| {
            let ticket = stage.ticket(2, LOW);
            stage.edit(ticket, &json!({"tags": tags(n)}));
            ticket
        })
        .collect();
    let faults = stage.world.desk.backstage().faults.clone();
    faults.inject("PUT", "/api/v2/tickets/", Fault::Refuse(503), 10_000);
    stage.vip();
    stage.world.forget_calls();
    stage.try_turn().await;
    let tries = stage.world.writes().len();
    assert!(tries < 30, "{tries} tries");
    faults.clear();
    stage.turn().await;
    assert!(tickets.iter().all(|it| stage.priority(*it) == URGENT));
}
