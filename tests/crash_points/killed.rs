//! The real binary, killed in the middle of its work, between simulated systems over HTTP.

use crate::world::program::{Daemon, PATIENCE, code, kill, output, said, write_config, writes};
use crate::world::{World, stage};
use deskbridge::sandbox::freshdesk::TicketSeed;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

fn crowd(world: &World) {
    for number in 0..14 {
        let email = format!("p{number}@example.com");
        world.crm_contact(&[("email", &email), ("lastname", &email)]);
    }
    for number in 10..22 {
        let email = format!("p{number}@example.com");
        world.desk_contact(&json!({"name": email, "email": email}));
    }
}

/// Starts the daemon, and kills it when so many writes have reached the systems.
async fn die_after(world: &World, writes_seen: usize) {
    let daemon = Daemon::start(world);
    let seen = async {
        let (crm, desk) = (&world.crm.backstage().log, &world.desk.backstage().log);
        while writes(crm) + writes(desk) < writes_seen {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap();
    kill("KILL", &daemon.child);
}

/// Runs until nothing is left to do: then a run writes nothing.
fn comes_to_rest(world: &World) {
    for _ in 0..5 {
        world.forget_calls();
        let run = output(world, &["sync"]);
        assert_eq!(code(&run), 0, "{}", said(&run));
        if world.writes().is_empty() {
            return;
        }
    }
    panic!("no end: {:?}", world.writes());
}

fn people(world: &World) -> (BTreeSet<String>, BTreeSet<String>) {
    let crm = world.crm.portal().rows(CrmKind::Contact);
    let crm_emails: BTreeSet<String> = crm
        .iter()
        .filter_map(|it| it.properties.get("email").cloned())
        .collect();
    assert_eq!(crm_emails.len(), crm.len(), "somebody is twice in the CRM");
    let desk = world.desk.contacts();
    let desk_emails: BTreeSet<String> = desk.iter().filter_map(|it| it.email.clone()).collect();
    assert_eq!(
        desk_emails.len(),
        desk.len(),
        "somebody is twice in Freshdesk"
    );
    (crm_emails, desk_emails)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_run_that_is_killed_makes_nobody_twice() {
    // So many calls that write have reached a system: the CRM is written in batches.
    for after in [1, 3, 6, 9] {
        let world = World::new().await;
        crowd(&world);
        write_config(&world);
        die_after(&world, after).await;
        comes_to_rest(&world);
        let (crm, desk) = people(&world);
        assert_eq!(crm, desk, "killed after {after} writes");
        assert_eq!(crm.len(), 22);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_on_both_sides_arrive_when_the_process_is_killed_among_them() {
    for after in [1, 5, 12, 19] {
        let world = World::new().await;
        crowd(&world);
        write_config(&world);
        comes_to_rest(&world);
        for (number, row) in world.crm.portal().rows(CrmKind::Contact).iter().enumerate() {
            world.crm_edit(row.id, &[("phone", &format!("+{number}"))]);
        }
        for contact in world.desk.contacts() {
            let title = json!({"job_title": format!("Job {}", contact.id)});
            world.desk_edit(contact.id, &title);
        }
        world.forget_calls();
        die_after(&world, after).await;
        comes_to_rest(&world);
        for contact in world.desk.contacts() {
            let rows = world.crm.portal().rows(CrmKind::Contact);
            let mut rows = rows.iter();
            let same = |email: Option<&String>| email == contact.email.as_ref();
            let row = rows.find(|it| same(it.properties.get("email"))).unwrap();
            let shown = (contact.phone.as_ref(), contact.job_title.as_ref());
            let wanted = (row.properties.get("phone"), row.properties.get("jobtitle"));
            assert_eq!(shown, wanted, "killed after {after} writes");
            assert!(shown.0.is_some() && shown.1.is_some());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_rise_and_get_no_second_note_when_the_process_is_killed_among_them() {
    for after in [1, 2, 4] {
        let mut world = World::new().await;
        world.mapping.push_str(stage::VIP);
        let ada = world.crm_contact(&[("email", "ada@example.com"), ("lastname", "King")]);
        write_config(&world);
        comes_to_rest(&world);
        let there = world.desk_by_email("ada@example.com").id;
        let ticket = || TicketSeed {
            requester_id: there,
            ..TicketSeed::default()
        };
        let tickets = world.desk.populate_tickets([ticket(), ticket(), ticket()]);
        world.crm_edit(ada, &[("customer_tier", "vip")]);
        world.forget_calls();
        die_after(&world, after).await;
        comes_to_rest(&world);
        let mut missing = 0;
        for ticket in tickets {
            let priority = world.desk.ticket(ticket).unwrap().priority;
            assert_eq!(priority, stage::URGENT, "killed after {after} writes");
            let notes = world.desk.conversations(ticket).len();
            assert!(notes <= 1, "{notes} notes, killed after {after} writes");
            missing += 1 - i64::try_from(notes).unwrap();
        }
        // One whose answer was lost may be on its way still, and is looked for a minute later.
        let in_doubt = "SELECT count(*) FROM ticket WHERE noting IS NOT NULL";
        let in_doubt = world.count(in_doubt).await;
        assert!(
            missing <= in_doubt,
            "{missing} notes are lost, {in_doubt} in doubt"
        );
    }
}
