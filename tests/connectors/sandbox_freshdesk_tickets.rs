//! Tickets of the Freshdesk simulator over real HTTP: what costs customers their patience.

use chrono::{DateTime, TimeDelta};
use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::{
    Action, Automation, Event, FreshdeskSim, Limits, Options, Quirks, Status, TicketLimits,
    TicketOptions, TicketSeed, TicketStanding,
};
use reqwest::Response;
use serde_json::{Value, json};

struct Client {
    http: reqwest::Client,
    sim: FreshdeskSim,
}

/// Monday noon, when all tests begin.
const NOON: i64 = 1_700_481_600;
/// Seconds of a day.
const DAY: i64 = 86_400;

async fn start(options: Options) -> Client {
    let clock = SimClock::manual(DateTime::from_timestamp(NOON, 0).unwrap());
    let backstage = Backstage {
        clock,
        ..Backstage::default()
    };
    let options = Options {
        backstage,
        ..options
    };
    Client {
        http: reqwest::Client::new(),
        sim: FreshdeskSim::start(options).await.unwrap(),
    }
}

async fn desk() -> Client {
    start(Options::default()).await
}

async fn with(tickets: TicketOptions) -> Client {
    start(Options {
        tickets,
        ..Options::default()
    })
    .await
}

impl Client {
    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Response {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}/api/v2{path}", self.sim.url())
        };
        let request = self.http.request(method.parse().unwrap(), url);
        let request = request.basic_auth(self.sim.api_key(), Some("X"));
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.send("GET", path, None).await
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = (!body.is_null()).then_some(body);
        let answer = self.send(method, path, body).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let json = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        };
        (status, json)
    }

    async fn rows(&self, path: &str) -> Vec<Value> {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    async fn ids(&self, path: &str) -> Vec<u64> {
        let rows = self.rows(path).await;
        rows.iter().map(|it| it["id"].as_u64().unwrap()).collect()
    }

    fn pass(&self, seconds: i64) {
        let clock = &self.sim.backstage().clock;
        clock.advance(TimeDelta::seconds(seconds));
    }

    /// A person of a company; the ids of both.
    fn ada(&self) -> (u64, u64) {
        let acme = self.sim.add_company(&json!({"name": "Acme"})).unwrap();
        let ada = json!({"name": "Ada", "email": "ada@example.com", "company_id": acme});
        (self.sim.add_contact(&ada).unwrap(), acme)
    }

    /// A ticket of this person with the lowest priority.
    fn ticket(&self, requester: u64) -> u64 {
        let ticket = json!({"requester_id": requester});
        self.sim.add_ticket(&ticket).unwrap()
    }

    /// Many old tickets of this person, one a minute.
    fn many(&self, requester: u64, count: i64) -> Vec<u64> {
        let seed = |n| TicketSeed {
            requester_id: requester,
            created_at: Some(NOON - DAY + n * 60),
            ..TicketSeed::default()
        };
        self.sim.populate_tickets((0..count).map(seed))
    }
}

fn first_error(body: &Value) -> (&str, &str) {
    let error = &body["errors"][0];
    assert_eq!(body["description"], "Validation failed", "{body}");
    (
        error["field"].as_str().unwrap(),
        error["code"].as_str().unwrap(),
    )
}

