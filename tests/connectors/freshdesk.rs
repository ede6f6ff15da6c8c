//! The Freshdesk connector against a scripted server: what it asks, and what it makes of answers.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Method, Uri};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use deskbridge::model::{COMPANY, Changes, Image, Kind, Observed, Presence, RecordId, Value};
use deskbridge::remote::freshdesk::{Freshdesk, Options};
use deskbridge::remote::{
    Applied, Connector, Cursor, ErrorKind, Feed, Fetched, Helpdesk as _, Op, Outcome, Page,
    PageRequest, RemoteError, Shape, TicketFeed,
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// A request as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    method: Method,
    path: String,
    query: BTreeMap<String, String>,
    /// As it came, to see how it was encoded.
    raw_query: String,
    body: Json,
}

impl Seen {
    fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    fn is(&self, method: &str, path: &str) -> bool {
        self.method.as_str() == method && self.path == path
    }
}

/// An answer of the script.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

fn json_answer(status: u16, body: &Json) -> Answer {
    raw(status, body.to_string())
}

fn raw(status: u16, body: impl Into<String>) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: body.into(),
    }
}

impl Answer {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

type Script = dyn Fn(&Seen) -> Answer + Send + Sync;

#[derive(Clone)]
struct Stub {
    script: Arc<Script>,
    log: Arc<Mutex<Vec<Seen>>>,
}

async fn answer(State(stub): State<Stub>, method: Method, uri: Uri, body: Bytes) -> Response {
    let raw_query = uri.query().unwrap_or_default().to_owned();
    let url = reqwest::Url::parse(&format!("http://x/?{raw_query}")).unwrap();
    let seen = Seen {
        method,
        path: uri.path().strip_prefix("/api/v2").unwrap().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        raw_query,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let answer = (stub.script)(&seen);
    stub.log.lock().unwrap().push(seen);
    let mut response = answer.body.into_response();
    *response.status_mut() = answer.status.try_into().unwrap();
    for (name, value) in answer.headers {
        response.headers_mut().insert(
            HeaderName::from_static(name),
            HeaderValue::from_str(&value).unwrap(),
        );
    }
    response
}

struct Desk {
    connector: Freshdesk,
    log: Arc<Mutex<Vec<Seen>>>,
}

impl Desk {
    async fn new(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let log = Arc::new(Mutex::default());
        let stub = Stub {
            script: Arc::new(script),
            log: Arc::clone(&log),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new().fallback(answer).with_state(stub);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let connector = Freshdesk::new(Options {
            url: format!("http://127.0.0.1:{port}/").parse().unwrap(),
            api_key: "key".into(),
            limits: None,
            calls_per_minute: None,
            share: 1.0,
            stop: CancellationToken::new(),
        })
        .unwrap();
        Self { connector, log }
    }

    fn log(&self) -> Vec<Seen> {
        self.log.lock().unwrap().clone()
    }

    async fn page(
        &self,
        kind: Kind,
        feed: Feed,
        names: &[&str],
        cursor: Option<&Cursor>,
    ) -> Result<Page, RemoteError> {
        let fields = fields(names);
        let request = PageRequest {
            kind,
            feed,
            fields: &fields,
        };
        self.connector.page(&request, cursor).await
    }

    /// All pages of a pass.
    async fn pass(&self, kind: Kind, feed: Feed, names: &[&str]) -> Vec<Observed> {
        let mut records = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.page(kind, feed, names, cursor.as_ref()).await.unwrap();
            records.extend(page.records);
            cursor = page.next;
            if cursor.is_none() {
                return records;
            }
        }
    }

    async fn write(&self, kind: Kind, op: Op) -> Outcome {
        let names = fields(&["name", "email", COMPANY, "custom_fields.tier"]);
        let mut outcomes = self.connector.write(kind, &names, &[op]).await;
        assert_eq!(outcomes.len(), 1);
        outcomes.remove(0)
    }
}

fn fields(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn contact(id: u64) -> Json {
    json!({"id": id, "name": format!("Contact {id}"), "email": format!("c{id}@example.com"),
           "updated_at": "2026-08-19T23:50:05Z", "company_id": null, "custom_fields": {"tier": null}})
}

/// Page `page` of `total` contacts, as Freshdesk pages them.
fn paged(seen: &Seen, total: u64) -> Answer {
    let page: u64 = seen.query("page").map_or(1, |page| page.parse().unwrap());
    let size: u64 = seen
        .query("per_page")
        .map_or(30, |size| size.parse().unwrap());
    let rows: Vec<Json> = (1..=total)
        .skip(usize::try_from((page - 1) * size).unwrap())
        .take(usize::try_from(size).unwrap())
        .map(contact)
        .collect();
    let answer = json_answer(200, &json!(rows));
    if page * size < total {
        answer.with("link", "<http://x/api/v2/contacts?page=2>; rel=\"next\"")
    } else {
        answer
    }
}

fn empty_list() -> Answer {
    raw(200, "[]")
}

fn update(fields: Changes) -> Op {
    Op::Update {
        id: RecordId::from("7"),
        fields,
        company_before: None,
    }
}

fn create(fields: Changes) -> Op {
    Op::Create { fields }
}

fn refused_field(name: &str, code: &str) -> Json {
    json!({"description": "Validation failed",
           "errors": [{"field": name, "message": "It is wrong", "code": code}]})
}

// ── Account and metadata ────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn the_account_is_named_by_its_host_and_shows_no_address_of_the_agent() {
    let desk = Desk::new(|_| {
        json_answer(
            200,
            &json!({"id": 123, "contact": {"email": "agent@example.com"}}),
        )
    })
    .await;
    let account = desk.connector.account().await.unwrap();
    assert!(account.identity.starts_with("freshdesk:127.0.0.1:"));
    assert_eq!(account.acting_as, "agent 123");
    assert!(desk.log()[0].is("GET", "/agents/me"));
}

#[tokio::test]
async fn the_account_s_own_limit_is_learned_from_its_first_answer() {
    let desk = Desk::new(|_| {
        json_answer(200, &json!({"id": 123}))
            .with("x-ratelimit-total", "50.0")
            .with("x-ratelimit-remaining", "49.0")
    })
    .await;
    assert_eq!(desk.connector.spending().allowed, None);
    desk.connector.account().await.unwrap();
    assert_eq!(desk.connector.spending().allowed, Some(50.0));
}

#[tokio::test]
async fn a_reload_does_not_take_the_calls_of_the_minute_once_more() {
    let desk = || async {
        let left = AtomicU32::new(50);
        Desk::new(move |_| {
            let left = left.fetch_sub(1, Ordering::Relaxed) - 1;
            json_answer(200, &json!({"id": 123}))
                .with("x-ratelimit-total", "50.0")
                .with("x-ratelimit-remaining", format!("{left}.0"))
        })
        .await
    };
    let (before, after) = (desk().await, desk().await);
    for _ in 0..5 {
        before.connector.account().await.unwrap();
    }
    let spent = before.connector.spending();
    assert!(spent.left <= Some(45.0), "{spent:?}");
    after.connector.follow(before.connector.ledger().unwrap());
    let known = after.connector.spending();
    assert_eq!((known.allowed, known.left), (spent.allowed, spent.left));
}

#[tokio::test]
async fn a_wrong_account_name_is_said_to_be_one() {
    let desk = Desk::new(|_| raw(404, "")).await;
    let error = desk.connector.account().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Missing);
    assert!(error.to_string().contains("switched off"), "{error}");
}

#[tokio::test]
async fn metadata_that_are_no_list_are_an_error_and_not_an_account_without_fields() {
    for body in ["", "[]", "{}", "[1]", "<html>", "null"] {
        let desk = Desk::new(move |_| raw(200, body)).await;
        let error = desk.connector.describe(Kind::Contact).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Garbled, "{body}");
    }
}

