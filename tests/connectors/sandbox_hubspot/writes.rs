//! Writes, one at a time and in batches: what moves, what comes back, and what sinks with what.

use super::{Bench, TOKEN, ids};
use chrono::TimeDelta;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::hubspot::{Kind, Options, Property, ValueType};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn an_empty_write_moves_the_modified_time_and_a_link_does_not() {
    for moves in [false, true] {
        let bench = Bench::start(Options {
            links_move_modified: moves,
            ..Options::default()
        })
        .await;
        let (contact, company) = (bench.contact("a@x.example"), bench.company("A"));
        let first = bench.shown(contact, "lastmodifieddate").await;
        assert_eq!(first, "2026-03-10T09:00:00.000Z");
        bench.advance(TimeDelta::seconds(1));
        bench
            .sim
            .portal()
            .associate(contact, company, false)
            .unwrap();
        assert_eq!(
            bench.shown(contact, "associatedcompanyid").await,
            company.to_string()
        );
        assert_eq!(
            bench.shown(contact, "lastmodifieddate").await != first,
            moves
        );
        let path = format!("/crm/v3/objects/contacts/{contact}");
        let same = json!({ "properties": { "email": "A@x.example" } });
        let (status, body) = bench.call(Method::PATCH, &path, Some(same)).await;
        assert_eq!(
            (status, &body["updatedAt"]),
            (200, &json!("2026-03-10T09:00:01.000Z"))
        );
    }
}

#[tokio::test]
async fn batches_refuse_too_many_and_twice_the_same_and_answer_in_another_order() {
    let bench = Bench::plain().await;
    let made: Vec<u64> = (0..3)
        .map(|n| bench.contact(&format!("c{n}@x.example")))
        .collect();
    let inputs = |ids: &[u64]| -> Vec<Value> {
        ids.iter()
            .map(|id| json!({ "id": id.to_string(), "properties": { "city": "Rome" } }))
            .collect()
    };
    for verb in ["read", "update", "archive"] {
        let path = format!("/crm/v3/objects/contacts/batch/{verb}");
        for wrong in [
            inputs(&[made[0], made[0]]),
            inputs(&[]),
            inputs(&(1..=101).collect::<Vec<_>>()),
        ] {
            let (status, body) = bench.post(&path, json!({ "inputs": wrong })).await;
            assert_eq!(
                (status, &body["category"]),
                (400, &json!("VALIDATION_ERROR"))
            );
        }
    }
    let (status, body) = bench
        .post(
            "/crm/v3/objects/contacts/batch/update",
            json!({ "inputs": inputs(&made) }),
        )
        .await;
    assert_eq!(status, 200);
    let mut order = ids(&body);
    order.reverse();
    assert_eq!(order, made.iter().map(u64::to_string).collect::<Vec<_>>());
    assert_eq!(bench.sim.portal().count(Kind::Contact), 3);
}

#[tokio::test]
async fn a_batch_update_goes_on_without_the_missing_but_not_without_the_invalid() {
    let bench = Bench::plain().await;
    let (ada, bob) = (
        bench.contact("ada@x.example"),
        bench.contact("bob@x.example"),
    );
    let path = "/crm/v3/objects/contacts/batch/update";
    let input = |id: &str, city: &str| json!({ "id": id, "properties": { "city": city } });
    let missing = json!({ "inputs": [input(&ada.to_string(), "Rome"), input("7", "Rome"), input("x", "Rome")] });
    let (status, body) = bench.post(path, missing).await;
    assert_eq!((status, &body["numErrors"]), (207, &json!(1)));
    assert_eq!(body["errors"][0]["context"]["ids"], json!(["7", "x"]));
    assert_eq!(bench.shown(ada, "city").await, "Rome");
    let bad = |trace: bool| {
        let mut inputs = vec![
            json!({ "id": ada.to_string(), "properties": { "city": "Oslo" } }),
            json!({ "id": bob.to_string(), "properties": { "customer_tier": "gold" } }),
        ];
        for (n, input) in inputs.iter_mut().enumerate().filter(|_| trace) {
            input["objectWriteTraceId"] = json!(n.to_string());
        }
        json!({ "inputs": inputs })
    };
    assert_eq!(bench.post(path, bad(false)).await.0, 400);
    assert_eq!(bench.shown(ada, "city").await, "Rome");
    let (status, body) = bench.post(path, bad(true)).await;
    assert_eq!(status, 207);
    assert_eq!(
        body["errors"][0]["context"]["objectWriteTraceId"],
        json!(["1"])
    );
    assert_eq!(body["results"][0]["objectWriteTraceId"], "0");
    assert_eq!(bench.shown(ada, "city").await, "Oslo");
}

