//! Whose tickets: companies, contacts that move, merge, or are linked only later.

use crate::world::stage::{HIGH, LOW, MEDIUM, Stage, URGENT, VIP};
use chrono::TimeDelta;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use serde_json::json;

const ENTERPRISE: &str = r#"
[[ticket_rule]]
name     = "enterprise"
when     = { record = "company", field = "plan", in = ["enterprise"] }
priority = "high"
"#;

#[tokio::test]
async fn a_contact_of_two_companies_has_each_ticket_treated_as_its_own_company_says() {
    let mut stage = Stage::new(ENTERPRISE).await;
    let acme = stage.company("acme", "free");
    stage.company("bolt", "free");
    stage.turn().await;
    let (acme_desk, bolt_desk) = (stage.desk_company("acme"), stage.desk_company("bolt"));
    let both = json!({"company_id": bolt_desk, "other_companies": [{"company_id": acme_desk, "view_all_tickets": true}]});
    stage.world.desk_edit(stage.ada_desk, &both);
    let for_acme = stage.ticket_of(stage.ada_desk, Some(acme_desk));
    let for_bolt = stage.ticket_of(stage.ada_desk, Some(bolt_desk));
    stage.plan(acme, "enterprise");
    stage.turn().await;
    assert_eq!(
        (stage.priority(for_acme), stage.priority(for_bolt)),
        (HIGH, LOW)
    );
    // She moves on; what was asked for Acme stays Acme's.
    let moved = json!({"company_id": bolt_desk, "other_companies": []});
    stage.world.desk_edit(stage.ada_desk, &moved);
    stage.turn().await;
    assert_eq!(stage.priority(for_acme), HIGH);
    let next = stage
        .world
        .desk
        .ticket_arrives(stage.ada_desk, "For Bolt")
        .unwrap();
    stage.turn().await;
    assert_eq!(stage.priority(next), LOW);
    stage.plan(acme, "free");
    stage.turn().await;
    assert_eq!(stage.priority(for_acme), LOW);
    stage.rests().await;
}

#[tokio::test]
async fn a_ticket_that_an_agent_takes_out_of_the_company_is_given_back() {
    let mut stage = Stage::new(ENTERPRISE).await;
    stage.company("acme", "enterprise");
    stage.turn().await;
    let acme = stage.desk_company("acme");
    let ticket = stage.ticket_of(stage.ada_desk, Some(acme));
    stage.edit(ticket, &json!({"tags": ["new"]}));
    stage.turn().await;
    assert_eq!(stage.priority(ticket), HIGH);
    stage.edit(ticket, &json!({"company_id": null}));
    stage.turn().await;
    assert_eq!(stage.priority(ticket), LOW);
    stage.rests().await;
}

#[tokio::test]
async fn a_ticket_that_becomes_somebody_elses_follows_their_standing() {
    let mut stage = Stage::new(VIP).await;
    stage.person("bob", "standard");
    stage.vip();
    stage.turn().await;
    let bob = stage.world.desk_by_email("bob@example.com").id;
    let (from, to) = (stage.ticket(2, LOW), stage.ticket_of(bob, None));
    stage.edit(from, &json!({"type": "Question"}));
    stage.turn().await;
    assert_eq!((stage.priority(from), stage.priority(to)), (URGENT, LOW));
    stage.edit(from, &json!({"requester_id": bob}));
    stage.edit(to, &json!({"requester_id": stage.ada_desk}));
    stage.turn().await;
    assert_eq!((stage.priority(from), stage.priority(to)), (LOW, URGENT));
    stage.rests().await;
}

#[tokio::test]
async fn a_vip_from_the_first_day_has_her_tickets_raised_in_the_first_cycle() {
    let (mut world, clock) = crate::world::World::timed().await;
    world.mapping.push_str(VIP);
    let eve = [
        ("email", "eve@example.com"),
        ("customer_tier", "vip"),
        ("firstname", "Eve"),
    ];
    world.crm_contact(&eve);
    let desk = world.desk_contact(&json!({"name": "Eve", "email": "eve@example.com"}));
    let seed = deskbridge::sandbox::freshdesk::TicketSeed {
        requester_id: desk,
        ..Default::default()
    };
    let ticket = world.desk.populate_tickets([seed])[0];
    let mut engine = world.timed_engine(&clock).await;
    crate::world::cycle(&mut engine).await;
    assert_eq!(world.desk.ticket(ticket).unwrap().priority, URGENT);
}

