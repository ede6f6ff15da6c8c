//! The one way in which a request leaves this process: paced, counted, bounded, without secrets in
//! what it reports.

use super::budget::{Admission, Budget, Denied, Ledger, Spending, Tariff};
use super::governor::{Today, Why};
use super::reply::{Reply, cut, retry_after, server_time};
use super::retry::RetryPolicy;
use super::{ErrorKind, Lane, RemoteError, lane};
use crate::model::Side;
use reqwest::header::{self, HeaderMap};
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The largest body that is read; a page of 100 records is some hundred kilobytes.
const LARGEST_BODY: usize = 32 * 1024 * 1024;
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
    /// What the vendor allows, and how its answers speak of it.
    pub tariff: Tariff,
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
    /// How many calls it counts as there.
    pub cost: u32,
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
            cost: 1,
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
            cost: 1,
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

    /// Says that it counts as `cost` calls.
    #[must_use]
    pub const fn costing(mut self, cost: u32) -> Self {
        self.cost = cost;
        self
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }
}

/// A client of one system. All calls of one account go through one of these.
#[derive(Debug)]
pub struct Http {
    client: reqwest::Client,
    settings: Settings,
    budget: Budget,
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
        let budget = Budget::new(settings.side, settings.tariff.clone());
        Ok(Self {
            client,
            settings,
            budget,
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
        let mut calls = BTreeMap::new();
        for ((endpoint, _), spent) in self.budget.spending().by {
            *calls.entry(endpoint).or_default() += spent.calls;
        }
        calls
    }

    /// How the account's calls were spent, and what is left.
    #[must_use]
    pub fn spending(&self) -> Spending {
        self.budget.spending()
    }

    /// How long so many calls take at the limits that are known; nothing where none is.
    #[must_use]
    pub fn forecast(&self, calls: &BTreeMap<&'static str, u64>) -> Option<Duration> {
        self.budget.forecast(calls)
    }

    /// What another client of the same account has to know of the calls so far.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.budget.ledger()
    }

    /// Goes on from what another client of the same account has sent.
    pub fn follow(&self, former: Ledger) {
        self.budget.follow(former);
    }

    /// Counts the calls that an earlier process has sent on this day.
    pub fn carry(&self, earlier: Today) {
        self.budget.carry(earlier);
    }

    /// The account's midnight is this many minutes earlier than that of UTC.
    pub fn lies_east(&self, minutes: i32) {
        self.budget.lies_east(minutes);
    }

    /// Sends `call` when its turn comes, and returns whatever came back except refusals for rate,
    /// which are waited for. Reads are tried again when they fail in passing.
    ///
    /// # Errors
    ///
    /// Where no complete answer came, the server kept refusing, or it wants no calls for so long that
    /// nobody should wait.
    pub async fn send(&self, call: Call) -> Result<Reply, RemoteError> {
        let (mut failures, mut refusals) = (0, 0);
        loop {
            let admission = self
                .budget
                .admit(call.endpoint, call.cost, &self.settings.stop);
            let admission = admission
                .await
                .map_err(|denied| self.denied(&call, denied))?;
            let error = match self.once(&call, admission).await {
                Ok(reply) if reply.status == StatusCode::TOO_MANY_REQUESTS => {
                    refusals += 1;
                    let wait = retry_after(&reply);
                    tracing::debug!(side = %self.settings.side, endpoint = call.endpoint, ?wait, "refused for rate");
                    if refusals < PATIENCE {
                        continue;
                    }
                    return Err(reply.error(ErrorKind::Throttled(wait), &reply.message()));
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

    fn denied(&self, call: &Call, denied: Denied) -> RemoteError {
        match denied {
            Denied::Stopped => self.error(call, ErrorKind::Stopped, ""),
            Denied::Closed(wait, why) => {
                let minutes = wait.as_secs().div_ceil(60);
                let low = matches!(lane::current(), Lane::FirstSync | Lane::Reconcile);
                let kind = match why {
                    Why::ClassRefused(_) => ErrorKind::Paused(wait),
                    // What is left of the day is kept for what people do.
                    Why::DaySpent if low => ErrorKind::Paused(wait),
                    Why::DaySpent | Why::Refused => ErrorKind::Throttled(Some(wait)),
                };
                let what = match why {
                    Why::Refused => "it refuses more calls".to_owned(),
                    Why::ClassRefused(class) => format!("it refuses more calls of {}", class.0),
                    Why::DaySpent => "the day's calls are used up".to_owned(),
                };
                let detail = format!("{what}; the next try is in {minutes} min");
                self.error(call, kind, &detail)
            }
        }
    }

    async fn pause(&self, call: &Call, wait: Duration) -> Result<(), RemoteError> {
        tokio::select! {
            () = self.settings.stop.cancelled() => Err(self.error(call, ErrorKind::Stopped, "")),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    async fn once(&self, call: &Call, admission: Admission<'_>) -> Result<Reply, RemoteError> {
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
        let response = request.send().await.map_err(|error| {
            let kind = if error.is_connect() {
                ErrorKind::Unreachable
            } else {
                ErrorKind::NoAnswer
            };
            self.error(call, kind, &root_cause(error))
        })?;
        self.receive(call, admission, response).await
    }

    async fn receive(
        &self,
        call: &Call,
        admission: Admission<'_>,
        mut response: reqwest::Response,
    ) -> Result<Reply, RemoteError> {
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let reply = |headers: HeaderMap, body| Reply {
            status,
            server_time: server_time(&headers),
            headers,
            body,
            side: self.settings.side,
            call: describe(call),
        };
        if status == StatusCode::TOO_MANY_REQUESTS {
            // Without its words it is a refusal all the same.
            let body = self.body(call, &mut response).await.unwrap_or_default();
            let reply = reply(headers, body);
            admission.refused(retry_after(&reply), &reply.headers, &reply.body);
            return Ok(reply);
        }
        admission.answered(&headers);
        Ok(reply(headers, self.body(call, &mut response).await?))
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
