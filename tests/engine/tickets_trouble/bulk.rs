//! Changes to many tickets at once: sizes, jobs that fail, pass some by, or do not end.

use crate::world::hooked::TicketCall;
use crate::world::stage::{LOW, MEDIUM, Stage, URGENT, VIP, impatient};
use chrono::TimeDelta;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::{Options, TicketOptions, TicketSeed};
use futures_util::future::join_all;
use serde_json::json;

/// Ada in an account of this sort, with these rules.
async fn account(rules: &str, tickets: TicketOptions) -> Stage {
    let desk = Options {
        tickets,
        ..Options::default()
    };
    Stage::with(rules, desk).await
}

/// No notes, so that calls can be counted.
fn silent() -> String {
    VIP.replace("note ", "# note ")
}

fn all_urgent(stage: &Stage, tickets: &[u64]) -> bool {
    tickets.iter().all(|it| stage.priority(*it) == URGENT)
}

#[tokio::test]
async fn an_account_that_takes_fewer_tickets_at_once_gets_them_in_smaller_parts() {
    let desk = TicketOptions {
        bulk_ids: 30,
        job_polls: 0,
        ..TicketOptions::default()
    };
    let mut stage = account(&silent(), desk).await;
    let tickets = stage.open_tickets(90);
    stage.vip();
    stage.world.forget_calls();
    let report = stage.turn().await;
    assert!(all_urgent(&stage, &tickets));
    assert_eq!(report.tickets.raised, 90);
    let calls = stage.ticket_calls();
    assert!(calls.len() <= 20, "{calls:#?}");
}

#[tokio::test]
async fn an_account_that_takes_hardly_any_tickets_at_once_gets_them_one_by_one() {
    let desk = TicketOptions {
        bulk_ids: 2,
        job_polls: 0,
        ..TicketOptions::default()
    };
    let mut stage = account(&silent(), desk).await;
    let tickets = stage.open_tickets(20);
    stage.vip();
    stage.turn().await;
    assert!(all_urgent(&stage, &tickets));
    stage.rests().await;
}

#[tokio::test]
async fn tickets_that_a_job_passes_by_are_parked_with_the_servers_message() {
    let desk = TicketOptions {
        required_for_agents: vec!["cf_order_number".to_owned()],
        job_polls: 0,
        ..TicketOptions::default()
    };
    let mut stage = account(&silent(), desk).await;
    let whole: Vec<u64> = (0..10)
        .map(|_| {
            stage.seed(TicketSeed {
                requester_id: stage.ada_desk,
                custom: vec![("cf_order_number", json!("7"))],
                ..TicketSeed::default()
            })
        })
        .collect();
    let bare = stage.open_tickets(3);
    stage.vip();
    let report = stage.turn().await;
    assert!(all_urgent(&stage, &whole));
    assert_eq!((report.tickets.raised, report.tickets.parked), (10, 3));
    let refused =
        "SELECT count(*) FROM ticket WHERE state = 'refused' AND error LIKE '%cf_order_number%'";
    assert_eq!(stage.world.count(refused).await, 3);
    stage.rests().await;
    stage.edit(bare[0], &json!({"custom_fields": {"cf_order_number": "8"}}));
    stage.turn().await;
    assert_eq!(stage.priority(bare[0]), URGENT);
}

#[tokio::test]
async fn a_job_that_ends_cycles_later_is_waited_for_and_overrules_nobody() {
    let desk = TicketOptions {
        job_polls: 6,
        job_time: TimeDelta::hours(1),
        ..TicketOptions::default()
    };
    let mut stage = account(&silent(), desk).await;
    impatient(&mut stage.engine);
    let tickets = stage.open_tickets(10);
    stage.vip();
    stage.world.forget_calls();
    stage.turn().await;
    assert_eq!(stage.priority(tickets[0]), LOW);
    stage.restart().await;
    impatient(&mut stage.engine);
    for _ in 0..5 {
        stage.turn().await;
    }
    assert!(all_urgent(&stage, &tickets));
    let mut writes = stage.world.writes();
    writes.retain(|it| it.contains("/tickets"));
    assert_eq!(
        writes.len(),
        1,
        "one job, and nothing on top of it: {writes:?}"
    );
    stage.edit(tickets[0], &json!({"priority": MEDIUM}));
    stage.turn().await;
    assert_eq!(stage.priority(tickets[0]), MEDIUM);
    stage.rests().await;
}

#[tokio::test]
async fn who_lowers_a_ticket_of_a_job_whose_end_nobody_tells_is_not_overruled() {
    // A tag would tell that the change was made.
    let bare = silent().replace("tags ", "# tags ");
    let desk = TicketOptions {
        job_polls: 0,
        job_time: TimeDelta::seconds(1),
        ..TicketOptions::default()
    };
    let mut stage = account(&bare, desk).await;
    impatient(&mut stage.engine);
    let tickets = stage.open_tickets(10);
    let faults = &stage.world.desk.backstage().faults;
    faults.inject("GET", "/api/v2/jobs", Fault::TornBody, 1000);
    stage.vip();
    for _ in 0..2 {
        stage.try_turn().await;
    }
    assert!(all_urgent(&stage, &tickets));
    // What stood there before: by that alone a change that was never made looks the same.
    stage.edit(tickets[0], &json!({"priority": LOW}));
    for _ in 0..3 {
        stage.try_turn().await;
        assert_eq!(stage.priority(tickets[0]), LOW);
    }
    stage.world.desk.backstage().faults.clear();
    stage.rests().await;
    assert_eq!(stage.priority(tickets[0]), LOW);
}

