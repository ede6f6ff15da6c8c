//! Lists, rows, searches and ratings: what they show, what they cost and what they cannot know.

use super::{DAY, NOON, desk, first_error, start, with};
use deskbridge::sandbox::freshdesk::{
    Limits, Options, Status, TicketLimits, TicketOptions, TicketSeed, TicketStanding,
};
use reqwest::Response;
use serde_json::{Value, json};

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
