//! The portal: its keys, its limits and its properties.

use super::Bench;
use chrono::TimeDelta;
use deskbridge::sandbox::hubspot::{Kind, Limits, Options, Property, ValueType};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn a_wrong_key_or_a_missing_scope_is_told_apart() {
    let bench = Bench::plain().await;
    let url = format!("{}/crm/v3/objects/contacts", bench.sim.url());
    for (key, said) in [("Bearer nope", "valid"), ("Basic x", "found")] {
        let answer = bench
            .client
            .get(&url)
            .header("authorization", key)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["category"], "INVALID_AUTHENTICATION");
        assert!(body["message"].as_str().unwrap().contains(said));
    }
    let scope = "crm.objects.contacts.write";
    bench.sim.portal().set_scope(scope, false);
    let create = json!({ "properties": { "email": "a@x.example" } });
    let (status, body) = bench.post("/crm/v3/objects/contacts", create).await;
    assert_eq!((status, &body["category"]), (403, &json!("MISSING_SCOPES")));
    assert_eq!(
        body["errors"][0]["context"]["requiredGranularScopes"],
        json!([scope])
    );
    assert_eq!(bench.get("/crm/v3/objects/contacts").await.0, 200);
}

#[tokio::test]
async fn limits_name_themselves_and_search_says_nothing_of_what_is_left() {
    let limits = Limits::Custom {
        ten_seconds: 8,
        searches: 2,
        daily: 20,
    };
    let bench = Bench::start(Options {
        limits,
        ..Options::default()
    })
    .await;
    let path = "/crm/v3/objects/contacts";
    let first = bench.send(Method::GET, path, None).await;
    let header = |name: &str| {
        first
            .headers()
            .get(name)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        (
            header("x-hubspot-ratelimit-max"),
            header("x-hubspot-ratelimit-remaining")
        ),
        ("8".into(), "7".into())
    );
    assert_eq!(header("x-hubspot-ratelimit-daily-remaining"), "19");
    let search = async || {
        bench
            .send(Method::POST, &format!("{path}/search"), Some(json!({})))
            .await
    };
    let silent = search().await;
    assert!(
        silent
            .headers()
            .keys()
            .all(|name| !name.as_str().contains("ratelimit"))
    );
    search().await;
    let body: Value = search().await.json().await.unwrap();
    assert_eq!(
        (&body["errorType"], &body["policyName"]),
        (&json!("RATE_LIMIT"), &json!("SECONDLY"))
    );
    for _ in 0..5 {
        assert_eq!(bench.get(path).await.0, 200);
    }
    let (status, body) = bench.get(path).await;
    assert_eq!(
        (status, &body["policyName"]),
        (429, &json!("TEN_SECONDLY_ROLLING"))
    );
    for _ in 0..2 {
        bench.advance(TimeDelta::seconds(10));
        for _ in 0..6 {
            assert_eq!(bench.get(path).await.0, 200);
        }
    }
    bench.advance(TimeDelta::seconds(10));
    assert_eq!(bench.get(path).await.1["policyName"], "DAILY");
    // Midnight in the account's zone, an hour before that of UTC.
    bench
        .sim
        .backstage()
        .clock
        .set("2026-03-10T22:59:59Z".parse().unwrap());
    assert_eq!(bench.get(path).await.0, 429);
    bench
        .sim
        .backstage()
        .clock
        .set("2026-03-10T23:00:00Z".parse().unwrap());
    assert_eq!(bench.get(path).await.0, 200);
}

#[tokio::test]
async fn properties_that_people_made_and_archived_ones_are_told_apart() {
    let bench = Bench::plain().await;
    let portal = bench.sim.portal();
    portal.add_property(
        Kind::Company,
        Property::new("old_plan", "Old plan", ValueType::Text).archived(),
    );
    let tier = Property::new("tier", "Tier", ValueType::Choice).options(&[("gold", "Gold")]);
    portal.add_property(Kind::Company, tier);
    let names = async |query: &str| -> Vec<String> {
        let (_, body) = bench
            .get(&format!("/crm/v3/properties/companies{query}"))
            .await;
        body["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("?archived=true").await, ["old_plan"]);
    assert!(names("").await.contains(&"tier".to_owned()));
    let write = json!({ "properties": { "name": "A", "old_plan": "x" } });
    let (status, body) = bench.post("/crm/v3/objects/companies", write).await;
    assert_eq!(
        (status, &body["errors"][0]["code"]),
        (400, &json!("PROPERTY_DOESNT_EXIST"))
    );
    assert_eq!(bench.get("/crm/v3/nothing").await.0, 404);
    assert_eq!(
        bench
            .call(Method::PUT, "/crm/v3/objects/contacts", None)
            .await
            .0,
        405
    );
}