// ── Passes ──────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_full_pass_reads_every_page_with_as_few_calls_as_there_are_pages() {
    let desk = Desk::new(|seen| paged(seen, 250)).await;
    let records = desk.pass(Kind::Contact, Feed::All, &["email"]).await;
    assert_eq!(records.len(), 250);
    assert_eq!(desk.connector.calls(), [("contacts.list", 3)].into());
    let only_email = Image::from([("email", "c1@example.com".into())]);
    assert_eq!(records[0].image, only_email);
}

#[tokio::test]
async fn a_full_page_without_links_is_not_the_end() {
    let desk = Desk::new(|seen| {
        let mut answer = paged(seen, 200);
        answer.headers.clear();
        answer
    })
    .await;
    let records = desk.pass(Kind::Contact, Feed::All, &["email"]).await;
    assert_eq!(records.len(), 200);
    assert_eq!(desk.connector.calls(), [("contacts.list", 3)].into());
}

#[tokio::test]
async fn an_empty_page_that_names_a_next_one_does_not_hide_who_stands_there() {
    let link = "<http://x/api/v2/contacts?page=2>; rel=\"next\"";
    let desk = Desk::new(move |_| empty_list().with("link", link)).await;
    let page = desk.page(Kind::Contact, Feed::All, &["email"], None);
    assert_eq!(page.await.unwrap_err().kind, ErrorKind::Garbled);
}

