//! What becomes of tickets after the call: bulk jobs, rules of the account, deadlines, moved people.

use super::{DAY, NOON, desk, first_error, with};
use chrono::TimeDelta;
use deskbridge::sandbox::freshdesk::{Action, Automation, Event, TicketOptions, TicketStanding};
use serde_json::{Value, json};

#[tokio::test]
async fn a_ticket_keeps_its_company_when_the_person_moves_or_is_merged_away() {
    let desk = desk().await;
    let (ada, acme) = desk.ada();
    let ticket = desk.ticket(ada);
    let other = desk.sim.add_company(&json!({"name": "Other"})).unwrap();
    desk.sim
        .edit_contact(ada, &json!({"company_id": other}))
        .unwrap();
    let bob = json!({"name": "Bob", "email": "bob@example.com"});
    let bob = desk.sim.add_contact(&bob).unwrap();
    desk.pass(60);
    desk.sim.merge_contacts(bob, &[ada]).unwrap();
    let moved = desk.sim.ticket(ticket).unwrap();
    assert_eq!((moved.requester_id, moved.company_id), (bob, Some(acme)));
    assert_eq!(moved.updated_at, NOON);
    assert_eq!(
        desk.ids(&format!("/tickets?requester_id={bob}")).await,
        [ticket]
    );
    assert_eq!(
        desk.ids(&format!("/tickets?company_id={acme}")).await,
        [ticket]
    );
    assert_eq!(
        desk.ids(&format!("/tickets?company_id={other}"))
            .await
            .len(),
        0
    );
    desk.sim.delete_contact(bob).unwrap();
    assert_eq!(
        desk.ids(&format!("/tickets?requester_id={bob}")).await,
        [ticket]
    );
    let late = desk.sim.ticket_arrives(bob, "Hello?").unwrap();
    assert_eq!(
        desk.sim.ticket(late).unwrap().standing,
        TicketStanding::Spam
    );
    desk.sim.hard_delete_contact(bob).unwrap();
    assert_eq!(desk.sim.tickets().len(), 0);
    assert_eq!(desk.get(&format!("/tickets/{ticket}")).await.status(), 404);
}

#[tokio::test]
async fn a_bulk_job_works_later_and_says_nothing_of_the_tickets_that_refused() {
    let desk = desk().await;
    let (ada, _) = desk.ada();
    let ids = desk.many(ada, 4);
    desk.sim.delete_ticket(ids[1]).unwrap();
    let body = json!({"bulk_action": {"ids": [1, 2, 3, 99], "properties": {"priority": 4}}});
    let answer = desk.send("POST", "/tickets/bulk_update", Some(body)).await;
    assert_eq!(answer.status(), 202);
    assert!(!answer.headers().contains_key("location"));
    let request = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let job: Value = answer.json().await.unwrap();
    assert_eq!(job["job_id"], request.as_str());
    let priorities = || {
        desk.sim
            .tickets()
            .iter()
            .map(|it| it.priority)
            .collect::<Vec<_>>()
    };
    let url = job["href"].as_str().unwrap();
    let (_, state) = desk.call("GET", url, Value::Null).await;
    assert_eq!(state, json!({"id": job["job_id"], "status": "IN PROGRESS"}));
    assert_eq!(priorities(), [1, 1, 1, 1]);
    let (_, state) = desk.call("GET", url, Value::Null).await;
    assert_eq!(state["status"], "COMPLETED");
    assert_eq!(priorities(), [4, 1, 4, 1]);
    let unknown = url.replace(&request, &request.replace("f1e5", "0000"));
    assert_eq!(desk.call("GET", &unknown, Value::Null).await.0, 404);
    assert_eq!(desk.sim.mails(), 0);
}

