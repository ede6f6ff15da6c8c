//! The HubSpot connector against answers that are laid out for it, one by one, over real HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod apart;

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
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    (connect(base_url), script)
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
async fn each_record_of_a_partial_success_has_the_outcome_that_its_trace_id_names() {
    let answer = json!({"status": "COMPLETE",
    "results": [traced("2", "12", &json!({"email": "c@x.example"}))],
    "numErrors": 2,
    "errors": [
        {"status": "error", "category": "CONFLICT",
         "message": "Contact already exists. Existing ID: 77", "context": {"objectWriteTraceId": ["0"]}},
        {"status": "error", "category": "VALIDATION_ERROR",
         "message": "Property values were not valid: [{\"isValid\":false,\"message\":\"Email address b is invalid\",\"error\":\"INVALID_EMAIL\",\"name\":\"email\"}]",
         "context": {"objectWriteTraceId": ["1"]}},
    ]});
    let (hubspot, script) = scripted(&[(207, answer)]).await;
    let ops = [create("a@x.example"), create("b"), create("c@x.example")];
    let outcomes = hubspot
        .write(Kind::Contact, &names(&["email", "phone"]), &ops)
        .await;
    assert!(
        matches!(&outcomes[0], Outcome::Duplicate { of: Some(id), .. } if id.0 == "77"),
        "{outcomes:?}"
    );
    assert!(
        matches!(&outcomes[1], Outcome::Refused { field: Some(field), message, .. }
            if field == "email" && message == "Email address b is invalid"),
        "{outcomes:?}"
    );
    let Outcome::Done { stored, .. } = &outcomes[2] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(stored.id.0, "12");
    // The phone is unknown: the answer does not say.
    assert_eq!(stored.image, [("email", Value::from("c@x.example"))].into());
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test]
async fn without_trace_ids_in_the_answer_creates_are_told_apart_by_their_content() {
    let answer = json!({"results": [
        row("12", &json!({"email": "b@x.example"})), row("11", &json!({"email": "a@x.example"}))]});
    let (hubspot, _) = scripted(&[(201, answer)]).await;
    let ops = [create("A@x.example"), create("b@x.example")];
    let outcomes = hubspot.write(Kind::Contact, &names(&["email"]), &ops).await;
    for (outcome, id) in outcomes.iter().zip(["11", "12"]) {
        assert!(matches!(outcome, Outcome::Done { stored, .. } if stored.id.0 == id));
    }
}

#[tokio::test]
async fn a_property_that_does_not_exist_is_refused_without_trying_every_record() {
    let refusal = json!({"status": "error", "category": "VALIDATION_ERROR",
        "message": "Property values were not valid: [{\"isValid\":false,\"message\":\"Property \\\"tier\\\" does not exist\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"tier\"}]"});
    let done = json!({"results": [row("1", &json!({"phone": "5"}))]});
    let (hubspot, script) = scripted(&[(400, refusal), (200, done)]).await;
    let mut ops: Vec<Op> = (2..40)
        .map(|id| update(&id.to_string(), [("tier", Value::from("vip"))].into(), None))
        .collect();
    ops.push(update("1", [("phone", Value::from(5))].into(), None));
    let outcomes = hubspot
        .write(Kind::Contact, &names(&["tier", "phone"]), &ops)
        .await;
    for outcome in &outcomes[..38] {
        assert!(matches!(outcome, Outcome::Refused { field: Some(field), .. } if field == "tier"));
    }
    assert!(matches!(&outcomes[38], Outcome::Done { .. }));
    assert_eq!(script.asked().len(), 2);
}