#[tokio::test]
async fn old_open_tickets_are_missed_by_who_gives_no_time() {
    let desk = desk().await;
    let (ada, acme) = desk.ada();
    let at = |days: i64, standing| TicketSeed {
        requester_id: ada,
        created_at: Some(NOON - days * DAY),
        standing,
        ..TicketSeed::default()
    };
    let ids = desk.sim.populate_tickets([
        at(40, TicketStanding::Live),
        at(29, TicketStanding::Live),
        at(1, TicketStanding::Live),
        at(1, TicketStanding::Deleted),
        at(1, TicketStanding::Spam),
    ]);
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    for narrowed in ["", "requester_id=", "company_id=", "email="] {
        let filter = match narrowed {
            "requester_id=" => format!("&{narrowed}{ada}"),
            "company_id=" => format!("&{narrowed}{acme}"),
            "email=" => format!("&{narrowed}ADA@example.com"),
            _ => String::new(),
        };
        let young = desk.ids(&format!("/tickets?page=1{filter}")).await;
        assert_eq!(young, [3, 2], "{filter}");
        let all = format!("/tickets?updated_since=1970-01-01T00:00:00Z{filter}");
        let oldest_first = format!("{all}&order_by=updated_at&order_type=asc");
        assert_eq!(desk.ids(&all).await, [3, 2, 1]);
        assert_eq!(desk.ids(&oldest_first).await, [1, 2, 3]);
    }
    assert_eq!(desk.ids("/tickets?filter=deleted").await, [4]);
    assert_eq!(desk.ids("/tickets?filter=spam").await, [5]);
    let trash = desk.rows("/tickets?filter=deleted").await;
    assert_eq!(trash[0]["deleted"], true);
}

#[tokio::test]
async fn what_the_list_does_not_know_is_refused_by_name() {
    let desk = desk().await;
    desk.ada();
    for (query, field, code) in [
        ("status=2", "status", "invalid_field"),
        ("priority=4", "priority", "invalid_field"),
        (
            "_updated_since=2023-01-01",
            "_updated_since",
            "invalid_field",
        ),
        ("filter=all_tickets", "filter", "invalid_value"),
        ("order_by=id", "order_by", "invalid_value"),
        ("order_type=up", "order_type", "invalid_value"),
        ("include=everything", "include", "invalid_value"),
        ("per_page=101", "per_page", "invalid_value"),
        ("page=301", "page", "invalid_value"),
        ("updated_since=yesterday", "updated_since", "invalid_value"),
        ("requester_id=7", "requester_id", "invalid_value"),
        ("requester_id=ada", "requester_id", "datatype_mismatch"),
        ("company_id=7", "company_id", "invalid_value"),
        ("email=nobody@example.com", "email", "invalid_value"),
    ] {
        let (status, body) = desk
            .call("GET", &format!("/tickets?{query}"), Value::Null)
            .await;
        assert_eq!(status, 400, "{query}");
        assert_eq!(first_error(&body), (field, code), "{query}");
    }
    let (_, body) = desk.call("GET", "/tickets?page=301", Value::Null).await;
    let told = body["errors"][0]["message"].as_str().unwrap();
    assert!(told.starts_with("You cannot access tickets beyond the 300th page."));
    assert_eq!(desk.rows("/tickets?page=300").await.len(), 0);
    let lenient = with(TicketOptions {
        strict_filters: false,
        ..TicketOptions::default()
    });
    assert_eq!(lenient.await.rows("/tickets?requester_id=7").await.len(), 0);
}

#[tokio::test]
async fn pages_hold_every_ticket_once_in_either_direction_and_end_without_a_link() {
    let desk = desk().await;
    let (ada, _) = desk.ada();
    let ids = desk.many(ada, 250);
    for (order, filter) in [
        ("order_type=asc", ""),
        (
            "order_by=updated_at&order_type=asc",
            "&updated_since=2001-01-01",
        ),
        ("order_by=updated_at", "&updated_since=2001-01-01"),
        ("order_by=created_at", "&updated_since=2001-01-01"),
        ("order_by=due_by&order_type=asc", ""),
        ("order_by=status", ""),
    ] {
        let mut url = format!("/tickets?per_page=100&{order}{filter}");
        let mut seen = Vec::new();
        loop {
            let answer = desk.get(&url).await;
            let link = answer.headers().get("link").cloned();
            let rows: Vec<Value> = answer.json().await.unwrap();
            seen.extend(rows.iter().map(|it| it["id"].as_u64().unwrap()));
            let Some(link) = link else { break };
            let next = link.to_str().unwrap().strip_prefix('<').unwrap();
            next.strip_suffix(">; rel=\"next\"")
                .unwrap()
                .clone_into(&mut url);
        }
        if !order.ends_with("asc") {
            seen.reverse();
        }
        assert_eq!(seen, ids, "{order}");
    }
    desk.pass(30);
    desk.sim.edit_ticket(7, &json!({"priority": 2})).unwrap();
    let since = "/tickets?order_by=updated_at&updated_since=2023-11-20T12:00:30Z";
    assert_eq!(desk.ids(since).await, [7]);
    let since = "/tickets?order_by=updated_at&updated_since=2023-11-20T12:00:31Z";
    assert_eq!(desk.ids(since).await.len(), 0);
}

