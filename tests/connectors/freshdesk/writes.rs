//! Writes: what is sent, what is left out, and what each answer stands for.

use super::{Desk, Seen, contact, create, json_answer, raw, refused_field, update};
use deskbridge::model::{COMPANY, Changes, Kind, Presence, RecordId, Value};
use deskbridge::remote::{Applied, Connector as _, ErrorKind, Op, Outcome, Shape};
use serde_json::json;
use std::collections::BTreeMap;

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