#[tokio::test]
async fn a_body_that_is_no_list_never_completes_a_pass() {
    for body in [
        "",
        "{}",
        "null",
        "<html></html>",
        "[{}]",
        "[{\"id\":1}",
        "[1]",
    ] {
        let desk = Desk::new(move |_| raw(200, body)).await;
        let error = desk
            .page(Kind::Contact, Feed::All, &["email"], None)
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Garbled, "{body}");
    }
}

#[tokio::test]
async fn changes_are_asked_for_with_one_call_once_the_filter_is_known() {
    let desk = Desk::new(|_| empty_list()).await;
    let feed = Feed::Changes(time("2026-08-19T23:50:05.900Z"));
    for _ in 0..3 {
        let page = desk
            .page(Kind::Company, feed, &["name"], None)
            .await
            .unwrap();
        assert_eq!(page.next, None);
    }
    assert_eq!(desk.connector.calls(), [("companies.list", 4)].into());
    let last = desk.log().pop().unwrap();
    assert_eq!(last.query("updated_since"), Some("2026-08-19T23:50:05Z"));
    assert_eq!(last.query("per_page"), Some("100"));
}

#[tokio::test]
async fn the_other_spelling_is_used_where_the_documented_one_is_refused_or_ignored() {
    for refuses in [true, false] {
        let desk = Desk::new(move |seen| {
            if seen.query("_updated_since").is_some() {
                empty_list()
            } else if refuses {
                json_answer(400, &refused_field("updated_since", "invalid_field"))
            } else {
                paged(seen, 5)
            }
        })
        .await;
        let feed = Feed::Changes(time("2026-08-19T23:50:05Z"));
        let page = desk
            .page(Kind::Contact, feed, &["name"], None)
            .await
            .unwrap();
        assert!(page.records.is_empty());
        assert!(desk.log().pop().unwrap().query("_updated_since").is_some());
    }
}

#[tokio::test]
async fn without_any_filter_the_changes_are_picked_from_the_whole_list() {
    let desk = Desk::new(|seen| {
        if seen.query("updated_since").is_some() {
            return paged(seen, 150);
        }
        if seen.query("_updated_since").is_some() {
            return json_answer(400, &refused_field("_updated_since", "invalid_field"));
        }
        let mut answer = paged(seen, 150);
        answer.body = answer.body.replacen("2026-08-19", "2026-08-21", 2);
        answer
    })
    .await;
    let feed = Feed::Changes(time("2026-08-20T00:00:00Z"));
    let changed = desk.pass(Kind::Contact, feed, &["name"]).await;
    assert_eq!(changed.len(), 4, "two of each of the two pages");
    desk.pass(Kind::Contact, feed, &["name"]).await;
    assert_eq!(
        desk.connector.calls(),
        [("contacts.list", 2 + 2 + 2)].into()
    );
}

