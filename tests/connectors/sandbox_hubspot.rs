//! The HubSpot simulator over real HTTP, the nastiest habits of that API: a portal and its client.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod account;
mod merges;
mod search;
mod writes;

use chrono::{DateTime, TimeDelta, Utc};
use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::hubspot::{HubspotSim, Kind, Options};
use reqwest::Method;
use serde_json::{Value, json};
use std::fmt::Display;

const TOKEN: &str = "pat-test";

fn start_time() -> DateTime<Utc> {
    "2026-03-10T09:00:00Z".parse().unwrap()
}

/// A portal whose clock stands, and a client with its token.
struct Bench {
    sim: HubspotSim,
    client: reqwest::Client,
}

impl Bench {
    async fn start(options: Options) -> Self {
        let backstage = Backstage {
            clock: SimClock::manual(start_time()),
            ..Backstage::default()
        };
        let options = Options {
            token: TOKEN.to_owned(),
            backstage,
            ..options
        };
        let sim = HubspotSim::start(options).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { sim, client }
    }

    async fn plain() -> Self {
        Self::start(Options::default()).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Response {
        let url = format!("{}{path}", self.sim.url());
        let mut request = self.client.request(method, url).bearer_auth(TOKEN);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let response = self.send(method, path, body).await;
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        };
        (status, body)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, Some(body)).await
    }

    async fn search(&self, kind: &str, body: Value) -> (u16, Value) {
        self.post(&format!("/crm/v3/objects/{kind}/search"), body)
            .await
    }

    fn contact(&self, email: &str) -> u64 {
        let portal = self.sim.portal();
        portal.create(Kind::Contact, &[("email", email)]).unwrap()
    }

    fn company(&self, name: &str) -> u64 {
        let portal = self.sim.portal();
        portal.create(Kind::Company, &[("name", name)]).unwrap()
    }

    fn advance(&self, by: TimeDelta) {
        self.sim.backstage().clock.advance(by);
    }

    async fn shown(&self, contact: u64, property: &str) -> Value {
        let path = format!("/crm/v3/objects/contacts/{contact}?properties={property}");
        let (status, body) = self.get(&path).await;
        assert_eq!(status, 200, "{body}");
        body["properties"][property].clone()
    }
}

fn filter(name: &str, operator: &str, value: impl Display) -> Value {
    json!({ "propertyName": name, "operator": operator, "value": value.to_string() })
}

fn ids(body: &Value) -> Vec<String> {
    let results = body["results"].as_array().unwrap();
    results
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}
