//! Batches of which a part is refused, or of which nobody knows what became: each record has its own outcome.

use super::{connect, create, names, row, scripted, served, traced, update};
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use deskbridge::model::{Kind, Value};
use deskbridge::remote::hubspot::Hubspot;
use deskbridge::remote::{Applied, Connector as _, Op, Outcome};
use serde_json::{Value as Json, json};
use std::sync::{Arc, Mutex};

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
    (connect(served(app).await), made)
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