#[tokio::test]
async fn a_filter_that_turns_out_to_be_ignored_is_looked_for_again() {
    let full = Arc::new(Mutex::new(false));
    let filled = Arc::clone(&full);
    let desk = Desk::new(move |seen| {
        let works = seen.query("_updated_since").is_some();
        if works || !*filled.lock().unwrap() {
            empty_list()
        } else {
            paged(seen, 3)
        }
    })
    .await;
    let feed = Feed::Changes(time("2026-09-01T00:00:00Z"));
    desk.page(Kind::Contact, feed, &["name"], None)
        .await
        .unwrap();
    *full.lock().unwrap() = true;
    desk.page(Kind::Contact, feed, &["name"], None)
        .await
        .unwrap();
    let page = desk
        .page(Kind::Contact, feed, &["name"], None)
        .await
        .unwrap();
    assert!(page.records.is_empty());
    assert!(desk.log().pop().unwrap().query("_updated_since").is_some());
}

#[tokio::test]
async fn the_trash_is_what_is_deleted_and_what_is_blocked() {
    let desk = Desk::new(|seen| match seen.query("state") {
        Some("deleted") => json_answer(200, &json!([contact(1)])),
        Some("blocked") => json_answer(200, &json!([contact(2)])),
        _ => raw(500, ""),
    })
    .await;
    let trash = desk
        .pass(Kind::Contact, Feed::Trash(None), &["email", "tags"])
        .await;
    let ids: Vec<_> = trash.iter().map(|record| record.id.0.as_str()).collect();
    assert_eq!(ids, ["1", "2"]);
    assert!(trash.iter().all(|it| it.presence == Presence::Trashed));
    assert_eq!(desk.connector.calls(), [("contacts.list", 2)].into());
}

#[tokio::test]
async fn companies_have_no_trash_and_that_costs_no_call() {
    let desk = Desk::new(|_| raw(500, "")).await;
    let page = desk
        .page(Kind::Company, Feed::Trash(None), &["name"], None)
        .await
        .unwrap();
    assert!(page.records.is_empty() && page.next.is_none());
    assert!(desk.connector.calls().is_empty());
}

#[tokio::test]
async fn tags_come_from_single_reads_because_lists_lack_them() {
    let desk = Desk::new(|seen| {
        if seen.path == "/contacts" {
            return json_answer(200, &json!([contact(1), contact(2)]));
        }
        if seen.path == "/contacts/2" {
            return raw(404, "");
        }
        let mut view = contact(1);
        view["tags"] = json!(["vip"]);
        json_answer(200, &view)
    })
    .await;
    let records = desk
        .pass(Kind::Contact, Feed::All, &["email", "tags"])
        .await;
    let tags: Vec<_> = records.iter().map(|it| it.image.get("tags")).collect();
    assert_eq!(tags, [Some(&Value::list(vec!["vip".to_owned()])), None]);
    assert_eq!(records.len(), 2);
    assert_eq!(desk.connector.calls()["contacts.view"], 2);
}

// ── Single reads ────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_record_is_gone_only_while_the_account_answers() {
    let desk = Desk::new(|seen| match seen.path.as_str() {
        "/contacts/1" => json_answer(200, &contact(1)),
        "/contacts/3" => {
            let mut trashed = contact(3);
            trashed["deleted"] = json!(true);
            json_answer(200, &trashed)
        }
        "/agents/me" => json_answer(200, &json!({"id": 9})),
        _ => raw(404, ""),
    })
    .await;
    let ids = ["1", "2", "3", "4"].map(RecordId::from);
    let found = desk
        .connector
        .fetch(Kind::Contact, &fields(&["email"]), &ids)
        .await
        .unwrap();
    assert!(matches!(&found[0], Fetched::Found(it) if it.presence == Presence::Live));
    assert!(matches!(found[1], Fetched::Gone));
    assert!(matches!(&found[2], Fetched::Found(it) if it.presence == Presence::Trashed));
    assert!(matches!(found[3], Fetched::Gone));
    assert_eq!(desk.connector.calls()["agents.me"], 1);
}

