//! The one way in which a request leaves this process: paced, counted, bounded, without secrets in
//! what it reports.

use super::pacer::{Allowance, Pacer};
use super::retry::RetryPolicy;
use super::{ErrorKind, RemoteError};
use crate::clock::{Clock, SystemClock, monotonic};
use crate::model::Side;
use chrono::{DateTime, Utc};
use reqwest::header::{self, HeaderMap};
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The largest body that is read; a page of 100 records is some hundred kilobytes.
const LARGEST_BODY: usize = 32 * 1024 * 1024;
/// How much of a server's message is kept.
const LONGEST_DETAIL: usize = 400;
/// The wait after a 429 that names none.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);
/// How often one call waits for a refusing server before the cycle gives it up.
const PATIENCE: u32 = 6;

/// How a system is told who we are.
#[derive(Debug, Clone)]
pub enum Auth {
    /// `Authorization: Bearer …`
    Bearer(SecretString),
    /// HTTP Basic, the key as the user and `X` as the password.
    BasicKey(SecretString),
}

/// What an [`Http`] needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whom it talks to.
    pub side: Side,
    /// The root of all paths.
    pub base: Url,
    /// The key.
    pub auth: Auth,
    /// Further headers of every call; no secrets.
    pub headers: Vec<(&'static str, String)>,
    /// The account's limit in calls per minute, until headers say otherwise.
    pub calls_per_minute: Option<f64>,
    /// The configuration's ceiling in calls per minute.
    pub ceiling: Option<f64>,
    /// Our part of the limit, 0 to 1.
    pub share: f64,
    /// Calls that may go out at once after a pause.
    pub burst: f64,
    /// Reads a response's headers for what is left.
    pub allowance: fn(&HeaderMap) -> Allowance,
    /// Ends every wait; calls that are already sent are finished.
    pub stop: CancellationToken,
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// The verb.
    pub method: Method,
    /// The endpoint class that it counts under, such as `contacts.list`.
    pub endpoint: &'static str,
    /// Path below the base, beginning with `/`, already percent-encoded.
    pub path: String,
    /// Query parameters, not yet encoded.
    pub query: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Option<serde_json::Value>,
    /// Whether it may be sent again when nobody knows whether it arrived: reads, whatever the verb.
    pub repeatable: bool,
}

impl Call {
    /// A read.
    #[must_use]
    pub fn get(endpoint: &'static str, path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            endpoint,
            path: path.into(),
            query: Vec::new(),
            body: None,
            repeatable: true,
        }
    }

    /// A call with a body that must not be repeated blindly.
    #[must_use]
    pub fn send(
        method: Method,
        endpoint: &'static str,
        path: impl Into<String>,
        body: serde_json::Value,
    ) -> Self {
        Self {
            method,
            endpoint,
            path: path.into(),
            query: Vec::new(),
            body: Some(body),
            repeatable: false,
        }
    }

    /// A read that the API wants as a POST.
    #[must_use]
    pub fn query_by_post(
        endpoint: &'static str,
        path: impl Into<String>,
        body: serde_json::Value,
    ) -> Self {
        Self {
            repeatable: true,
            ..Self::send(Method::POST, endpoint, path, body)
        }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }
}

/// What came back, whatever the status.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, complete.
    pub body: Vec<u8>,
    /// The server's clock (`Date`); ours where it sent none.
    pub server_time: DateTime<Utc>,
    side: Side,
    call: String,
}

