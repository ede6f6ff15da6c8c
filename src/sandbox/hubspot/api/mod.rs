//! One request in, one answer out: key, limits, scopes, then the endpoint.

mod associations;
mod batch;
mod batch_write;
mod metadata;
mod objects;
mod problem;
mod route;
mod search;

use super::super::log::Endpoint;
use super::Portal;
use super::limits::Policy;
use super::state::State;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State as Shared};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use problem::{Detail, Problem};
use route::Route;
use serde::de::DeserializeOwned;

/// The largest body that is taken.
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// All endpoints.
pub(super) fn router(portal: Portal) -> Router {
    Router::new()
        .fallback(serve)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(portal)
}

/// The vendor's words for a status that befell the request on its way.
pub(super) fn refusal(status: StatusCode, retry_after: Option<u32>) -> Response {
    let reply = if status == StatusCode::TOO_MANY_REQUESTS {
        limited(Policy::TenSecondlyRolling)
    } else {
        let problem = Problem::new(status.as_u16(), "INTERNAL_ERROR", "internal error");
        Reply::no(&problem, &correlation(0))
    };
    let mut response = reply.into_response("");
    if let Some(seconds) = retry_after {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A request, taken apart.
#[derive(Debug)]
struct Ask<'a> {
    query: &'a [(String, String)],
    body: &'a [u8],
    now: i64,
    correlation: String,
}

impl Ask<'_> {
    /// The last value of a query parameter.
    fn one(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A list, given as `a,b` or by naming the parameter several times.
    fn list(&self, name: &str) -> Vec<&str> {
        let given = self.query.iter().filter(|(known, _)| known == name);
        let parts = given.flat_map(|(_, value)| value.split(','));
        parts
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect()
    }

    fn flag(&self, name: &str) -> bool {
        self.one(name) == Some("true")
    }

    fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let body = if self.body.is_empty() {
            b"{}"
        } else {
            self.body
        };
        serde_json::from_slice(body)
            .map_err(|error| Problem::invalid(format!("Invalid input JSON: {error}")))
    }
}

/// An answer.
#[derive(Debug)]
struct Reply {
    status: u16,
    body: String,
}

impl Reply {
    const fn with(status: u16, body: String) -> Self {
        Self { status, body }
    }

    /// 204.
    const fn empty() -> Self {
        Self::with(204, String::new())
    }

    fn no(problem: &Problem, correlation: &str) -> Self {
        Self::with(problem.status, problem.body(correlation))
    }

    fn into_response(self, correlation: &str) -> Response {
        let empty = self.body.is_empty();
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or_default();
        let headers = response.headers_mut();
        if !empty {
            let kind = HeaderValue::from_static("application/json;charset=utf-8");
            headers.insert(header::CONTENT_TYPE, kind);
        }
        if let Ok(id) = HeaderValue::from_str(correlation)
            && !correlation.is_empty()
        {
            headers.insert("x-hubspot-correlation-id", id);
        }
        response
    }
}

async fn serve(
    Shared(portal): Shared<Portal>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = pairs(&uri);
    let now = portal.now();
    let mut state = portal.lock();
    state.requests += 1;
    let ask = Ask {
        query: &query,
        body: &body,
        now,
        correlation: correlation(state.requests),
    };
    let route = route::find(&method, uri.path());
    let reply = match admitted(&mut state, &headers, &route, &ask) {
        Ok(()) => match &route {
            Ok(route) => answer(&mut state, route, &ask),
            Err(problem) => Err(problem.clone()),
        },
        Err(reply) => Ok(reply),
    };
    let reply = reply.unwrap_or_else(|problem| Reply::no(&problem, &ask.correlation));
    let remaining = state.limiter.remaining();
    drop(state);
    let mut response = reply.into_response(&ask.correlation);
    if let Ok(route) = &route {
        response.extensions_mut().insert(Endpoint(route.class()));
        // Search answers do not say what is left.
        if let (Some(left), false) = (remaining, matches!(route, Route::Search(_))) {
            let headers = response.headers_mut();
            for (name, value) in [
                ("x-hubspot-ratelimit-max", left.max),
                ("x-hubspot-ratelimit-remaining", left.left),
                ("x-hubspot-ratelimit-interval-milliseconds", 10_000),
                ("x-hubspot-ratelimit-daily", left.daily),
                ("x-hubspot-ratelimit-daily-remaining", left.daily_left),
            ] {
                headers.insert(name, HeaderValue::from(value));
            }
        }
    }
    response
}