#[tokio::test]
async fn nothing_is_gone_when_the_whole_account_is_not_found() {
    let desk = Desk::new(|_| raw(404, "")).await;
    let ids = [RecordId::from("1")];
    let error = desk
        .connector
        .fetch(Kind::Contact, &[], &ids)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Missing);
}

#[tokio::test]
async fn an_id_cannot_lead_to_another_path() {
    let desk = Desk::new(|_| json_answer(200, &contact(1))).await;
    for id in ["", "1/hard_delete", "../agents/1", "1?x", "-1"] {
        let ids = [RecordId::from(id)];
        assert!(
            desk.connector
                .fetch(Kind::Contact, &[], &ids)
                .await
                .is_err()
        );
        let delete = Op::Delete {
            id: RecordId::from(id),
        };
        assert!(matches!(
            desk.write(Kind::Contact, delete).await,
            Outcome::Failed(_)
        ));
    }
    assert!(desk.log().is_empty());
}

// ── Look-ups ────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn an_address_with_a_plus_is_found_and_nothing_like_it() {
    let desk = Desk::new(|seen| {
        let mut near = contact(1);
        near["email"] = json!("ada+x@example.com.au");
        let mut exact = contact(2);
        exact["email"] = json!("ada+x@example.com");
        match seen.query("email") {
            Some("Ada+x@Example.com") => json_answer(200, &json!([near, exact])),
            _ => empty_list(),
        }
    })
    .await;
    let lookup = desk
        .connector
        .find(
            Kind::Contact,
            &fields(&["name"]),
            "email",
            "Ada+x@Example.com",
        )
        .await
        .unwrap();
    assert_eq!(lookup.found.len(), 1);
    assert_eq!(lookup.found[0].id, RecordId::from("2"));
    assert_eq!(
        lookup.found[0].image,
        Image::from([("name", "Contact 2".into())])
    );
    assert!(!lookup.taken_by_other);
    assert!(desk.log()[0].raw_query.contains("%2B"));
    assert_eq!(desk.log().len(), 1);
}

#[tokio::test]
async fn a_contact_that_took_over_an_address_in_a_merge_is_told_from_one_that_goes_by_it() {
    // A server that passes over the filter shows people who have nothing to do with the address.
    for (has, expected) in [(true, vec![RecordId::from("2")]), (false, Vec::new())] {
        let desk = Desk::new(move |seen| {
            let mut view = contact(2);
            view["other_emails"] = json!(if has {
                vec!["Gone@example.com"]
            } else {
                vec![]
            });
            match seen.path.as_str() {
                "/contacts" if seen.query("state").is_none() => {
                    json_answer(200, &json!([contact(2)]))
                }
                "/contacts/2" => json_answer(200, &view),
                _ => empty_list(),
            }
        })
        .await;
        let lookup = desk
            .connector
            .find(
                Kind::Contact,
                &fields(&["email", "name"]),
                "email",
                "gone@example.com",
            )
            .await
            .unwrap();
        let also: Vec<_> = lookup.also.iter().map(|it| it.id.clone()).collect();
        assert_eq!((lookup.found.len(), also), (0, expected));
        assert!(!lookup.taken_by_other);
        let unasked = |it: &Observed| it.image.get("other_emails").is_some();
        assert!(!lookup.also.iter().any(unasked));
    }
}

