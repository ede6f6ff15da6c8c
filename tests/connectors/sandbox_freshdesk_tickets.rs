//! Tickets of the Freshdesk simulator over real HTTP, what costs customers their patience: the client.

mod later;
mod reading;
mod writes;

use super::sandbox_freshdesk::{NOON, at_noon};
use chrono::TimeDelta;
use deskbridge::sandbox::freshdesk::{FreshdeskSim, Options, TicketOptions, TicketSeed};
use reqwest::Response;
use serde_json::{Value, json};

struct Client {
    http: reqwest::Client,
    sim: FreshdeskSim,
}

/// Seconds of a day.
const DAY: i64 = 86_400;

async fn start(options: Options) -> Client {
    Client {
        http: reqwest::Client::new(),
        sim: at_noon(options).await,
    }
}

async fn desk() -> Client {
    start(Options::default()).await
}

async fn with(tickets: TicketOptions) -> Client {
    start(Options {
        tickets,
        ..Options::default()
    })
    .await
}

impl Client {
    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Response {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}/api/v2{path}", self.sim.url())
        };
        let request = self.http.request(method.parse().unwrap(), url);
        let request = request.basic_auth(self.sim.api_key(), Some("X"));
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.send("GET", path, None).await
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = (!body.is_null()).then_some(body);
        let answer = self.send(method, path, body).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let json = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        };
        (status, json)
    }

    async fn rows(&self, path: &str) -> Vec<Value> {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    async fn ids(&self, path: &str) -> Vec<u64> {
        let rows = self.rows(path).await;
        rows.iter().map(|it| it["id"].as_u64().unwrap()).collect()
    }

    fn pass(&self, seconds: i64) {
        let clock = &self.sim.backstage().clock;
        clock.advance(TimeDelta::seconds(seconds));
    }

    /// A person of a company; the ids of both.
    fn ada(&self) -> (u64, u64) {
        let acme = self.sim.add_company(&json!({"name": "Acme"})).unwrap();
        let ada = json!({"name": "Ada", "email": "ada@example.com", "company_id": acme});
        (self.sim.add_contact(&ada).unwrap(), acme)
    }

    /// A ticket of this person with the lowest priority.
    fn ticket(&self, requester: u64) -> u64 {
        let ticket = json!({"requester_id": requester});
        self.sim.add_ticket(&ticket).unwrap()
    }

    /// Many old tickets of this person, one a minute.
    fn many(&self, requester: u64, count: i64) -> Vec<u64> {
        let seed = |n| TicketSeed {
            requester_id: requester,
            created_at: Some(NOON - DAY + n * 60),
            ..TicketSeed::default()
        };
        self.sim.populate_tickets((0..count).map(seed))
    }
}

fn first_error(body: &Value) -> (&str, &str) {
    let error = &body["errors"][0];
    assert_eq!(body["description"], "Validation failed", "{body}");
    (
        error["field"].as_str().unwrap(),
        error["code"].as_str().unwrap(),
    )
}