impl Reply {
    /// A reply that no server gave, for tests of what is made of replies.
    #[cfg(test)]
    pub(crate) fn made_up(side: Side, status: u16, body: &str) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
            server_time: DateTime::default(),
            side,
            call: "made up".to_owned(),
        }
    }

    /// The server's name for the call: `X-Request-Id`, else a vendor's own `…-Correlation-Id`.
    #[must_use]
    pub fn request_id(&self) -> Option<String> {
        let own = || {
            let mut headers = self.headers.iter();
            headers.find(|(name, _)| name.as_str().ends_with("-correlation-id"))
        };
        self.headers
            .get("x-request-id")
            .or_else(|| own().map(|(_, value)| value))
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    }

    /// The body as `T`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Garbled`] where it is not.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, RemoteError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // serde_json quotes the offending value, which may be a customer's: keep the place alone.
            let place = format!("at line {} column {}", error.line(), error.column());
            self.error(ErrorKind::Garbled, &place)
        })
    }

    /// This reply if its status is 2xx, else the error that its status stands for.
    ///
    /// # Errors
    ///
    /// By status; the detail is the body's own message where it has one.
    pub fn ok(self) -> Result<Self, RemoteError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(self.failure())
    }

    /// The error that the status stands for.
    #[must_use]
    pub fn failure(&self) -> RemoteError {
        let kind = match self.status.as_u16() {
            401 => ErrorKind::Denied,
            403 => ErrorKind::Forbidden,
            404 => ErrorKind::Missing,
            429 => ErrorKind::Throttled(None),
            status @ 500..=599 => ErrorKind::Fault(status),
            status @ 400..=499 => ErrorKind::Rejected(status),
            _ => ErrorKind::Garbled,
        };
        self.error(kind, &self.message())
    }

    /// An error about this reply.
    #[must_use]
    pub fn error(&self, kind: ErrorKind, detail: &str) -> RemoteError {
        RemoteError {
            side: self.side,
            call: self.call.clone(),
            kind,
            detail: cut(detail),
            request_id: self.request_id(),
        }
    }

    /// What the body says went wrong; nothing where it is empty, HTML or otherwise no message.
    #[must_use]
    pub fn message(&self) -> String {
        let Ok(json) = serde_json::from_slice::<serde_json::Value>(&self.body) else {
            return String::new();
        };
        let mut said: Vec<String> = ["message", "description"]
            .iter()
            .filter_map(|key| json.get(key)?.as_str().map(str::to_owned))
            .collect();
        for error in json
            .get("errors")
            .and_then(|it| it.as_array())
            .into_iter()
            .flatten()
        {
            let field = error.get("field").and_then(|it| it.as_str()).unwrap_or("");
            let text = error
                .get("message")
                .and_then(|it| it.as_str())
                .unwrap_or("");
            said.push(
                format!("{field}: {text}")
                    .trim_matches([':', ' '])
                    .to_owned(),
            );
        }
        cut(&said.join("; "))
    }
}

fn cut(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_DETAIL)
        .collect()
}

/// A client of one system. All calls of one account go through one of these.
#[derive(Debug)]
pub struct Http {
    client: reqwest::Client,
    settings: Settings,
    pacer: Mutex<Pacer>,
    calls: Mutex<BTreeMap<&'static str, u64>>,
    reads: RetryPolicy,
}

impl Http {
    /// A client with nothing sent yet.
    ///
    /// # Errors
    ///
    /// Where the machine's TLS set-up cannot be used.
    pub fn new(settings: Settings) -> Result<Self, RemoteError> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("deskbridge/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            // A system that takes the call and says nothing is down as well.
            .read_timeout(Duration::from_secs(25))
            .timeout(Duration::from_mins(1))
            .tcp_nodelay(true)
            .build()
            .map_err(|error| RemoteError {
                side: settings.side,
                call: "set up".to_owned(),
                kind: ErrorKind::Unreachable,
                detail: cut(&error.without_url().to_string()),
                request_id: None,
            })?;
        let pacer = Pacer::new(
            settings.calls_per_minute,
            settings.ceiling,
            settings.share,
            settings.burst,
            monotonic(),
        );
        Ok(Self {
            client,
            settings,
            pacer: Mutex::new(pacer),
            calls: Mutex::default(),
            reads: RetryPolicy {
                first: Duration::from_millis(500),
                longest: Duration::from_secs(8),
                jitter: 0.3,
                attempts: 3,
            },
        })
    }