#[tokio::test]
async fn a_bulk_job_that_nobody_asks_about_works_after_a_while_or_fails_as_a_whole() {
    let desk = desk().await;
    let (ada, _) = desk.ada();
    desk.many(ada, 2);
    desk.sim.fail_jobs(1);
    let raise = |ids: Value| json!({"bulk_action": {"ids": ids, "properties": {"priority": 3}}});
    let (_, failed) = desk
        .call("POST", "/tickets/bulk_update", raise(json!([1])))
        .await;
    let (_, done) = desk
        .call("POST", "/tickets/bulk_update", raise(json!([2])))
        .await;
    desk.pass(4);
    assert_eq!(desk.sim.ticket(2).unwrap().priority, 1);
    desk.pass(100);
    let two = desk.sim.ticket(2).unwrap();
    assert_eq!((two.priority, two.updated_at), (3, NOON + 5));
    assert_eq!(desk.sim.ticket(1).unwrap().priority, 1);
    for (job, state) in [(failed, "FAILED"), (done, "COMPLETED")] {
        let (_, answer) = desk
            .call("GET", job["href"].as_str().unwrap(), Value::Null)
            .await;
        assert_eq!(answer["status"], state);
    }
}

#[tokio::test]
async fn a_bulk_update_of_too_many_tickets_or_with_a_wrong_value_is_refused_at_once() {
    let desk = with(TicketOptions {
        bulk_ids: 2,
        ..TicketOptions::default()
    })
    .await;
    let (ada, _) = desk.ada();
    desk.many(ada, 3);
    for (ids, properties, field) in [
        (json!([1, 2, 3]), json!({"priority": 4}), "ids"),
        (json!([]), json!({"priority": 4}), "ids"),
        (json!("1"), json!({"priority": 4}), "ids"),
        (json!([1]), json!({"priority": 9}), "priority"),
        (json!([1]), json!({"subject": "x"}), "subject"),
        (json!([1]), json!({}), "properties"),
    ] {
        let body = json!({"bulk_action": {"ids": ids, "properties": properties}});
        let (status, body) = desk.call("POST", "/tickets/bulk_update", body).await;
        assert_eq!((status, first_error(&body).0), (400, field));
    }
}

#[tokio::test]
async fn a_rule_of_the_account_takes_the_priority_back_once_or_for_ever() {
    let desk = desk().await;
    let (ada, _) = desk.ada();
    desk.ticket(ada);
    let reset = Automation {
        when: Event::PriorityBecame(4),
        then: Action::SetPriority(1),
        after: TimeDelta::seconds(30),
        times: 1,
    };
    desk.sim.automate(reset.clone());
    desk.sim.automate(Automation {
        when: Event::Updated,
        then: Action::AddTag("seen".to_owned()),
        after: TimeDelta::zero(),
        times: Automation::ALWAYS,
    });
    let raise = json!({"priority": 4});
    let (_, shown) = desk.call("PUT", "/tickets/1", raise.clone()).await;
    assert_eq!(
        (&shown["priority"], &shown["tags"]),
        (&json!(4), &json!([]))
    );
    let now = || desk.sim.ticket(1).unwrap();
    assert_eq!((now().priority, now().tags), (4, vec!["seen".to_owned()]));
    desk.pass(100);
    assert_eq!((now().priority, now().updated_at), (1, NOON + 30));
    desk.call("PUT", "/tickets/1", raise.clone()).await;
    desk.pass(100);
    assert_eq!(now().priority, 4);
    desk.sim.edit_ticket(1, &json!({"priority": 1})).unwrap();
    desk.sim.automate(Automation {
        after: TimeDelta::zero(),
        times: Automation::ALWAYS,
        ..reset
    });
    for _ in 0..3 {
        let (_, shown) = desk.call("PUT", "/tickets/1", raise.clone()).await;
        assert_eq!((&shown["priority"], now().priority), (&json!(4), 1));
    }
    desk.sim.end_automations();
    desk.call("PUT", "/tickets/1", raise).await;
    assert_eq!(now().priority, 4);
}

#[tokio::test]
async fn an_overdue_ticket_surfaces_as_changed_though_nobody_touched_it() {
    let desk = desk().await;
    let (ada, _) = desk.ada();
    desk.ticket(ada);
    desk.pass(4 * DAY);
    let since = "/tickets?order_by=updated_at&updated_since=2023-11-23T00:00:00Z";
    let rows = desk.rows(since).await;
    assert_eq!(rows[0]["updated_at"], "2023-11-23T12:00:00Z");
    assert_eq!(rows[0]["is_escalated"], true);
}
