//! The Freshdesk simulator over real HTTP, the behaviours that cost customers their data: the client.

mod account;
mod reading;
mod writes;

use chrono::{DateTime, TimeDelta};
use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::freshdesk::{FreshdeskSim, Options};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

struct Client {
    http: reqwest::Client,
    sim: FreshdeskSim,
}

/// Monday noon, when all tests begin.
pub(super) const NOON: i64 = 1_700_481_600;

/// The simulator of an account at noon, whose clock stands until a test moves it.
pub(super) async fn at_noon(options: Options) -> FreshdeskSim {
    let clock = SimClock::manual(DateTime::from_timestamp(NOON, 0).unwrap());
    let backstage = Backstage {
        clock,
        ..Backstage::default()
    };
    let options = Options {
        backstage,
        ..options
    };
    FreshdeskSim::start(options).await.unwrap()
}

async fn start(options: Options) -> Client {
    Client {
        http: reqwest::Client::new(),
        sim: at_noon(options).await,
    }
}

impl Client {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/api/v2{path}", self.sim.url());
        self.http
            .request(method, url)
            .basic_auth(self.sim.api_key(), Some("X"))
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    async fn rows(&self, path: &str) -> Vec<Value> {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let method = method.parse().unwrap();
        let request = self.request(method, path).json(&body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let json = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        };
        (status, json)
    }

    async fn bare(&self, method: &str, path: &str) -> (u16, String) {
        let request = self.request(method.parse().unwrap(), path);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    }

    fn pass(&self, seconds: i64) {
        let clock = &self.sim.backstage().clock;
        clock.advance(TimeDelta::seconds(seconds));
    }

    fn ada(&self) -> u64 {
        let ada = json!({"name": "Ada Lovelace", "email": "Ada@Example.com", "tags": ["math"]});
        self.sim.add_contact(&ada).unwrap()
    }
}

fn names(rows: &[Value]) -> Vec<&str> {
    rows.iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect()
}

fn first_error(body: &Value) -> (&str, &str) {
    let error = &body["errors"][0];
    assert_eq!(body["description"], "Validation failed");
    (
        error["field"].as_str().unwrap(),
        error["code"].as_str().unwrap(),
    )
}
