//! The account: its key, the minute that all its apps share, and its own fields.

use super::start;
use deskbridge::sandbox::freshdesk::{Limits, Options};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_wrong_key_is_told_so_and_a_right_one_is_recognised_whatever_the_password() {
    let desk = start(Options::default()).await;
    let url = format!("{}/api/v2/agents/me", desk.sim.url());
    let wrong = desk.http.get(&url).basic_auth("nobody", Some("X"));
    let wrong = wrong.send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    let body: Value = wrong.json().await.unwrap();
    assert_eq!(body["code"], "invalid_credentials");
    let right = desk
        .http
        .get(&url)
        .basic_auth(desk.sim.api_key(), Some("anything: at all"));
    let right = right.send().await.unwrap();
    assert_eq!(right.status(), 200);
    assert_eq!(right.headers()["date"], "Mon, 20 Nov 2023 12:00:00 GMT");
    assert!(right.headers().contains_key("x-request-id"));
    let me: Value = right.json().await.unwrap();
    assert!(me["id"].as_u64().unwrap() > u64::from(u32::MAX));
}

#[tokio::test]
async fn the_minute_is_shared_counts_failures_and_says_when_to_come_back() {
    let options = Options {
        limits: Limits::trial(),
        ..Options::default()
    };
    let desk = start(options).await;
    desk.sim.spend(48);
    let failed = desk.get("/contacts/1").await;
    assert_eq!(failed.status(), 404);
    assert_eq!(failed.headers()["x-ratelimit-total"], "50.0");
    assert_eq!(failed.headers()["x-ratelimit-remaining"], "1.0");
    assert_eq!(failed.headers()["x-ratelimit-used-currentrequest"], "1");
    desk.pass(20);
    assert_eq!(desk.get("/contacts").await.status(), 200);
    let refused = desk.get("/contacts").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "40");
    assert_eq!(refused.text().await.unwrap(), "");
    desk.pass(40);
    assert_eq!(desk.get("/contacts").await.status(), 200);
}

#[tokio::test]
async fn other_apps_are_refused_as_we_are_and_a_limit_that_changes_counts_from_the_next_call() {
    let options = Options {
        limits: Limits::trial(),
        ..Options::default()
    };
    let desk = start(options).await;
    desk.sim.spend(49);
    assert!(desk.sim.call_of_another());
    assert!(!desk.sim.call_of_another());
    assert_eq!(desk.get("/contacts").await.status(), 429);
    desk.sim.set_limits(Limits::growth());
    let taken = desk.get("/contacts").await;
    assert_eq!(taken.headers()["x-ratelimit-total"], "200.0");
    assert_eq!(taken.headers()["x-ratelimit-remaining"], "149.0");
    desk.sim.set_limits(Limits::trial());
    let refused = desk.get("/contacts").await;
    assert_eq!(refused.headers()["x-ratelimit-total"], "50.0");
    assert_eq!(refused.status(), 429);
}

#[tokio::test]
async fn what_the_endpoint_does_not_speak_is_refused_by_its_status_alone() {
    let desk = start(Options::default()).await;
    let html = desk
        .request(Method::GET, "/contacts")
        .header("accept", "text/html");
    assert_eq!(html.send().await.unwrap().status(), 406);
    let form = desk
        .request(Method::POST, "/contacts")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("name=x");
    assert_eq!(form.send().await.unwrap().status(), 415);
    assert_eq!(desk.bare("PUT", "/companies").await.0, 405);
    assert_eq!(desk.bare("GET", "/unicorns").await, (404, String::new()));
    let broken = desk
        .request(Method::POST, "/contacts")
        .header("content-type", "application/json");
    let broken = broken.body("{\"name\":").send().await.unwrap();
    assert_eq!(broken.status(), 400);
    desk.sim.switch_off(true);
    assert_eq!(desk.bare("GET", "/agents/me").await, (404, String::new()));
}

#[tokio::test]
async fn field_metadata_names_every_custom_field_and_its_choices() {
    let desk = start(Options::default()).await;
    let contact = desk.rows("/contact_fields").await;
    let tier = contact
        .iter()
        .find(|field| field["name"] == "tier")
        .unwrap();
    assert_eq!(
        (&tier["type"], &tier["choices"]),
        (&json!("custom_dropdown"), &json!(["VIP", "Standard"]))
    );
    assert!(tier["label_for_customers"].is_string());
    let company = desk.rows("/company_fields").await;
    let plan = company
        .iter()
        .find(|field| field["name"] == "plan")
        .unwrap();
    assert_eq!(plan["choices"][1]["value"], "Team");
    assert!(plan.get("label_for_customers").is_none());
    let key = company
        .iter()
        .find(|field| field["name"] == "crm_key")
        .unwrap();
    assert_eq!(key["unique"], true);
}
