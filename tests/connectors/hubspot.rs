//! The HubSpot connector against answers that are laid out for it, one by one, over real HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod apart;
mod batches;
mod companies;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use chrono::DateTime;
use deskbridge::model::{COMPANY, Image, Kind, Presence, RecordId, Value};
use deskbridge::remote::hubspot::{Hubspot, Options};
use deskbridge::remote::{
    Applied, Connector as _, ErrorKind, Feed, Fetched, Op, Outcome, Page, PageRequest, RemoteError,
};
use secrecy::SecretString;
use serde_json::{Value as Json, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// What was asked, and what is still to be answered.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<VecDeque<(u16, String)>>,
    asked: Mutex<Vec<(String, Json)>>,
}

impl Script {
    fn asked(&self) -> Vec<(String, Json)> {
        assert!(self.answers.lock().unwrap().is_empty(), "not all was asked");
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(
    State(script): State<Arc<Script>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> (StatusCode, String) {
    let body = serde_json::from_slice(&body).unwrap_or(Json::Null);
    script
        .asked
        .lock()
        .unwrap()
        .push((format!("{method} {uri}"), body));
    let next = script.answers.lock().unwrap().pop_front();
    let (status, body) = next.unwrap_or((418, String::new()));
    (StatusCode::from_u16(status).unwrap(), body)
}

async fn scripted(answers: &[(u16, Json)]) -> (Hubspot, Arc<Script>) {
    let texts = answers
        .iter()
        .map(|(status, body)| match body {
            Json::String(text) => (*status, text.clone()),
            other => (*status, other.to_string()),
        })
        .collect();
    let script = Arc::new(Script {
        answers: Mutex::new(texts),
        asked: Mutex::default(),
    });
    let app = Router::new()
        .fallback(answer)
        .with_state(Arc::clone(&script));
    (connect(served(app).await), script)
}

/// The address at which `app` answers from now on.
async fn served(app: Router) -> reqwest::Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    url
}

fn connect(base_url: reqwest::Url) -> Hubspot {
    Hubspot::new(Options {
        base_url,
        token: SecretString::from("pat-secret"),
        limits: None,
        share: 1.0,
        stop: CancellationToken::new(),
    })
    .unwrap()
}

fn names(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| (*field).to_owned()).collect()
}

fn row(id: &str, properties: &Json) -> Json {
    json!({"id": id, "properties": properties, "createdAt": "2026-01-01T00:00:00.000Z",
           "updatedAt": "2026-01-02T00:00:00.000Z", "archived": false})
}

fn traced(trace: &str, id: &str, properties: &Json) -> Json {
    let mut row = row(id, properties);
    row["objectWriteTraceId"] = json!(trace);
    row
}

fn create(email: &str) -> Op {
    Op::Create {
        fields: [("email", Value::from(email))].into(),
    }
}

fn update(id: &str, fields: Image, company_before: Option<&str>) -> Op {
    Op::Update {
        id: RecordId::from(id),
        fields,
        company_before: company_before.map(RecordId::from),
    }
}

async fn page(hubspot: &Hubspot, feed: Feed) -> Result<Page, RemoteError> {
    let fields = names(&["email", COMPANY]);
    let request = PageRequest {
        kind: Kind::Contact,
        feed,
        fields: &fields,
    };
    hubspot.page(&request, None).await
}

fn changes() -> Feed {
    Feed::Changes(DateTime::from_timestamp_millis(1_767_225_600_000).unwrap())
}

#[tokio::test]
async fn a_quiet_cycle_costs_one_call_and_a_filter_is_tried_once_a_process() {
    let nothing = json!({"total": 0, "results": []});
    let answers = [
        (200, nothing.clone()),
        (200, nothing.clone()),
        (200, nothing),
    ];
    let (hubspot, script) = scripted(&answers).await;
    for _ in 0..2 {
        let page = page(&hubspot, changes()).await.unwrap();
        assert!(page.records.is_empty() && page.next.is_none());
    }
    let asked = script.asked();
    let filters = |call: usize| asked[call].1["filterGroups"][0]["filters"].clone();
    assert_eq!(filters(0)[0]["value"], "4102444800000");
    for call in [1, 2] {
        assert_eq!(asked[call].0, "POST /crm/v3/objects/contacts/search");
        assert_eq!(
            filters(call),
            json!([
                {"propertyName": "lastmodifieddate", "operator": "GTE", "value": "1767225600000"},
                {"propertyName": "hs_object_id", "operator": "GT", "value": "0"},
            ])
        );
        assert_eq!(
            asked[call].1["properties"],
            json!(["email", "associatedcompanyid"])
        );
    }
}

#[tokio::test]
async fn a_filter_that_does_not_filter_is_an_error_and_no_flood_of_changes() {
    let everything = json!({"total": 1, "results": [row("1", &json!({}))]});
    let (hubspot, _) = scripted(&[(200, everything)]).await;
    let error = page(&hubspot, changes()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Garbled);
    assert!(error.detail.contains("lastmodifieddate"), "{error}");
}

#[tokio::test]
async fn a_search_out_of_order_is_an_error_since_paging_by_id_would_skip_records() {
    let proof = json!({"total": 0, "results": []});
    let shuffled = json!({"total": 2, "results": [row("10", &json!({})), row("9", &json!({}))]});
    let (hubspot, _) = scripted(&[(200, proof), (200, shuffled)]).await;
    assert_eq!(
        page(&hubspot, changes()).await.unwrap_err().kind,
        ErrorKind::Garbled
    );
}

#[tokio::test]
async fn a_body_that_is_no_page_never_passes_for_an_empty_account() {
    for body in [
        json!(""),
        json!("<html><body>Service unavailable</body></html>"),
        json!({}),
        json!(r#"{"results":[{"id":"1","prop"#),
        json!({"results": [{"id": "1", "properties": {}, "updatedAt": "yesterday"}]}),
        json!({"results": "none"}),
    ] {
        let (hubspot, _) = scripted(&[(200, body.clone())]).await;
        let error = page(&hubspot, Feed::All).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Garbled, "{body}");
        let (hubspot, _) = scripted(&[(200, body.clone())]).await;
        let outcomes = hubspot
            .write(Kind::Contact, &names(&["email"]), &[create("a@x.example")])
            .await;
        let Outcome::Failed(error) = &outcomes[0] else {
            panic!("{body}: {outcomes:?}");
        };
        assert_eq!(error.applied(), Applied::Unknown);
    }
}

#[tokio::test]
async fn an_archived_list_that_shows_live_records_deletes_nobody() {
    let live = json!({"results": [row("1", &json!({}))]});
    let (hubspot, _) = scripted(&[(200, live)]).await;
    let error = page(&hubspot, Feed::Trash(None)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Garbled);
}

#[tokio::test]
async fn nobody_is_gone_while_the_account_shows_nobody_at_all() {
    let none = json!({"results": []});
    let missing =
        json!({"status": "error", "category": "OBJECT_NOT_FOUND", "message": "not found"});
    for (listing, gone) in [
        (none.clone(), false),
        (json!({"results": [row("9", &json!({}))]}), true),
    ] {
        let answers = [
            (200, none.clone()),
            (404, missing.clone()),
            (404, missing.clone()),
            (200, listing),
        ];
        let (hubspot, script) = scripted(&answers).await;
        let fetched = hubspot
            .fetch(Kind::Contact, &names(&["email"]), &[RecordId::from("5")])
            .await;
        assert_eq!(
            matches!(fetched.as_deref(), Ok([Fetched::Gone])),
            gone,
            "{fetched:?}"
        );
        assert_eq!(script.asked().len(), 4);
    }
}

#[tokio::test]
async fn a_merged_contact_is_found_under_the_id_of_its_survivor() {
    let survivor = row(
        "9",
        &json!({"email": "a@x.example", "hs_merged_object_ids": "4;5"}),
    );
    let mut archived = row("6", &json!({"email": "b@x.example"}));
    archived["archived"] = json!(true);
    let answers = [
        (207, json!({"results": [survivor], "numErrors": 2})),
        (200, json!({"results": [archived]})),
        (200, row("9", &json!({"email": "a@x.example"}))),
    ];
    let (hubspot, _) = scripted(&answers).await;
    let ids = ["5", "6", "7", "9"].map(RecordId::from);
    let fetched = hubspot
        .fetch(Kind::Contact, &names(&["email"]), &ids)
        .await
        .unwrap();
    assert!(matches!(&fetched[0], Fetched::MovedTo(to) if to.id.0 == "9"));
    assert!(matches!(&fetched[1], Fetched::Found(it) if it.presence == Presence::Trashed));
    assert!(matches!(&fetched[2], Fetched::MovedTo(to) if to.id.0 == "9"));
    assert!(matches!(&fetched[3], Fetched::Found(it)
        if it.presence == Presence::Live && it.image == [("email", Value::from("a@x.example"))].into()));
}

#[tokio::test]
async fn an_address_that_a_contact_has_on_the_side_is_taken_and_no_match() {
    let other = json!({"email": "a@x.example", "hs_additional_emails": "b@x.example;c@x.example"});
    let (hubspot, script) = scripted(&[(200, json!({"results": [row("9", &other)]}))]).await;
    let lookup = hubspot
        .find(Kind::Contact, &names(&["phone"]), "email", "B@x.example")
        .await
        .unwrap();
    assert!(lookup.found.is_empty() && lookup.taken_by_other);
    assert_eq!(script.asked()[0].1["idProperty"], "email");
}

#[tokio::test]
async fn an_account_that_shows_no_properties_is_an_error_and_not_one_without_any() {
    let (hubspot, _) = scripted(&[(200, json!({"results": []}))]).await;
    let error = hubspot.describe(Kind::Contact).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Garbled);
}

#[tokio::test]
async fn the_accounts_midnight_moves_with_its_clocks_however_long_the_daemon_runs() {
    let details = |hours: i64| {
        let millis = hours * 3_600_000;
        (200, json!({"portalId": 1, "utcOffsetMilliseconds": millis}))
    };
    let page = (200, json!({"results": []}));
    let answers = [
        details(2),
        page.clone(),
        details(1),
        page.clone(),
        page.clone(),
    ];
    let (hubspot, script) = scripted(&answers).await;
    let midnight = || hubspot.spending().today.unwrap().until.as_millis();
    hubspot.account().await.unwrap();
    let summer = midnight();
    let fields = [];
    let request = PageRequest {
        kind: Kind::Contact,
        fields: &fields,
        feed: Feed::All,
    };
    hubspot.page(&request, None).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_hours(7)).await;
    tokio::time::resume();
    hubspot.page(&request, None).await.unwrap();
    hubspot.page(&request, None).await.unwrap();
    let hour = 3_600_000;
    assert_eq!((midnight() - summer).rem_euclid(24 * hour), hour);
    let asked = script.asked();
    let looks = asked
        .iter()
        .filter(|(call, _)| call.contains("account-info"));
    assert_eq!(looks.count(), 2, "{asked:?}");
}
