//! What a customer's standing in the CRM does to their tickets, over real HTTP.

use crate::world::stage::{HIGH, LOW, Stage, URGENT, VIP};
use crate::world::{World, cycle};
use chrono::TimeDelta;
use deskbridge::sandbox::freshdesk::{Action, Automation, Event, TicketSeed};
use serde_json::json;

#[tokio::test]
async fn a_customer_who_becomes_a_vip_is_served_first() {
    let mut stage = Stage::new(VIP).await;
    let (open, pending, solved) = (
        stage.ticket(2, LOW),
        stage.ticket(3, LOW),
        stage.ticket(4, LOW),
    );
    let old = stage.seed(TicketSeed {
        requester_id: stage.ada_desk,
        created_at: Some(stage.clock.now().timestamp() - 90 * 86_400),
        ..TicketSeed::default()
    });
    stage.turn().await;
    assert_eq!(stage.priority(open), LOW);
    stage.tier("vip");
    let report = stage.turn().await;
    assert_eq!(stage.priority(open), URGENT);
    assert_eq!(stage.priority(pending), URGENT);
    assert_eq!(stage.priority(old), URGENT, "older than 30 days");
    assert_eq!(stage.priority(solved), LOW, "solved tickets are left alone");
    assert_eq!(stage.tags(open), ["vip"]);
    assert_eq!(report.tickets.raised, 3);
    assert_eq!(stage.notes(open), 1);
    assert_eq!(stage.world.desk.mails(), 0, "a customer was mailed");
    stage.world.forget_calls();
    stage.turn().await;
    assert_eq!(stage.world.writes(), [""; 0], "a second cycle writes again");
}

#[tokio::test]
async fn a_vip_who_was_one_before_the_first_sync_does_not_wait_for_the_end_of_it() {
    // More than one chunk of planning.
    const PEOPLE: usize = 600;
    let (mut world, clock) = World::timed().await;
    world.mapping.push_str(VIP);
    let mut tickets = Vec::new();
    for number in 0..PEOPLE {
        let email = format!("p{number}@acme.test");
        let tier = if number == 0 { "vip" } else { "standard" };
        let (name, phone) = (format!("P {number}"), format!("+49 {number}"));
        world.crm_contact(&[
            ("email", &email),
            ("phone", &phone),
            ("customer_tier", tier),
        ]);
        let person = world.desk_contact(&json!({"name": name, "email": email}));
        tickets.push(TicketSeed {
            requester_id: person,
            status: 2,
            priority: LOW,
            ..TicketSeed::default()
        });
    }
    let tickets = world.desk.populate_tickets(tickets);
    world.forget_calls();
    let mut engine = world.timed_engine(&clock).await;
    let report = cycle(&mut engine).await;
    assert_eq!((report.linked, report.tickets.raised), (PEOPLE as u64, 1));
    assert_eq!(world.desk.ticket(tickets[0]).unwrap().priority, URGENT);
    let calls = world.writes();
    let raised = calls.iter().position(|it| it.contains("/tickets"));
    let written = calls.iter().rposition(|it| it.contains("/contacts/"));
    assert!(
        raised.unwrap() + 80 < written.unwrap(),
        "{raised:?} {written:?}"
    );
}

#[tokio::test]
async fn a_vips_next_ticket_and_one_that_is_opened_again_rise_too() {
    let mut stage = Stage::new(VIP).await;
    let solved = stage.ticket(5, LOW);
    stage.tier("vip");
    stage.turn().await;
    let new = stage
        .world
        .desk
        .ticket_arrives(stage.ada_desk, "Help")
        .unwrap();
    stage.edit(solved, &json!({"status": 2}));
    stage.turn().await;
    assert_eq!(stage.priority(new), URGENT);
    assert_eq!(stage.priority(solved), URGENT);
}

#[tokio::test]
async fn an_agent_who_lowers_a_vips_ticket_is_not_overruled() {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket(2, LOW);
    stage.tier("vip");
    stage.turn().await;
    stage.edit(ticket, &json!({"priority": 2, "tags": []}));
    for _ in 0..3 {
        stage.turn().await;
        assert_eq!(stage.priority(ticket), 2);
        assert_eq!(stage.tags(ticket), [""; 0]);
    }
    stage.tier("standard");
    stage.turn().await;
    assert_eq!(
        stage.priority(ticket),
        2,
        "given back what a person had set"
    );
}