#[tokio::test]
async fn a_server_fault_in_a_create_is_never_answered_by_a_second_create() {
    let (hubspot, script) = scripted(&[(502, json!("<html>"))]).await;
    let ops = [create("a@x.example"), create("b@x.example")];
    for outcome in hubspot.write(Kind::Contact, &names(&["email"]), &ops).await {
        assert!(matches!(outcome, Outcome::Failed(error) if error.applied() == Applied::Unknown));
    }
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test]
async fn a_refused_company_does_not_pass_for_done_when_the_other_fields_are_written() {
    let written = json!({"results": [
        traced("0", "1", &json!({"phone": "5"})), traced("1", "2", &json!({"phone": "6"}))]});
    let linked = json!({"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [
        {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "COMPANY=9 does not exist",
         "context": {"fromObjectId": ["1"], "toObjectId": ["9"]}}]});
    let (hubspot, script) = scripted(&[(200, written), (207, linked)]).await;
    let with = |phone: i64, company: &str| -> Image {
        [
            ("phone", Value::from(phone)),
            (COMPANY, Value::from(company)),
        ]
        .into()
    };
    let ops = [
        update("1", with(5, "9"), None),
        update("2", with(6, "8"), None),
    ];
    let outcomes = hubspot
        .write(Kind::Contact, &names(&["phone", COMPANY]), &ops)
        .await;
    assert!(
        matches!(&outcomes[0], Outcome::Refused { field: Some(field), message, .. }
            if field == COMPANY && message.contains("the other fields are written")),
        "{outcomes:?}"
    );
    let Outcome::Done { stored, .. } = &outcomes[1] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(stored.image.get(COMPANY), Some(&Value::from("8")));
    let asked = script.asked();
    assert_eq!(
        asked[1].0,
        "POST /crm/v4/associations/contacts/companies/batch/create"
    );
    assert_eq!(
        asked[1].1["inputs"][1],
        json!({"from": {"id": "2"}, "to": {"id": "8"},
               "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]})
    );
}

#[tokio::test]
async fn a_company_link_that_is_not_allowed_after_the_fields_went_through_is_looked_at_again() {
    let written = json!({"results": [traced("0", "1", &json!({"phone": "5"}))]});
    let (hubspot, _) = scripted(&[(200, written), (403, json!({"message": "no scope"}))]).await;
    let fields = [("phone", Value::from(5)), (COMPANY, Value::from("9"))].into();
    let outcomes = hubspot
        .write(
            Kind::Contact,
            &names(&["phone", COMPANY]),
            &[update("1", fields, None)],
        )
        .await;
    let Outcome::Failed(error) = &outcomes[0] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(error.applied(), Applied::Unknown);
}

#[tokio::test]
async fn a_cleared_company_removes_the_link_to_the_one_that_was_there() {
    let read = json!({"results": [row("1", &json!({"phone": "5", "associatedcompanyid": "9"}))]});
    let (hubspot, script) = scripted(&[(204, json!("")), (200, read)]).await;
    let fields = [(COMPANY, Value::Empty)].into();
    let outcomes = hubspot
        .write(
            Kind::Contact,
            &names(&["phone", COMPANY]),
            &[update("1", fields, Some("9"))],
        )
        .await;
    let Outcome::Done { stored, .. } = &outcomes[0] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(
        stored.image,
        [("phone", Value::from("5")), (COMPANY, Value::Empty)].into()
    );
    let asked = script.asked();
    assert_eq!(
        asked[0].0,
        "POST /crm/v4/associations/contacts/companies/batch/archive"
    );
    assert_eq!(
        asked[0].1,
        json!({"inputs": [{"from": {"id": "1"}, "to": [{"id": "9"}]}]})
    );
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

/// A server that refuses a batch as a whole, without a word about who is at fault, as long as one
/// of the `bad` is in it.
async fn refusing(bad: &'static [&'static str]) -> (Hubspot, Arc<Mutex<Vec<String>>>) {
    let made = Arc::new(Mutex::new(Vec::new()));
    let (kept, bad) = (Arc::clone(&made), bad.to_vec());
    let app = Router::new().fallback(move |body: Bytes| {
        let body: Json = serde_json::from_slice(&body).unwrap();
        let inputs = body["inputs"].as_array().unwrap().clone();
        let email = |input: &Json| input["properties"]["email"].as_str().unwrap().to_owned();
        let emails: Vec<String> = inputs.iter().map(email).collect();
        let answer = if emails.iter().any(|email| bad.contains(&email.as_str())) {
            let body = json!({"status": "error", "category": "VALIDATION_ERROR", "message": "no"});
            (StatusCode::BAD_REQUEST, body.to_string())
        } else {
            kept.lock().unwrap().extend(emails.clone());
            let rows = inputs.iter().zip(&emails).rev();
            let rows: Vec<Json> = rows
                .map(|(input, email)| {
                    let trace = input["objectWriteTraceId"].as_str().unwrap();
                    traced(trace, &format!("1{trace}"), &json!({"email": email}))
                })
                .collect();
            (StatusCode::CREATED, json!({"results": rows}).to_string())
        };
        async { answer }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    (connect(base_url), made)
}

#[tokio::test]
async fn one_bad_record_does_not_keep_99_good_ones_waiting() {
    let (hubspot, made) = refusing(&["37@x.example", "99@x.example"]).await;
    let ops: Vec<Op> = (0..100)
        .map(|n| create(&format!("{n}@x.example")))
        .collect();
    let outcomes = hubspot.write(Kind::Contact, &names(&["email"]), &ops).await;
    for (n, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Outcome::Refused { .. } => assert!([37, 99].contains(&n)),
            Outcome::Done { stored, .. } => assert_eq!(stored.id.0, format!("1{n}")),
            other => panic!("{other:?}"),
        }
    }
    let mut made = made.lock().unwrap().clone();
    made.sort();
    let calls_for_each = made.len();
    made.dedup();
    assert_eq!((made.len(), calls_for_each), (98, 98));
    let calls = hubspot.calls()["contacts.create"];
    assert!(calls <= 28, "{calls} calls");
}

#[tokio::test]
async fn two_creates_that_are_answered_with_one_record_are_not_both_done() {
    let made = |trace: &str, email: &str| traced(trace, "51", &json!({"email": email}));
    let answer = json!({"results": [made("0", "a@x.example"), made("1", "b@x.example")]});
    let (hubspot, _) = scripted(&[(201, answer)]).await;
    let ops = [create("a@x.example"), create("b@x.example")];
    let outcomes = hubspot.write(Kind::Contact, &names(&["email"]), &ops).await;
    assert!(
        matches!(&outcomes[..], [Outcome::Done { .. }, Outcome::Failed(error)]
            if error.applied() == Applied::Unknown),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn an_answer_without_a_word_about_a_company_link_does_not_pass_for_a_link() {
    for body in [json!({}), json!([]), json!({"status": "COMPLETE"})] {
        let seen = json!({"results": [row("51", &json!({}))]});
        let (hubspot, _) = scripted(&[(201, body.clone()), (200, seen)]).await;
        let link = update("51", [(COMPANY, Value::from("9"))].into(), None);
        let outcomes = hubspot
            .write(Kind::Contact, &names(&[COMPANY]), &[link])
            .await;
        assert!(
            matches!(&outcomes[..], [Outcome::Failed(error)] if error.applied() == Applied::Unknown),
            "{body}: {outcomes:?}"
        );
    }
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