#[tokio::test]
async fn a_row_lacks_the_description_and_what_is_included_is_paid_for() {
    let desk = start(Options {
        limits: Limits::growth(),
        ..Options::default()
    })
    .await;
    let (ada, acme) = desk.ada();
    let ticket = desk.ticket(ada);
    let plain = &desk.rows("/tickets").await[0];
    let row = plain.as_object().unwrap();
    for lacking in [
        "description",
        "description_text",
        "stats",
        "requester",
        "company",
        "deleted",
    ] {
        assert!(!row.contains_key(lacking), "{lacking}");
    }
    assert_eq!(row["tags"], json!([]));
    assert_eq!(row["created_at"], "2023-11-20T12:00:00Z");
    assert_eq!(row["company_id"], acme);
    let cost = |answer: &Response| answer.headers()["x-ratelimit-used-currentrequest"].clone();
    let answer = desk
        .get("/tickets?include=stats,requester,company,description")
        .await;
    assert_eq!(cost(&answer), "9");
    assert_eq!(answer.headers()["x-ratelimit-remaining"], "190.0");
    let rows: Vec<Value> = answer.json().await.unwrap();
    assert_eq!(rows[0]["requester"]["email"], "ada@example.com");
    assert_eq!(rows[0]["company"], json!({"id": acme, "name": "Acme"}));
    assert_eq!(rows[0]["description"], "<div>Question</div>");
    assert_eq!(rows[0]["stats"]["resolved_at"], Value::Null);
    let url = format!("/tickets/{ticket}?include=stats,conversations");
    let answer = desk.get(&url).await;
    assert_eq!(cost(&answer), "4");
    let view: Value = answer.json().await.unwrap();
    assert_eq!(view["conversations"], json!([]));
    assert_eq!(view["description_text"], "Question");
}