#[tokio::test]
async fn when_the_standing_ends_only_what_we_set_goes_back() {
    let mut stage = Stage::new(VIP).await;
    let (ours, theirs) = (stage.ticket(2, LOW), stage.ticket(2, LOW));
    stage.edit(ours, &json!({"tags": ["billing"]}));
    stage.tier("vip");
    stage.turn().await;
    stage.edit(theirs, &json!({"priority": 3, "tags": ["vip", "late"]}));
    stage.turn().await;
    stage.tier("standard");
    let report = stage.turn().await;
    assert_eq!(
        (stage.priority(ours), stage.tags(ours)),
        (LOW, vec!["billing".to_owned()])
    );
    assert_eq!(
        (stage.priority(theirs), stage.tags(theirs)),
        (HIGH, vec!["late".to_owned()])
    );
    assert_eq!(report.tickets.restored, 2);
    stage.world.forget_calls();
    stage.turn().await;
    assert_eq!(
        stage.ticket_calls(),
        [""; 0],
        "nobody has a standing, and tickets are read"
    );
}

#[tokio::test]
async fn a_company_rule_follows_the_company_that_the_ticket_was_opened_for() {
    let rule = r#"
[[ticket_rule]]
name     = "enterprise"
when     = { record = "company", field = "plan", in = ["enterprise"] }
priority = "high"
"#;
    let mut stage = Stage::new(rule).await;
    let acme = stage.world.crm_company(&[
        ("name", "Acme"),
        ("domain", "acme.example"),
        ("plan", "free"),
    ]);
    stage.turn().await;
    let companies = stage.world.desk.companies();
    let desk = companies.iter().find(|it| it.name == "Acme").unwrap().id;
    let of_acme = stage.seed(TicketSeed {
        requester_id: stage.ada_desk,
        company_id: Some(desk),
        ..TicketSeed::default()
    });
    let of_nobody = stage.ticket(2, LOW);
    let portal = stage.world.crm.portal();
    portal
        .edit(
            deskbridge::sandbox::hubspot::Kind::Company,
            acme,
            &[("plan", "enterprise")],
        )
        .unwrap();
    stage.turn().await;
    assert_eq!(
        stage.priority(of_acme),
        HIGH,
        "Ada is not of Acme now, but the ticket is"
    );
    assert_eq!(stage.priority(of_nobody), LOW);
}

#[tokio::test]
async fn an_automation_that_lowers_what_we_raise_is_left_to_win_once() {
    let mut stage = Stage::new(VIP).await;
    stage.world.desk.automate(Automation {
        when: Event::PriorityBecame(URGENT),
        then: Action::SetPriority(2),
        after: TimeDelta::zero(),
        times: Automation::ALWAYS,
    });
    let ticket = stage.ticket(2, LOW);
    stage.tier("vip");
    let mut fought = stage.turn().await.tickets.fought;
    for _ in 0..3 {
        fought += stage.turn().await.tickets.fought;
    }
    assert_eq!(stage.priority(ticket), 2);
    assert_eq!(fought, 1);
    let raises = "SELECT count(*) FROM journal WHERE kind = 'ticket' AND action = 'raise'";
    assert_eq!(stage.world.count(raises).await, 1);
}

#[tokio::test]
async fn many_tickets_rise_in_few_calls() {
    let mut stage = Stage::new(&VIP.replace("note ", "# note ")).await;
    let tickets = stage.open_tickets(120);
    stage.tier("vip");
    stage.world.forget_calls();
    let report = stage.turn().await;
    assert!(
        tickets
            .iter()
            .all(|ticket| stage.priority(*ticket) == URGENT)
    );
    assert_eq!(report.tickets.raised, 120);
    let calls = stage.ticket_calls();
    assert!(calls.len() <= 20, "{calls:#?}");
}

#[tokio::test]
async fn a_bulk_change_that_fails_is_made_one_by_one() {
    let mut stage = Stage::new(VIP).await;
    stage.world.desk.fail_jobs(9);
    let tickets = stage.open_tickets(12);
    stage.tier("vip");
    let report = stage.turn().await;
    assert!(
        tickets
            .iter()
            .all(|ticket| stage.priority(*ticket) == URGENT)
    );
    assert_eq!(report.tickets.raised, 12);
    assert!(tickets.iter().all(|ticket| stage.notes(*ticket) == 1));
}

#[tokio::test]
async fn a_quiet_cycle_costs_one_call_for_tickets_and_none_while_nobody_has_a_standing() {
    let mut stage = Stage::new(VIP).await;
    stage.ticket(2, LOW);
    stage.world.forget_calls();
    stage.turn().await;
    assert_eq!(stage.ticket_calls(), [""; 0]);
    stage.tier("vip");
    stage.turn().await;
    stage.turn().await;
    stage.world.forget_calls();
    stage.turn().await;
    assert_eq!(stage.ticket_calls().len(), 1, "{:?}", stage.ticket_calls());
}
