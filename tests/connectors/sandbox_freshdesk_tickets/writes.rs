//! A write to one ticket: what it replaces, what it moves, and when it is refused whole.

use super::{NOON, desk, first_error, start, with};
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::{Options, Quirks, TicketOptions, TicketSeed};
use serde_json::{Value, json};

#[tokio::test]
async fn one_wrong_key_sinks_the_whole_ticket_update_and_every_mistake_is_listed() {
    let desk = desk().await;
    let (ada, _) = desk.ada();
    let url = format!("/tickets/{}", desk.ticket(ada));
    for (body, field, code) in [
        (json!({"priority": 5}), "priority", "invalid_value"),
        (json!({"priority": "4"}), "priority", "datatype_mismatch"),
        (json!({"status": 8}), "status", "invalid_value"),
        (json!({"type": "Praise"}), "type", "invalid_value"),
        (json!({"group_id": 7}), "group_id", "invalid_value"),
        (
            json!({"responder_id": ada}),
            "responder_id",
            "invalid_value",
        ),
        (json!({"company_id": 7}), "company_id", "invalid_value"),
        (json!({"requester_id": 7}), "requester_id", "invalid_value"),
        (json!({"tags": "vip"}), "tags", "datatype_mismatch"),
        (json!({"tags": ["a".repeat(33)]}), "tags", "invalid_value"),
        (json!({"tags": ["one,two"]}), "tags", "invalid_value"),
        (
            json!({"custom_fields": []}),
            "custom_fields",
            "datatype_mismatch",
        ),
        (json!({"id": 1}), "id", "invalid_field"),
        (
            json!({"updated_at": "2023-11-20"}),
            "updated_at",
            "invalid_field",
        ),
        (
            json!({"skip_close_notification": true}),
            "skip_close_notification",
            "invalid_field",
        ),
        (
            json!({"custom_fields": {"cf_x": 1}}),
            "custom_fields.cf_x",
            "invalid_field",
        ),
    ] {
        let mut body = body;
        body["source"] = json!(3);
        let (status, answer) = desk.call("PUT", &url, body).await;
        assert_eq!(status, 400, "{field}");
        assert_eq!(first_error(&answer), (field, code));
    }
    let (_, body) = desk.call("PUT", &url, json!({"status": 9, "id": 1})).await;
    assert_eq!(body["errors"].as_array().unwrap().len(), 2);
    let told = "It should be one of these values: '2,3,4,5,6,7'";
    assert_eq!(body["errors"][1]["message"], told);
    let (_, whole) = desk.call("GET", &url, Value::Null).await;
    assert_eq!(desk.call("PUT", &url, whole).await.0, 400);
    assert_eq!(desk.sim.ticket(1).unwrap().updated_at, NOON);
    let missing = desk
        .send("PUT", "/tickets/404", Some(json!({"priority": 4})))
        .await;
    assert_eq!(
        (missing.status().as_u16(), missing.text().await.unwrap()),
        (404, String::new())
    );
}

#[tokio::test]
async fn arrays_replace_and_a_write_that_changes_nothing_moves_nothing() {
    let desk = desk().await;
    let (ada, _) = desk.ada();
    let ticket = json!({"requester_id": ada, "tags": ["old", "older"]});
    let id = desk.sim.add_ticket(&ticket).unwrap();
    let url = format!("/tickets/{id}");
    desk.pass(60);
    let body = json!({"tags": ["vip"], "priority": 4, "responder_id": desk.sim.agent_id()});
    let (status, shown) = desk.call("PUT", &url, body.clone()).await;
    assert_eq!((status, &shown["tags"]), (200, &json!(["vip"])));
    assert_eq!(shown["updated_at"], "2023-11-20T12:01:00Z");
    // The answer runs behind: the deadline of an urgent ticket is nearer.
    assert_eq!(shown["due_by"], "2023-11-23T12:00:00Z");
    let view: Value = desk.get(&url).await.json().await.unwrap();
    assert_eq!(view["due_by"], "2023-11-20T16:00:00Z");
    desk.pass(60);
    desk.call("PATCH", &url, body).await;
    assert_eq!(desk.sim.ticket(id).unwrap().updated_at, NOON + 60);
    assert_eq!(desk.sim.mails(), 0);
}