    /// The host that it talks to, with the port where one is given.
    #[must_use]
    pub fn host(&self) -> String {
        let base = &self.settings.base;
        let host = base.host_str().unwrap_or_default();
        base.port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Calls made so far, by endpoint class.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.calls).clone()
    }

    /// Calls per minute that we allow ourselves; `None` while no limit is known.
    #[must_use]
    pub fn calls_per_minute(&self) -> Option<f64> {
        lock(&self.pacer).calls_per_minute()
    }

    /// Sends `call` when the pace allows, and returns whatever came back except refusals for rate,
    /// which are waited for. Reads are tried again when they fail in passing.
    ///
    /// # Errors
    ///
    /// Where no complete answer came, or the server kept refusing.
    pub async fn send(&self, call: Call) -> Result<Reply, RemoteError> {
        let (mut failures, mut refusals) = (0, 0);
        loop {
            self.admission(&call).await?;
            let result = self.once(&call).await;
            let error = match result {
                Ok(reply) if reply.status == StatusCode::TOO_MANY_REQUESTS => {
                    refusals += 1;
                    let wait = retry_after(&reply).unwrap_or(DEFAULT_RETRY_AFTER * refusals);
                    lock(&self.pacer).refused(monotonic(), wait);
                    if refusals < PATIENCE {
                        tracing::debug!(side = %self.settings.side, endpoint = call.endpoint, ?wait, "refused for rate");
                        continue;
                    }
                    return Err(reply.error(ErrorKind::Throttled(Some(wait)), &reply.message()));
                }
                Ok(reply) if reply.status.is_server_error() && call.repeatable => reply.failure(),
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            failures += 1;
            match self.reads.wait(failures) {
                Some(wait) if call.repeatable && error.passes() => self.pause(&call, wait).await?,
                _ => return Err(error),
            }
        }
    }

    async fn admission(&self, call: &Call) -> Result<(), RemoteError> {
        loop {
            if self.settings.stop.is_cancelled() {
                return Err(self.error(call, ErrorKind::Stopped, ""));
            }
            let verdict = lock(&self.pacer).admit(monotonic());
            match verdict {
                Ok(()) => return Ok(()),
                Err(wait) => self.pause(call, wait).await?,
            }
        }
    }

    async fn pause(&self, call: &Call, wait: Duration) -> Result<(), RemoteError> {
        tokio::select! {
            () = self.settings.stop.cancelled() => Err(self.error(call, ErrorKind::Stopped, "")),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    async fn once(&self, call: &Call) -> Result<Reply, RemoteError> {
        *lock(&self.calls).entry(call.endpoint).or_default() += 1;
        let mut request = self
            .client
            .request(call.method.clone(), self.url(call))
            .header(header::ACCEPT, "application/json");
        request = match &self.settings.auth {
            Auth::Bearer(token) => request.bearer_auth(token.expose_secret()),
            Auth::BasicKey(key) => request.basic_auth(key.expose_secret(), Some("X")),
        };
        for (name, value) in &self.settings.headers {
            request = request.header(*name, value);
        }
        if !call.query.is_empty() {
            request = request.query(&call.query);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(|error| {
            let kind = if error.is_connect() {
                ErrorKind::Unreachable
            } else {
                ErrorKind::NoAnswer
            };
            self.error(call, kind, &root_cause(error))
        })?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        lock(&self.pacer).observe((self.settings.allowance)(&headers));
        let body = self.body(call, &mut response).await?;
        Ok(Reply {
            status,
            server_time: server_time(&headers),
            headers,
            body,
            side: self.settings.side,
            call: describe(call),
        })
    }

    async fn body(
        &self,
        call: &Call,
        response: &mut reqwest::Response,
    ) -> Result<Vec<u8>, RemoteError> {
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST_BODY => {
                    return Err(self.error(call, ErrorKind::Garbled, "the body is too large"));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body),
                Err(error) => {
                    return Err(self.error(call, ErrorKind::NoAnswer, &root_cause(error)));
                }
            }
        }
    }

    fn url(&self, call: &Call) -> Url {
        let mut url = self.settings.base.clone();
        let root = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{root}{}", call.path));
        url
    }

    fn error(&self, call: &Call, kind: ErrorKind, detail: &str) -> RemoteError {
        RemoteError {
            side: self.settings.side,
            call: describe(call),
            kind,
            detail: cut(detail),
            request_id: None,
        }
    }
}

/// The call without values: ids and e-mails in paths and queries stay out of the logs.
fn describe(call: &Call) -> String {
    format!("{} {}", call.method, call.endpoint)
}

/// What lies at the bottom of a client error; its URL, which may hold an e-mail, left out.
fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn server_time(headers: &HeaderMap) -> DateTime<Utc> {
    headers
        .get(header::DATE)
        .and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok())
        .map_or_else(|| SystemClock.now(), |date| date.with_timezone(&Utc))
}

/// `Retry-After` in seconds (whole or decimal) or as a date; nothing where it makes no sense.
fn retry_after(reply: &Reply) -> Option<Duration> {
    let text = reply
        .headers
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds >= 0.0)
            .then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    (date.with_timezone(&Utc) - reply.server_time).to_std().ok()
}

/// The data behind these locks is whole after any panic: counters and a bucket.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
