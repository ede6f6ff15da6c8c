//! Something between us and a system that makes nonsense of its answers.

use super::{EngineClock, World, hasty, wiring};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sync::Engine;
use serde_json::Value as Json;
use std::fmt;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// What becomes of a row of an answer.
type Spoil = Box<dyn Fn(&mut Json) + Send>;

/// A server that passes everything on, and changes rows on their way back.
pub(crate) struct Spoiler {
    pub(crate) url: String,
    inside: Arc<Inside>,
}

struct Inside {
    system: String,
    client: reqwest::Client,
    spoil: Mutex<Option<Spoil>>,
}

impl fmt::Debug for Spoiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spoiler")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Spoiler {
    /// One in front of the system at this address.
    pub(crate) async fn before(system: &str) -> Self {
        let inside = Arc::new(Inside {
            system: system.to_owned(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            spoil: Mutex::new(None),
        });
        let app = Router::new()
            .fallback(pass_on)
            .with_state(Arc::clone(&inside));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, app).await });
        Self { url, inside }
    }

    /// From now on this becomes of each row.
    pub(crate) fn spoil(&self, spoil: impl Fn(&mut Json) + Send + 'static) {
        *self.inside.spoil.lock().unwrap() = Some(Box::new(spoil));
    }

    /// Rows are as the system has them again.
    pub(crate) fn mend(&self) {
        *self.inside.spoil.lock().unwrap() = None;
    }
}

async fn pass_on(
    State(inside): State<Arc<Inside>>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, Vec<u8>) {
    headers.remove(header::HOST);
    let url = format!("{}{uri}", inside.system);
    let call = inside.client.request(method, url).headers(headers);
    let answer = call.body(body).send().await.unwrap();
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    let body = answer.bytes().await.unwrap();
    (status, headers, inside.spoiled(&body))
}

impl Inside {
    fn spoiled(&self, body: &[u8]) -> Vec<u8> {
        let spoil = self.spoil.lock().unwrap();
        let (Some(spoil), Ok(mut json)) = (&*spoil, serde_json::from_slice::<Json>(body)) else {
            return body.to_vec();
        };
        let rows = match json.pointer("/results") {
            Some(Json::Array(_)) => json.pointer_mut("/results"),
            _ => Some(&mut json),
        };
        let rows = rows.and_then(Json::as_array_mut);
        match rows {
            Some(rows) => rows.iter_mut().for_each(spoil),
            None => spoil(&mut json),
        }
        json.to_string().into_bytes()
    }
}

impl World {
    /// A timed engine whose CRM answers by way of this one.
    pub(crate) async fn spoiled_engine(&self, clock: &SimClock, spoiler: &Spoiler) -> Engine {
        let stop = CancellationToken::new();
        let mut connectors = self.connectors(&stop);
        connectors.crm = wiring::hubspot(&spoiler.url, Some(hasty()), 1.0, &stop);
        let clock = Arc::new(EngineClock(clock.clone()));
        self.engine_between(connectors, clock, stop).await
    }
}