#[tokio::test]
async fn an_address_that_a_trashed_contact_or_an_agent_holds_is_known_to_be_taken() {
    for (holder, rights) in [("blocked", true), ("agent", true), ("agent", false)] {
        let desk = Desk::new(
            move |seen| match (seen.path.as_str(), seen.query("state")) {
                ("/contacts", Some(state)) if state == holder => {
                    json_answer(200, &json!([contact(1)]))
                }
                ("/agents", _) if !rights => raw(403, "{\"code\":\"access_denied\"}"),
                ("/agents", _) if holder == "agent" => json_answer(
                    200,
                    &json!([{"id": 5, "contact": {"email": "c1@example.com"}}]),
                ),
                _ => empty_list(),
            },
        )
        .await;
        let lookup = desk
            .connector
            .find(
                Kind::Contact,
                &fields(&["email"]),
                "email",
                "c1@example.com",
            )
            .await
            .unwrap();
        assert_eq!(lookup.taken_by_other, holder == "agent" && rights);
        let presences: Vec<_> = lookup.found.iter().map(|it| it.presence).collect();
        let expected: &[Presence] = if holder == "blocked" {
            &[Presence::Trashed]
        } else {
            &[]
        };
        assert_eq!(presences, expected);
    }
}

#[tokio::test]
async fn a_company_is_found_by_its_whole_name() {
    let desk = Desk::new(|seen| match seen.path.as_str() {
        "/companies/autocomplete" => json_answer(
            200,
            &json!({"companies": [{"id": 1, "name": "Acme Labs"}, {"id": 2, "name": "ACME"}]}),
        ),
        "/companies/2" => json_answer(
            200,
            &json!({"id": 2, "name": "ACME", "updated_at": "2026-08-19T23:50:05Z"}),
        ),
        _ => raw(500, ""),
    })
    .await;
    let lookup = desk
        .connector
        .find(Kind::Company, &fields(&["name"]), "name", "Acme")
        .await
        .unwrap();
    assert_eq!(lookup.found.len(), 1);
    assert_eq!(lookup.found[0].id, RecordId::from("2"));
}

#[tokio::test]
async fn a_company_that_the_index_does_not_know_yet_is_found_among_the_latest_changes() {
    let desk = Desk::new(|seen| match seen.path.as_str() {
        "/search/companies" => {
            assert_eq!(seen.query("query"), Some("\"domain:'new.example'\""));
            json_answer(200, &json!({"total": 0, "results": []}))
        }
        "/companies" if seen.query("updated_since") != Some("2100-01-01T00:00:00Z") => json_answer(
            200,
            &json!([{"id": 4, "domains": ["old.example", "new.example"], "updated_at": "2026-08-19T23:50:05Z"}]),
        ),
        _ => empty_list(),
    })
    .await;
    let lookup = desk
        .connector
        .find(
            Kind::Company,
            &fields(&["domains"]),
            "domains",
            "new.example",
        )
        .await
        .unwrap();
    assert_eq!(lookup.found[0].id, RecordId::from("4"));
}

// ── Writes ──────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_write_sends_what_changes_and_nothing_else() {
    let desk = Desk::new(|seen| {
        if seen.path == "/contact_fields" {
            return json_answer(
                200,
                &json!([{"name": "seats", "type": "custom_number"}, {"name": "note", "type": "custom_paragraph"}]),
            );
        }
        let mut stored = contact(7);
        stored["email"] = json!("ada@example.com");
        stored["company_id"] = json!(501_001_204_038_u64);
        json_answer(200, &stored).with("x-request-id", "req-1")
    })
    .await;
    let schema = desk.connector.describe(Kind::Contact).await.unwrap();
    assert_eq!(schema.fields["custom_fields.seats"].shape, Shape::Number);
    let op = update(Changes::from([
        ("email", "Ada@Example.com".into()),
        ("job_title", Value::Empty),
        ("tags", Value::Empty),
        (COMPANY, "501001204038".into()),
        ("custom_fields.seats", "12".into()),
        ("custom_fields.note", Value::Empty),
    ]));
    let outcome = desk.write(Kind::Contact, op).await;
    let Outcome::Done { stored, request_id } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(request_id.as_deref(), Some("req-1"));
    assert_eq!(stored.image.get("email"), Some(&"ada@example.com".into()));
    assert_eq!(stored.image.get(COMPANY), Some(&"501001204038".into()));
    let seen = desk.log().pop().unwrap();
    assert!(seen.is("PUT", "/contacts/7"));
    assert_eq!(
        seen.body,
        json!({"email": "Ada@Example.com", "job_title": "", "tags": [], "company_id": 501_001_204_038_u64,
               "custom_fields": {"seats": 12, "note": ""}})
    );
}