/// The key, then the limits, then the content type and the scopes.
fn admitted(
    state: &mut State,
    headers: &HeaderMap,
    route: &Result<Route, Problem>,
    ask: &Ask<'_>,
) -> Result<(), Reply> {
    let no = |problem: Problem| Reply::no(&problem, &ask.correlation);
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| value.strip_prefix("Bearer "));
    if token != Some(&state.token) {
        let what = if token.is_some() {
            "are not valid"
        } else {
            "were not found"
        };
        let message = format!("Authentication credentials {what}.");
        return Err(no(Problem::new(401, "INVALID_AUTHENTICATION", message)));
    }
    let search = matches!(route, Ok(Route::Search(_)));
    state.limiter.admit(ask.now, search).map_err(limited)?;
    let Ok(route) = route else {
        return Ok(());
    };
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if !ask.body.is_empty() && !kind.is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(no(Problem::new(
            415,
            "VALIDATION_ERROR",
            "Unsupported Media Type",
        )));
    }
    let missing: Vec<String> = route.scopes();
    let missing: Vec<String> = missing
        .into_iter()
        .filter(|one| state.denied.contains(one))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = "This app hasn't been granted all required scopes to make this call.";
    let mut problem = Problem::new(403, "MISSING_SCOPES", message);
    problem.details.push(Detail {
        message: "One or more of the following scopes are required.".to_owned(),
        code: None,
        context: ("requiredGranularScopes", missing),
    });
    Err(no(problem))
}

/// 429 has a body of its own shape.
fn limited(policy: Policy) -> Reply {
    let name = policy.name();
    let message = format!("You have reached your {} limit.", name.to_lowercase());
    let body = serde_json::json!({
        "status": "error", "message": message, "errorType": "RATE_LIMIT", "policyName": name,
        "correlationId": correlation(0), "requestId": correlation(0),
    });
    Reply::with(429, body.to_string())
}

fn answer(state: &mut State, route: &Route, ask: &Ask<'_>) -> Result<Reply, Problem> {
    match route {
        Route::Account => Ok(metadata::account(state)),
        Route::Properties(kind) => Ok(metadata::list(state, *kind, ask)),
        Route::Property(kind, name) => metadata::one(state, *kind, name),
        Route::List(kind) => objects::list(state, *kind, ask),
        Route::Create(kind) => objects::create(state, *kind, ask),
        Route::Get(kind, id) => objects::get(state, *kind, id, ask),
        Route::Patch(kind, id) => objects::patch(state, *kind, id, ask),
        Route::Delete(kind, id) => objects::delete(state, *kind, id, ask),
        Route::Merge(kind) => objects::merge(state, *kind, ask),
        Route::Erase => objects::erase(state, ask),
        Route::Search(kind) => search::search(state, *kind, ask),
        Route::BatchRead(kind) => batch::read(state, *kind, ask),
        Route::BatchArchive(kind) => batch::archive(state, *kind, ask),
        Route::BatchCreate(kind) => batch_write::create(state, *kind, ask),
        Route::BatchUpdate(kind) => batch_write::update(state, *kind, ask),
        Route::BatchUpsert(kind) => batch_write::upsert(state, *kind, ask),
        Route::Links(ends, call) => associations::batch(state, *ends, *call, ask),
        Route::LinksOf(ends, id) => associations::list(state, *ends, id),
        Route::Link(ends, from, to, call) => {
            associations::one(state, *ends, [from, to], *call, ask)
        }
    }
}

fn correlation(number: u64) -> String {
    format!("5a1d0c5e-0000-4000-8000-{number:012x}")
}

/// The query's names and values, decoded.
fn pairs(uri: &Uri) -> Vec<(String, String)> {
    let query = uri.query().unwrap_or_default();
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (route::decoded(name, true), route::decoded(value, true))
        })
        .collect()
}