#[tokio::test]
async fn a_vips_ticket_that_a_job_passed_by_rises_although_an_agent_edits_it_before_we_try_again() {
    // Bob's tickets are to be listed once all that changed is read; or all of that is not read at all.
    let cases = [(0, 2), (120, 1)].map(|(others, edited)| async move {
        // A tag would tell that the change was not made.
        let bare = silent().replace("tags ", "# tags ");
        let desk = TicketOptions {
            job_polls: 0,
            job_time: TimeDelta::seconds(1),
            ..TicketOptions::default()
        };
        let mut stage = account(&bare, desk).await;
        let bob = stage.person("bob", "standard");
        stage.turn().await;
        let tickets = stage.open_tickets(8);
        stage.world.desk.fail_jobs(1);
        stage.vip();
        stage.die_at(TicketCall::Job, false).await;
        // It shows on the first page of what changed.
        stage.edit(tickets[0], &json!({"status": 3}));
        stage.clock.advance(TimeDelta::seconds(2));
        for _ in 0..others {
            stage.ticket(5, LOW);
        }
        stage.world.crm_edit(bob, &[("customer_tier", "vip")]);
        stage.die_at_second_list().await;
        for ticket in &tickets[..edited] {
            stage.edit(*ticket, &json!({"priority": MEDIUM}));
        }
        stage.turn().await;
        assert!(all_urgent(&stage, &tickets), "{others} others");
        stage.rests().await;
    });
    join_all(cases).await;
}

#[tokio::test]
async fn a_job_that_never_ends_does_not_keep_tickets_low_for_ever() {
    let desk = TicketOptions {
        job_polls: u32::MAX,
        job_time: TimeDelta::weeks(1),
        ..TicketOptions::default()
    };
    let mut stage = account(&silent(), desk).await;
    impatient(&mut stage.engine);
    let tickets = stage.open_tickets(10);
    stage.vip();
    for _ in 0..20 {
        stage.turn().await;
    }
    assert!(all_urgent(&stage, &tickets));
    stage.rests().await;
}

#[tokio::test]
async fn a_bulk_change_that_is_refused_or_unanswered_is_still_made() {
    let cases = [
        Fault::Refuse(400),
        Fault::Refuse(403),
        Fault::Refuse(500),
        Fault::ApplyThenFail(503),
        Fault::DropAfter,
        Fault::DropBefore,
        Fault::TornBody,
        Fault::Throttle(0),
    ]
    .map(|fault| async move {
        for times in [1, 1000] {
            let desk = TicketOptions {
                job_polls: 0,
                ..TicketOptions::default()
            };
            let mut stage = account(VIP, desk).await;
            let tickets = stage.open_tickets(8);
            let path = "/api/v2/tickets/bulk_update";
            stage
                .world
                .desk
                .backstage()
                .faults
                .inject("POST", path, fault, times);
            if times > 1 && matches!(fault, Fault::Throttle(_)) {
                continue;
            }
            stage.vip();
            for _ in 0..3 {
                stage.try_turn().await;
            }
            assert!(all_urgent(&stage, &tickets), "{fault:?} {times}");
            assert!(tickets.iter().all(|it| stage.notes(*it) == 1), "{fault:?}");
            stage.rests().await;
        }
    });
    join_all(cases).await;
}

#[tokio::test]
async fn a_death_around_a_bulk_change_loses_nothing_and_overrules_nobody() {
    let cases = [TicketCall::Bulk, TicketCall::Job].map(|call| async move {
        for carried_out in [false, true] {
            let desk = TicketOptions {
                job_polls: 0,
                job_time: TimeDelta::seconds(1),
                ..TicketOptions::default()
            };
            let mut stage = account(VIP, desk).await;
            let tickets = stage.open_tickets(8);
            stage.vip();
            stage.die_at(call, carried_out).await;
            stage.clock.advance(TimeDelta::seconds(2));
            let made = stage.priority(tickets[0]) == URGENT;
            stage.edit(tickets[0], &json!({"priority": MEDIUM}));
            stage.turn().await;
            stage.turn().await;
            assert!(all_urgent(&stage, &tickets[1..]), "{call:?} {carried_out}");
            if made {
                assert_eq!(stage.priority(tickets[0]), MEDIUM, "{call:?} {carried_out}");
            }
            assert!(tickets.iter().all(|it| stage.notes(*it) <= 1));
            stage.rests().await;
        }
    });
    join_all(cases).await;
}