#[tokio::test]
async fn trashed_and_spam_tickets_show_and_refuse_writes_for_ever() {
    let desk = desk().await;
    let (ada, _) = desk.ada();
    let url = format!("/tickets/{}", desk.ticket(ada));
    assert_eq!(desk.call("DELETE", &url, Value::Null).await.0, 204);
    assert_eq!(desk.rows("/tickets").await.len(), 0);
    let (_, view) = desk.call("GET", &url, Value::Null).await;
    assert_eq!(view["deleted"], true);
    for (method, path) in [
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/notes"),
        ("POST", "/reply"),
    ] {
        let body = if path.is_empty() {
            json!({"priority": 4})
        } else {
            json!({"body": "x"})
        };
        let (status, body) = desk.call(method, &format!("{url}{path}"), body).await;
        assert_eq!(status, 405, "{method} {path}");
        assert_eq!(body["code"], "method_not_allowed");
    }
    assert_eq!(
        desk.call("PUT", &format!("{url}/restore"), Value::Null)
            .await
            .0,
        204
    );
    assert_eq!(desk.rows("/tickets").await.len(), 1);
    desk.sim.spam_ticket(1).unwrap();
    assert_eq!(desk.call("PUT", &url, json!({"priority": 4})).await.0, 405);
    let (_, view) = desk.call("GET", &url, Value::Null).await;
    assert_eq!(view["spam"], true);
    desk.sim.unspam_ticket(1).unwrap();
    desk.sim.edit_ticket(1, &json!({"status": 5})).unwrap();
    assert_eq!(desk.call("PUT", &url, json!({"priority": 4})).await.0, 200);
}

#[tokio::test]
async fn a_priority_is_refused_because_of_a_field_that_it_never_named() {
    let names = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect();
    let desk = with(TicketOptions {
        required_for_agents: names(&["company", "cf_reason"]),
        required_for_closure: names(&["ticket_type"]),
        ..TicketOptions::default()
    })
    .await;
    let bob = json!({"name": "Bob", "email": "bob@example.com"});
    let bob = desk.sim.add_contact(&bob).unwrap();
    desk.sim.populate_tickets([TicketSeed {
        requester_id: bob,
        custom: vec![("cf_reason", json!("No longer a choice"))],
        ..TicketSeed::default()
    }]);
    let (status, body) = desk.call("PUT", "/tickets/1", json!({"priority": 4})).await;
    assert_eq!(status, 400);
    assert_eq!(first_error(&body), ("company_id", "missing_field"));
    assert_eq!(body["errors"][1]["field"], "custom_fields.cf_reason");
    let acme = desk.sim.add_company(&json!({"name": "Acme"})).unwrap();
    let cure = json!({"company_id": acme, "custom_fields": {"cf_reason": "Late"}});
    assert_eq!(desk.call("PUT", "/tickets/1", cure).await.0, 200);
    assert_eq!(
        desk.call("PUT", "/tickets/1", json!({"priority": 4}))
            .await
            .0,
        200
    );
    let (status, body) = desk.call("PUT", "/tickets/1", json!({"status": 5})).await;
    assert_eq!(
        (status, first_error(&body)),
        (400, ("type", "missing_field"))
    );
    let fields = desk.rows("/ticket_fields").await;
    let field = |name: &str| fields.iter().find(|it| it["name"] == name).unwrap();
    assert_eq!(field("cf_reason")["required_for_agents"], true);
    assert_eq!(field("ticket_type")["required_for_closure"], true);
}

#[tokio::test]
async fn a_ticket_made_by_a_client_has_its_requester_its_company_and_no_deadline_yet() {
    let desk = desk().await;
    let (ada, acme) = desk.ada();
    let body = json!({
        "email": "ADA@example.com", "subject": "Broken", "description": "It <b>broke</b>.",
        "priority": 2, "status": 2, "cc_emails": ["boss@example.com"],
    });
    let answer = desk.send("POST", "/tickets", Some(body)).await;
    assert_eq!(answer.status(), 201);
    let place = format!("{}/api/v2/tickets/1", desk.sim.url());
    assert_eq!(answer.headers()["location"], place.as_str());
    let made: Value = answer.json().await.unwrap();
    assert_eq!(
        (&made["requester_id"], &made["company_id"]),
        (&json!(ada), &json!(acme))
    );
    assert_eq!((&made["due_by"], &made["id"]), (&Value::Null, &json!(1)));
    assert_eq!(made["description"], "<div>It <b>broke</b>.</div>");
    assert_eq!(made["description_text"], "It broke.");
    let (_, view) = desk.call("GET", "/tickets/1", Value::Null).await;
    assert_eq!(view["due_by"], "2023-11-21T12:00:00Z");
    let stranger = json!({"email": "new@example.com", "subject": "a", "description": "b"});
    let (status, made) = desk.call("POST", "/tickets", stranger).await;
    assert_eq!(status, 201);
    let new = desk.sim.contact_by_email("new@example.com").unwrap();
    assert_eq!(
        (made["requester_id"].as_u64(), new.name.as_str()),
        (Some(new.id), "new")
    );
    let (status, body) = desk.call("POST", "/tickets", json!({"subject": "a"})).await;
    assert_eq!(status, 400);
    assert_eq!(body["errors"].as_array().unwrap().len(), 2, "{body}");
    assert_eq!(desk.sim.mails(), 2);
}