#[tokio::test]
async fn a_create_leaves_out_what_is_empty() {
    let desk = Desk::new(|_| json_answer(201, &contact(8))).await;
    let op = create(Changes::from([
        ("name", "Ada".into()),
        ("phone", Value::Empty),
        ("custom_fields.tier", Value::Empty),
    ]));
    assert!(matches!(
        desk.write(Kind::Contact, op).await,
        Outcome::Done { .. }
    ));
    let seen = desk.log().pop().unwrap();
    assert!(seen.is("POST", "/contacts"));
    assert_eq!(seen.body, json!({"name": "Ada"}));
}

#[tokio::test]
async fn a_field_that_cannot_be_written_is_named_without_a_call() {
    let desk = Desk::new(|_| raw(500, "")).await;
    for field in ["id", "active", "company_id", "updated_at", "avatar"] {
        let outcome = desk
            .write(Kind::Contact, update(Changes::from([(field, "x".into())])))
            .await;
        assert!(
            matches!(&outcome, Outcome::Refused { field: Some(named), .. } if named == field),
            "{outcome:?}"
        );
    }
    assert!(desk.log().is_empty());
}

#[tokio::test]
async fn each_refusal_is_what_its_status_stands_for() {
    let taken = json!({"description": "Validation failed", "errors": [{"field": "email",
        "additional_info": {"user_id": 55}, "message": "It should be a unique value", "code": "duplicate_value"}]});
    let script = move |seen: &Seen| match seen.body["name"].as_str() {
        Some("400") => json_answer(400, &refused_field("tier", "invalid_value")),
        Some("401") => raw(401, "{\"code\":\"invalid_credentials\",\"message\":\"no\"}"),
        Some("403") => raw(403, "{\"code\":\"access_denied\",\"message\":\"no\"}"),
        Some("404") => raw(404, ""),
        Some("405") => raw(405, "{\"message\":\"PUT method is not allowed\"}"),
        Some("409") => json_answer(409, &taken),
        Some("proxy") => raw(400, "<html>Bad Request</html>"),
        Some("torn") => raw(200, "{\"id\": 7, \"upd"),
        _ => raw(502, "<html>Bad Gateway</html>"),
    };
    let desk = Desk::new(script).await;
    let change =
        |name: &str| Changes::from([("name", name.into()), ("custom_fields.tier", "VIP".into())]);
    let outcome = desk.write(Kind::Contact, update(change("400"))).await;
    assert!(
        matches!(&outcome, Outcome::Refused { field: Some(field), message, .. }
            if field == "custom_fields.tier" && message.contains("It is wrong")),
        "{outcome:?}"
    );
    let outcome = desk.write(Kind::Contact, update(change("409"))).await;
    assert!(matches!(&outcome, Outcome::Refused { field: Some(field), .. } if field == "email"));
    let outcome = desk.write(Kind::Contact, create(change("409"))).await;
    assert!(matches!(&outcome, Outcome::Duplicate { of: Some(id), .. } if id.0 == "55"));
    let outcome = desk.write(Kind::Contact, update(change("404"))).await;
    assert!(matches!(outcome, Outcome::Missing));
    let outcome = desk.write(Kind::Contact, update(change("405"))).await;
    assert!(matches!(outcome, Outcome::Trashed));
    for (name, kind, applied) in [
        ("401", ErrorKind::Denied, Applied::No),
        ("403", ErrorKind::Forbidden, Applied::No),
        ("proxy", ErrorKind::Rejected(400), Applied::No),
        ("torn", ErrorKind::Garbled, Applied::Unknown),
        ("502", ErrorKind::Fault(502), Applied::Unknown),
    ] {
        let outcome = desk.write(Kind::Contact, create(change(name))).await;
        let Outcome::Failed(error) = outcome else {
            panic!("{name}: {outcome:?}");
        };
        assert_eq!((error.kind, error.applied()), (kind, applied), "{name}");
    }
    assert_eq!(
        desk.connector.calls()["contacts.create"],
        6,
        "no create is repeated"
    );
}