#[tokio::test]
async fn an_upsert_by_address_is_all_or_nothing_and_by_another_key_is_not() {
    let bench = Bench::plain().await;
    let key = Property::new("erp_id", "ERP id", ValueType::Text).unique();
    bench.sim.portal().add_property(Kind::Contact, key);
    let path = "/crm/v3/objects/contacts/batch/upsert";
    let input = |key: &str, id: &str, tier: &str| json!({ "idProperty": key, "id": id, "objectWriteTraceId": id, "properties": { "customer_tier": tier, "lastname": "L" } });
    let by_email = json!({ "inputs": [input("email", "a@x.example", "vip"), input("email", "b@x.example", "gold")] });
    assert_eq!(bench.post(path, by_email).await.0, 400);
    assert_eq!(bench.sim.portal().count(Kind::Contact), 0);
    let by_key = json!({ "inputs": [input("erp_id", "1", "vip"), input("erp_id", "2", "gold")] });
    let (status, body) = bench.post(path, by_key.clone()).await;
    assert_eq!((status, &body["results"][0]["new"]), (207, &json!(true)));
    let (_, body) = bench.post(path, by_key).await;
    assert_eq!(body["results"][0]["new"], false);
    assert_eq!(bench.sim.portal().count(Kind::Contact), 1);
    let by_city = json!({ "inputs": [input("city", "Rome", "vip")] });
    assert_eq!(bench.post(path, by_city).await.0, 400);
}

#[tokio::test]
async fn values_come_back_in_the_portals_form_and_only_strings_are_taken() {
    let bench = Bench::plain().await;
    let path = "/crm/v3/objects/contacts";
    let given = json!({ "properties": {
        "email": "A@X.example", "customer_since": "1700006400000", "next_activity": "2026-01-02T03:04:05+01:00",
        "newsletter": "true", "hs_buying_role": "END_USER;BUDGET_HOLDER", "firstname": " Quote \" \\ \u{1}\n",
    } });
    let (status, body) = bench.post(path, given).await;
    assert_eq!(status, 201, "{body}");
    let shown = &body["properties"];
    assert_eq!(shown["customer_since"], "2023-11-15");
    assert_eq!(shown["next_activity"], "2026-01-02T02:04:05.000Z");
    assert_eq!(shown["firstname"], " Quote \" \\ \u{1}\n");
    let number = json!({ "properties": { "email": "b@x.example", "annualrevenue": 5 } });
    assert_eq!(bench.post(path, number).await.0, 400);
    let nameless = json!({ "properties": { "city": "Rome" } });
    assert_eq!(bench.post(path, nameless).await.0, 400);
    assert_eq!(
        bench
            .post(
                "/crm/v3/objects/companies",
                json!({ "properties": { "city": "Rome" } })
            )
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_has_happened() {
    let bench = Bench::plain().await;
    let faults = &bench.sim.backstage().faults;
    faults.inject("POST", "/crm/v3/objects/contacts", Fault::DropAfter, 1);
    let url = format!("{}/crm/v3/objects/contacts", bench.sim.url());
    let create = json!({ "properties": { "email": "a@x.example" } });
    let lost = bench
        .client
        .post(url)
        .bearer_auth(TOKEN)
        .json(&create)
        .send()
        .await;
    assert!(lost.is_err());
    assert!(bench.sim.portal().contact_by_email("a@x.example").is_some());
    assert_eq!(bench.post("/crm/v3/objects/contacts", create).await.0, 409);
    let counted = bench.sim.backstage().log.by_endpoint();
    assert!(
        counted.contains(&("contacts.create", "POST".to_owned(), 2)),
        "{counted:?}"
    );
}