#[tokio::test]
async fn the_ticket_list_is_refused_while_the_headers_promise_plenty() {
    let desk = start(Options {
        limits: Limits::growth(),
        ..Options::default()
    })
    .await;
    let (ada, _) = desk.ada();
    let ticket = desk.ticket(ada);
    for _ in 0..20 {
        assert_eq!(desk.get("/tickets").await.status(), 200);
    }
    let refused = desk.get("/tickets").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "60");
    assert_eq!(refused.headers()["x-ratelimit-remaining"], "180.0");
    assert_eq!(refused.text().await.unwrap(), "");
    assert_eq!(desk.get(&format!("/tickets/{ticket}")).await.status(), 200);
    assert_eq!(desk.get("/contacts").await.status(), 200);
    let desk = start(Options {
        limits: Limits::trial(),
        tickets: TicketOptions {
            limits: Some(TicketLimits {
                list: 9,
                create: 1,
                update: 2,
            }),
            ..TicketOptions::default()
        },
        ..Options::default()
    })
    .await;
    let (ada, _) = desk.ada();
    let url = format!("/tickets/{}", desk.ticket(ada));
    let raise = || desk.send("PUT", &url, Some(json!({"priority": 4})));
    let statuses = [raise().await, raise().await, raise().await].map(|it| it.status().as_u16());
    assert_eq!(statuses, [200, 200, 429]);
}

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
async fn stats_tell_when_a_ticket_was_answered_resolved_and_opened_again() {
    let desk = desk().await;
    let (ada, _) = desk.ada();
    desk.ticket(ada);
    let stats = async || {
        let (_, view) = desk
            .call("GET", "/tickets/1?include=stats", Value::Null)
            .await;
        view["stats"].clone()
    };
    desk.pass(60);
    desk.call("POST", "/tickets/1/reply", json!({"body": "Done."}))
        .await;
    desk.pass(60);
    desk.call("PUT", "/tickets/1", json!({"status": 5})).await;
    let closed = stats().await;
    assert_eq!(closed["first_responded_at"], "2023-11-20T12:01:00Z");
    assert_eq!(closed["closed_at"], "2023-11-20T12:02:00Z");
    assert_eq!(closed["resolved_at"], closed["closed_at"]);
    assert_eq!(desk.sim.mails(), 2);
    desk.pass(60);
    desk.sim.customer_writes(1, "No!").unwrap();
    let open = stats().await;
    assert_eq!(open["reopened_at"], "2023-11-20T12:03:00Z");
    assert_eq!(open["requester_responded_at"], "2023-11-20T12:03:00Z");
    assert_eq!(open["closed_at"], Value::Null);
    desk.call("PUT", "/tickets/1", json!({"status": 3})).await;
    assert_eq!(stats().await["pending_since"], "2023-11-20T12:03:00Z");
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
async fn statuses_groups_and_agents_are_read_from_the_account_and_some_only_by_administrators() {
    let mut tickets = TicketOptions::default();
    tickets
        .statuses
        .push(Status::new(8, "On the moon", "Being Processed"));
    let desk = with(tickets).await;
    let fields = desk.rows("/ticket_fields").await;
    let choices = |name: &str| {
        let field = fields.iter().find(|it| it["name"] == name);
        field.unwrap()["choices"].clone()
    };
    assert_eq!(
        choices("status")["8"],
        json!(["On the moon", "Being Processed"])
    );
    assert_eq!(choices("status")["2"], json!(["Open", "Being Processed"]));
    assert_eq!(choices("priority")["Urgent"], 4);
    assert_eq!(choices("ticket_type")[0], "Question");
    let sales = desk.sim.group_id("Sales").unwrap();
    assert_eq!(choices("group")["Sales"], sales);
    assert_eq!(
        choices("agent")["Sandbox Administrator"],
        desk.sim.agent_id()
    );
    let one = desk.rows("/ticket_fields?type=default_priority").await;
    assert_eq!(one.len(), 1);
    let groups = desk.rows("/groups").await;
    assert_eq!((groups.len(), &groups[2]["id"]), (3, &json!(sales)));
    let plain = with(TicketOptions {
        plain_agent: true,
        ..TicketOptions::default()
    })
    .await;
    for (path, status) in [
        ("/groups", 403),
        ("/agents", 403),
        ("/agents/me", 200),
        ("/ticket_fields", 200),
    ] {
        assert_eq!(plain.get(path).await.status(), status, "{path}");
    }
}

#[tokio::test]
async fn search_cannot_find_a_persons_tickets_and_lags_and_stops_at_three_hundred() {
    let desk = desk().await;
    let (ada, _) = desk.ada();
    desk.many(ada, 320);
    let search = async |query: &str| {
        let url = format!("{}/api/v2/search/tickets", desk.sim.url());
        let url = reqwest::Url::parse_with_params(&url, [("query", query)]).unwrap();
        desk.call("GET", url.as_str(), Value::Null).await
    };
    for field in ["requester_id", "company_id"] {
        let (status, body) = search(&format!("\"{field}:{ada}\"")).await;
        assert_eq!(
            (status, first_error(&body)),
            (400, (field, "invalid_field"))
        );
    }
    let (status, found) = search("\"priority:1 AND (status:2 OR status:3)\"").await;
    assert_eq!((status, &found["total"]), (200, &json!(320)));
    assert_eq!(found["results"].as_array().unwrap().len(), 30);
    let url = "/search/tickets?query=%22priority:1%22&page=11";
    assert_eq!(desk.get(url).await.status(), 400);
    desk.sim
        .edit_ticket(1, &json!({"priority": 4, "tags": ["vip"]}))
        .unwrap();
    assert_eq!(search("\"tag:'vip'\"").await.1["total"], 0);
    desk.pass(121);
    assert_eq!(search("\"tag:'vip' AND priority:4\"").await.1["total"], 1);
    assert_eq!(search("priority:4").await.0, 400);
}

#[tokio::test]
async fn ratings_are_listed_by_when_they_were_given() {
    let desk = desk().await;
    let (ada, _) = desk.ada();
    let ticket = desk.ticket(ada);
    desk.sim.rate_ticket(ticket, 103, None);
    desk.pass(60);
    desk.sim.rate_ticket(ticket, -103, Some("Slow"));
    let path = "/surveys/satisfaction_ratings?created_since=2023-11-20T12:01:00Z";
    let rows = desk.rows(path).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["ratings"], json!({"default_question": -103}));
    assert_eq!(
        (&rows[0]["ticket_id"], &rows[0]["feedback"]),
        (&json!(ticket), &json!("Slow"))
    );
    assert_eq!(
        desk.rows("/surveys/satisfaction_ratings?per_page=1&page=2")
            .await
            .len(),
        1
    );
    assert_eq!(
        desk.get("/surveys/satisfaction_ratings?colour=red")
            .await
            .status(),
        400
    );
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

#[tokio::test]
async fn a_page_of_fifty_thousand_tickets_costs_no_more_than_one_of_a_hundred() {
    let desk = desk().await;
    let (ada, _) = desk.ada();
    let seed = |n| TicketSeed {
        requester_id: ada,
        created_at: Some(NOON - 300 * DAY + n),
        ..TicketSeed::default()
    };
    desk.sim.populate_tickets((0..50_000).map(seed));
    let url = "/tickets?order_by=updated_at&order_type=asc&per_page=100&updated_since=1970-01-01";
    let last = desk.ids(&format!("{url}&page=300")).await;
    assert_eq!((last.len(), last[99]), (100, 30_000));
    let anchored = url.replace("1970-01-01", "2023-01-24T20:19:59Z");
    let rest = desk.ids(&anchored).await;
    assert_eq!(rest.len(), 100);
    assert!(rest[0] > 29_000, "{}", rest[0]);
}

#[tokio::test]
async fn what_the_agent_may_not_see_and_what_is_archived_is_absent_and_not_deleted() {
    let desk = with(TicketOptions {
        scope: Some(vec!["Sales".to_owned()]),
        ..TicketOptions::default()
    })
    .await;
    let (ada, acme) = desk.ada();
    let in_group = |name: &str, agent| TicketSeed {
        requester_id: ada,
        group_id: desk.sim.group_id(name),
        responder_id: agent,
        ..TicketSeed::default()
    };
    let own = Some(desk.sim.agent_id());
    let seeds = [
        in_group("Sales", None),
        in_group("QA", None),
        in_group("", None),
        in_group("Sales", own),
        in_group("Sales", Some(1)),
    ];
    desk.sim.populate_tickets(seeds);
    assert_eq!(desk.ids("/tickets").await, [5, 4, 1]);
    let mine = "/tickets?filter=new_and_my_open";
    assert_eq!(desk.ids(mine).await, [4, 1]);
    assert_eq!(desk.ids("/tickets?filter=watching").await.len(), 0);
    for hidden in ["/tickets/2", "/tickets/3"] {
        let (status, body) = desk.call("GET", hidden, Value::Null).await;
        assert_eq!((status, &body["code"]), (403, &json!("access_denied")));
    }
    desk.sim.archive_ticket(1).unwrap();
    assert_eq!(desk.ids(mine).await, [4]);
    assert_eq!(desk.get("/tickets/1").await.status(), 404);
    assert_eq!(desk.get("/tickets/archived/1").await.status(), 200);
    let raise = desk.call("PUT", "/tickets/1", json!({"priority": 4}));
    assert_eq!(raise.await, (404, Value::Null));
    desk.pass(60);
    desk.sim.delete_company(acme).unwrap();
    let five = desk.sim.ticket(5).unwrap();
    assert_eq!((five.company_id, five.updated_at), (None, NOON));
}