#[tokio::test]
async fn a_private_note_moves_the_ticket_and_only_public_words_reach_the_customer() {
    let desk = desk().await;
    let (ada, _) = desk.ada();
    let url = format!("/tickets/{}", desk.ticket(ada));
    desk.pass(60);
    let notes = format!("{url}/notes");
    let (status, note) = desk.call("POST", &notes, json!({"body": "Raised."})).await;
    assert_eq!((status, &note["private"]), (201, &json!(true)));
    assert_eq!(note["body"], "<div>Raised.</div>");
    assert_eq!(desk.sim.ticket(1).unwrap().updated_at, NOON + 60);
    assert_eq!(desk.sim.mails(), 0);
    for body in [
        json!({"body": "Hello", "private": false}),
        json!({"body": "Hello", "notify_emails": ["boss@example.com"]}),
    ] {
        assert_eq!(desk.call("POST", &notes, body).await.0, 201);
    }
    assert_eq!(desk.call("POST", &notes, json!({"body": ""})).await.0, 400);
    assert_eq!(desk.call("POST", &notes, json!({})).await.0, 400);
    let reply = format!("{url}/reply");
    let private = json!({"body": "x", "private": true});
    let (status, body) = desk.call("POST", &reply, private).await;
    assert_eq!(
        (status, first_error(&body)),
        (400, ("private", "invalid_field"))
    );
    assert_eq!(desk.call("POST", &reply, json!({"body": "x"})).await.0, 201);
    assert_eq!(desk.sim.mails(), 3);
    for _ in 0..10 {
        desk.sim.customer_writes(1, "And?").unwrap();
    }
    let second = desk
        .rows(&format!("{url}/conversations?per_page=6&page=2"))
        .await;
    assert_eq!(second.len(), 6);
    assert_eq!(second[0]["incoming"], true);
    let (_, view) = desk
        .call("GET", &format!("{url}?include=conversations"), Value::Null)
        .await;
    let oldest = view["conversations"].as_array().unwrap();
    assert_eq!((oldest.len(), &oldest[0]["id"]), (10, &note["id"]));
}

#[tokio::test]
async fn the_answer_to_a_write_can_be_a_second_behind_what_is_stored() {
    let desk = start(Options {
        quirks: Quirks {
            second_tick: true,
            ..Quirks::default()
        },
        ..Options::default()
    })
    .await;
    let (ada, _) = desk.ada();
    desk.ticket(ada);
    let (_, shown) = desk.call("PUT", "/tickets/1", json!({"priority": 4})).await;
    assert_eq!(shown["updated_at"], "2023-11-20T12:00:00Z");
    let (_, view) = desk.call("GET", "/tickets/1", Value::Null).await;
    assert_eq!(view["updated_at"], "2023-11-20T12:00:01Z");
}

#[tokio::test]
async fn a_note_whose_answer_was_lost_is_there_all_the_same() {
    let desk = desk().await;
    let (ada, _) = desk.ada();
    desk.ticket(ada);
    let faults = &desk.sim.backstage().faults;
    faults.inject(
        "POST",
        "/api/v2/tickets/1/notes",
        Fault::ApplyThenFail(503),
        1,
    );
    let (status, _) = desk
        .call("POST", "/tickets/1/notes", json!({"body": "x"}))
        .await;
    assert_eq!(status, 500 + 3);
    assert_eq!(desk.sim.conversations(1).len(), 1);
    faults.inject("GET", "/api/v2/tickets", Fault::Throttle(7), 1);
    let throttled = desk.get("/tickets").await;
    assert_eq!(
        (
            throttled.status().as_u16(),
            &throttled.headers()["retry-after"]
        ),
        (429, &"7".parse().unwrap())
    );
    let counts = desk.sim.backstage().log.by_endpoint();
    assert!(
        counts
            .iter()
            .any(|(endpoint, ..)| *endpoint == "tickets.notes")
    );
}