#[tokio::test]
async fn a_contact_goes_to_the_trash_and_a_company_never_goes_anywhere() {
    let desk = Desk::new(|_| raw(204, "")).await;
    let delete = || Op::Delete {
        id: RecordId::from("7"),
    };
    let outcome = desk.write(Kind::Contact, delete()).await;
    assert!(
        matches!(&outcome, Outcome::Done { stored, .. } if stored.presence == Presence::Trashed)
    );
    let outcome = desk.write(Kind::Company, delete()).await;
    assert!(matches!(outcome, Outcome::Refused { .. }));
    let log = desk.log();
    assert_eq!(log.len(), 1);
    assert!(log[0].is("DELETE", "/contacts/7"));
    assert!(!(desk.connector.caps().soft_delete)(Kind::Company));
}

#[tokio::test]
async fn a_plan_s_cost_is_what_the_writes_then_take() {
    let desk = Desk::new(|seen| match seen.method.as_str() {
        "DELETE" => raw(204, ""),
        _ => json_answer(200, &contact(7)),
    })
    .await;
    let mut counted = BTreeMap::<&str, u64>::new();
    for kind in Kind::BOTH {
        for op in [
            create(Changes::from([("name", "Ada".into())])),
            update(Changes::from([("name", "Ada".into())])),
            Op::Delete {
                id: RecordId::from("7"),
            },
        ] {
            let (endpoint, calls) = desk.connector.cost(kind, &op, 1);
            if calls > 0 {
                *counted.entry(endpoint).or_default() += calls as u64;
            }
            desk.write(kind, op).await;
        }
    }
    assert_eq!(desk.connector.calls(), counted);
}

#[tokio::test]
async fn an_update_that_is_answered_with_another_record_is_in_doubt_and_not_done() {
    let desk = Desk::new(|_| json_answer(200, &contact(8))).await;
    let outcome = desk
        .write(Kind::Contact, update([("name", "Ada".into())].into()))
        .await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        (error.kind, error.applied()),
        (ErrorKind::Garbled, Applied::Unknown)
    );
}

#[tokio::test]
async fn a_full_page_of_tickets_from_the_dawn_of_time_is_an_error_and_no_panic() {
    let page = async |stamp: &str| {
        let ticket = json!({"id": 1, "requester_id": 2, "updated_at": stamp,
            "created_at": "2026-08-19T00:00:00Z", "priority": 1, "status": 2, "tags": []});
        let desk = Desk::new(move |_| {
            let next = "<http://x/?page=2>; rel=\"next\"";
            json_answer(200, &json!([ticket])).with("link", next)
        });
        let feed = TicketFeed::Changed {
            since: time("2026-08-19T00:00:00Z"),
            answers: false,
        };
        desk.await.connector.tickets(&feed, None).await
    };
    assert!(page("2026-08-20T00:00:00Z").await.unwrap().next.is_some());
    for odd in ["-262143-01-01T00:00:00", "+262142-12-31T23:59:59"] {
        assert_eq!(
            page(odd).await.unwrap_err().kind,
            ErrorKind::Garbled,
            "{odd}"
        );
    }
}
