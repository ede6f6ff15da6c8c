//! The Freshdesk connector in front of a scripted server: what it asks, and what it makes of answers.

mod account;
mod apart;
mod lookups;
mod passes;
mod writes;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Method, Uri};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use deskbridge::model::{COMPANY, Changes, Kind, Observed, RecordId};
use deskbridge::remote::freshdesk::{Freshdesk, Options};
use deskbridge::remote::{
    Connector as _, Cursor, Feed, Fetched, Lookup, Op, Outcome, Page, PageRequest, RemoteError,
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// A request as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    method: Method,
    path: String,
    query: BTreeMap<String, String>,
    /// As it came, to see how it was encoded.
    raw_query: String,
    body: Json,
}

impl Seen {
    fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    fn is(&self, method: &str, path: &str) -> bool {
        self.method.as_str() == method && self.path == path
    }
}

/// An answer of the script.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

fn json_answer(status: u16, body: &Json) -> Answer {
    raw(status, body.to_string())
}

fn raw(status: u16, body: impl Into<String>) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: body.into(),
    }
}

impl Answer {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

type Script = dyn Fn(&Seen) -> Answer + Send + Sync;

#[derive(Clone)]
struct Stub {
    script: Arc<Script>,
    log: Arc<Mutex<Vec<Seen>>>,
}

async fn answer(State(stub): State<Stub>, method: Method, uri: Uri, body: Bytes) -> Response {
    let raw_query = uri.query().unwrap_or_default().to_owned();
    let url = reqwest::Url::parse(&format!("http://x/?{raw_query}")).unwrap();
    let seen = Seen {
        method,
        path: uri.path().strip_prefix("/api/v2").unwrap().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        raw_query,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let answer = (stub.script)(&seen);
    stub.log.lock().unwrap().push(seen);
    let mut response = answer.body.into_response();
    *response.status_mut() = answer.status.try_into().unwrap();
    for (name, value) in answer.headers {
        response.headers_mut().insert(
            HeaderName::from_static(name),
            HeaderValue::from_str(&value).unwrap(),
        );
    }
    response
}

struct Desk {
    connector: Freshdesk,
    log: Arc<Mutex<Vec<Seen>>>,
}

impl Desk {
    async fn new(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let log = Arc::new(Mutex::default());
        let stub = Stub {
            script: Arc::new(script),
            log: Arc::clone(&log),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new().fallback(answer).with_state(stub);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let connector = Freshdesk::new(Options {
            url: format!("http://127.0.0.1:{port}/").parse().unwrap(),
            api_key: "key".into(),
            limits: None,
            calls_per_minute: None,
            share: 1.0,
            stop: CancellationToken::new(),
        })
        .unwrap();
        Self { connector, log }
    }

    fn log(&self) -> Vec<Seen> {
        self.log.lock().unwrap().clone()
    }

    async fn page(
        &self,
        kind: Kind,
        feed: Feed,
        names: &[&str],
        cursor: Option<&Cursor>,
    ) -> Result<Page, RemoteError> {
        let fields = fields(names);
        let request = PageRequest {
            kind,
            feed,
            fields: &fields,
        };
        self.connector.page(&request, cursor).await
    }

    /// All pages of a pass.
    async fn pass(&self, kind: Kind, feed: Feed, names: &[&str]) -> Vec<Observed> {
        let mut records = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.page(kind, feed, names, cursor.as_ref()).await.unwrap();
            records.extend(page.records);
            cursor = page.next;
            if cursor.is_none() {
                return records;
            }
        }
    }

    async fn fetch(&self, names: &[&str], ids: &[&str]) -> Result<Vec<Fetched>, RemoteError> {
        let ids: Vec<RecordId> = ids.iter().map(|id| RecordId::from(*id)).collect();
        let fields = fields(names);
        self.connector.fetch(Kind::Contact, &fields, &ids).await
    }

    /// Who has this value of a field.
    async fn find(&self, kind: Kind, names: &[&str], field: &str, value: &str) -> Lookup {
        let names = fields(names);
        let found = self.connector.find(kind, &names, field, value);
        found.await.unwrap()
    }

    async fn write(&self, kind: Kind, op: Op) -> Outcome {
        let names = fields(&["name", "email", COMPANY, "custom_fields.tier"]);
        let mut outcomes = self.connector.write(kind, &names, &[op]).await;
        assert_eq!(outcomes.len(), 1);
        outcomes.remove(0)
    }
}

fn fields(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn contact(id: u64) -> Json {
    json!({"id": id, "name": format!("Contact {id}"), "email": format!("c{id}@example.com"),
           "updated_at": "2026-08-19T23:50:05Z", "company_id": null, "custom_fields": {"tier": null}})
}

/// Page `page` of `total` contacts, as Freshdesk pages them.
fn paged(seen: &Seen, total: u64) -> Answer {
    let page: u64 = seen.query("page").map_or(1, |page| page.parse().unwrap());
    let size: u64 = seen
        .query("per_page")
        .map_or(30, |size| size.parse().unwrap());
    let rows: Vec<Json> = (1..=total)
        .skip(usize::try_from((page - 1) * size).unwrap())
        .take(usize::try_from(size).unwrap())
        .map(contact)
        .collect();
    let answer = json_answer(200, &json!(rows));
    if page * size < total {
        answer.with("link", "<http://x/api/v2/contacts?page=2>; rel=\"next\"")
    } else {
        answer
    }
}

fn empty_list() -> Answer {
    raw(200, "[]")
}

fn update(fields: Changes) -> Op {
    Op::Update {
        id: RecordId::from("7"),
        fields,
        company_before: None,
    }
}

fn create(fields: Changes) -> Op {
    Op::Create { fields }
}

fn refused_field(name: &str, code: &str) -> Json {
    json!({"description": "Validation failed",
           "errors": [{"field": name, "message": "It is wrong", "code": code}]})
}