#[tokio::test]
async fn a_vip_whose_contact_we_make_has_the_first_ticket_raised() {
    let mut stage = Stage::new(VIP).await;
    stage.person("eve", "vip");
    stage.turn().await;
    let eve = stage.world.desk_by_email("eve@example.com").id;
    let ticket = stage.world.desk.ticket_arrives(eve, "Help").unwrap();
    stage.turn().await;
    assert_eq!(stage.priority(ticket), URGENT);
    stage.rests().await;
}

#[tokio::test]
async fn a_vip_who_is_merged_into_another_contact_keeps_what_she_has_and_loses_it_with_the_standing()
 {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket(2, LOW);
    stage.vip();
    stage.turn().await;
    assert_eq!(stage.priority(ticket), URGENT);
    let other = stage
        .world
        .desk_contact(&json!({"name": "A. King", "phone": "+44 1"}));
    stage
        .world
        .desk
        .merge_contacts(other, &[stage.ada_desk])
        .unwrap();
    let address = json!({"email": "ada@example.com", "other_emails": []});
    stage.world.desk_edit(other, &address);
    for _ in 0..3 {
        stage.turn().await;
        crate::world::reconcile(&mut stage.engine).await;
    }
    assert_eq!(stage.priority(ticket), URGENT, "lowered by a merge");
    let next = stage.world.desk.ticket_arrives(other, "Help").unwrap();
    stage.turn().await;
    assert_eq!(stage.priority(next), URGENT);
    stage.standard();
    stage.turn().await;
    assert_eq!((stage.priority(ticket), stage.priority(next)), (LOW, LOW));
    stage.rests().await;
}

#[tokio::test]
async fn a_standing_that_begins_again_raises_tickets_that_are_known_from_the_first_time() {
    let mut stage = Stage::new(VIP).await;
    let (left, lowered) = (stage.ticket(2, LOW), stage.ticket(2, LOW));
    stage.vip();
    stage.turn().await;
    stage.edit(lowered, &json!({"priority": MEDIUM}));
    stage.turn().await;
    stage.standard();
    stage.turn().await;
    stage.vip();
    stage.turn().await;
    assert_eq!(stage.priority(left), URGENT);
    assert_eq!(stage.priority(lowered), MEDIUM, "a person had decided");
    assert_eq!(stage.notes(left), 1, "posted again");
    stage.rests().await;
}

#[tokio::test]
async fn a_standing_that_begins_while_the_daemon_is_off_is_found_after_a_day() {
    let mut stage = Stage::new(VIP).await;
    stage.vip();
    let old = stage.ticket(2, LOW);
    stage.turn().await;
    stage.clock.advance(TimeDelta::hours(26));
    let new = stage
        .world
        .desk
        .ticket_arrives(stage.ada_desk, "Help")
        .unwrap();
    stage.edit(old, &json!({"priority": LOW}));
    stage.clock.advance(TimeDelta::hours(26));
    stage.restart().await;
    stage.turn().await;
    assert_eq!((stage.priority(new), stage.priority(old)), (URGENT, LOW));
    stage.rests().await;
}

#[tokio::test]
async fn a_vip_who_comes_back_out_of_the_archive_is_served_first_with_what_she_asked_meanwhile() {
    let mut stage = Stage::new(VIP).await;
    // Somebody else, too: an account that shows nobody proves nothing.
    stage.person("bob", "standard");
    stage.vip();
    let before = stage.ticket(2, LOW);
    stage.turn().await;
    let ada = stage.ada;
    let archived = stage.world.crm.portal().archive(CrmKind::Contact, ada);
    archived.unwrap();
    stage.clock.advance(TimeDelta::minutes(1));
    crate::world::reconcile(&mut stage.engine).await;
    let meanwhile = stage.world.desk.ticket_arrives(stage.ada_desk, "Help");
    let meanwhile = meanwhile.unwrap();
    stage.turn().await;
    let shown = (stage.priority(before), stage.priority(meanwhile));
    assert_eq!(shown, (URGENT, LOW), "whether she is a VIP is not known");
    let restored = stage.world.crm.portal().restore(CrmKind::Contact, ada);
    restored.unwrap();
    stage.turn().await;
    let shown = (stage.priority(before), stage.priority(meanwhile));
    assert_eq!(shown, (URGENT, URGENT));
    assert_eq!(stage.notes(before), 1, "posted again");
    stage.rests().await;
}
