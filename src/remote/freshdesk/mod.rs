//! The connector of Freshdesk (REST API v2).

mod attribute;
mod bulk;
mod find;
mod helpdesk;
mod list;
mod notes;
mod ratings;
mod read;
mod row;
mod schema;
mod ticket_row;
mod ticket_write;
mod tickets;
mod value;
mod vocabulary;
mod write;

use super::http::{Auth, Call, Http, Reply, Settings};
use super::pacer::Allowance;
use super::{
    Account, Caps, Connector, Cursor, ErrorKind, Fetched, Helpdesk, Lookup, Op, Outcome, Page,
    PageRequest, RemoteError, Schema,
};
use crate::model::{Kind, RecordId, Side};
use async_trait::async_trait;
use list::Filter;
use reqwest::Url;
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Calls of one sort that are sent at once.
const IN_FLIGHT: usize = 8;
/// Calls that may go out at once after a pause; the headers say sooner when that is too many.
const BURST: f64 = 20.0;
/// No account has more calls per minute than this; a larger figure is no figure.
const LARGEST_LIMIT: f64 = 1_000_000.0;

/// What a [`Freshdesk`] needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// The account, such as `https://acme.freshdesk.com`.
    pub url: Url,
    /// An agent's key.
    pub api_key: SecretString,
    /// A ceiling in calls per minute; without it the account's own headers say.
    pub calls_per_minute: Option<f64>,
    /// Our part of the account's calls, 0 to 1.
    pub share: f64,
    /// Ends every wait.
    pub stop: CancellationToken,
}

/// One Freshdesk account.
#[derive(Debug)]
pub struct Freshdesk {
    http: Http,
    caps: Caps,
    /// The updated-since filter that works, by kind, once it was looked for.
    filters: Mutex<BTreeMap<Kind, Filter>>,
    /// The last description of each kind: writes take the fields' types from it.
    schemas: Mutex<BTreeMap<Kind, Arc<Schema>>>,
    /// How many tickets a bulk change takes.
    job_size: bulk::JobSize,
}

impl Freshdesk {
    /// A connector that has not called yet.
    ///
    /// # Errors
    ///
    /// Where the machine's TLS set-up cannot be used.
    pub fn new(options: Options) -> Result<Self, RemoteError> {
        let mut base = options.url;
        let root = base.path().trim_end_matches('/').to_owned();
        base.set_path(&format!("{root}/api/v2"));
        let http = Http::new(Settings {
            headers: Vec::new(),
            side: Side::Desk,
            base,
            auth: Auth::BasicKey(options.api_key),
            calls_per_minute: None,
            ceiling: options.calls_per_minute,
            share: options.share,
            burst: BURST,
            allowance,
            stop: options.stop,
        })?;
        Ok(Self {
            http,
            caps: Caps {
                create_batch: 1,
                update_batch: 1,
                delete_batch: 1,
                fetch_batch: 50,
                in_flight: IN_FLIGHT,
                // Stamps are whole seconds, and may tick once more after the answer.
                overlap: Duration::from_secs(30),
                overlap_hourly: Duration::from_mins(10),
                trash_in_changes: false,
                soft_delete: |kind| kind == Kind::Contact,
                // Look-ups read lists. Where only the search index can answer, the latest changes are
                // read as well (see `find`); and e-mail and company name are unique, so that a
                // second create is refused even where both miss the first one.
                lookup_lag: Duration::ZERO,
            },
            filters: Mutex::default(),
            schemas: Mutex::default(),
            job_size: bulk::JobSize::default(),
        })
    }

    async fn who_am_i(&self) -> Result<Account, RemoteError> {
        #[derive(serde::Deserialize)]
        struct Agent {
            id: serde_json::Number,
        }
        let reply = self.http.send(Call::get("agents.me", "/agents/me")).await?;
        if reply.status == reqwest::StatusCode::NOT_FOUND {
            return Err(reply.error(
                ErrorKind::Missing,
                "no API v2 at this address: the account's name in `url` is wrong, or API v2 is \
                 switched off for the account",
            ));
        }
        let agent: Agent = reply.ok()?.json()?;
        Ok(Account {
            identity: format!("freshdesk:{}", self.http.host()),
            acting_as: format!("agent {}", agent.id),
        })
    }

    fn schema(&self, kind: Kind) -> Option<Arc<Schema>> {
        lock(&self.schemas).get(&kind).cloned()
    }
}

#[async_trait]
impl Connector for Freshdesk {
    fn side(&self) -> Side {
        Side::Desk
    }

    fn caps(&self) -> &Caps {
        &self.caps
    }

    async fn account(&self) -> Result<Account, RemoteError> {
        self.who_am_i().await
    }

    async fn describe(&self, kind: Kind) -> Result<Schema, RemoteError> {
        let schema = schema::read(&self.http, kind).await?;
        lock(&self.schemas).insert(kind, Arc::new(schema.clone()));
        Ok(schema)
    }

    async fn page(
        &self,
        request: &PageRequest<'_>,
        cursor: Option<&Cursor>,
    ) -> Result<Page, RemoteError> {
        self.list(request, cursor).await
    }

    async fn fetch(
        &self,
        kind: Kind,
        fields: &[String],
        ids: &[RecordId],
    ) -> Result<Vec<Fetched>, RemoteError> {
        self.fetch_all(kind, fields, ids).await
    }

    async fn find(
        &self,
        kind: Kind,
        fields: &[String],
        field: &str,
        value: &str,
    ) -> Result<Lookup, RemoteError> {
        self.look_up(kind, fields, field, value).await
    }

    async fn write(&self, kind: Kind, fields: &[String], ops: &[Op]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(ops.len());
        for op in ops {
            outcomes.push(self.write_one(kind, fields, op).await);
        }
        outcomes
    }

    fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.http.calls()
    }

    fn calls_per_minute(&self) -> Option<f64> {
        self.http.calls_per_minute()
    }

    fn cost(&self, kind: Kind, sort: &Op, ops: usize) -> (&'static str, usize) {
        let endpoints = Endpoints::of(kind);
        match sort {
            Op::Create { .. } => (endpoints.create, ops),
            Op::Update { .. } => (endpoints.update, ops),
            Op::Delete { .. } if kind == Kind::Company => (endpoints.delete, 0),
            Op::Delete { .. } => (endpoints.delete, ops),
        }
    }

    fn helpdesk(&self) -> Option<&dyn Helpdesk> {
        Some(self)
    }
}

/// The path of a kind, and the classes that its calls count under.
#[derive(Debug, Clone, Copy)]
struct Endpoints {
    path: &'static str,
    list: &'static str,
    view: &'static str,
    create: &'static str,
    update: &'static str,
    delete: &'static str,
    autocomplete: &'static str,
    search: &'static str,
    fields: (&'static str, &'static str),
}

impl Endpoints {
    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Contact => Self {
                path: "/contacts",
                list: "contacts.list",
                view: "contacts.view",
                create: "contacts.create",
                update: "contacts.update",
                delete: "contacts.delete",
                autocomplete: "contacts.autocomplete",
                search: "contacts.search",
                fields: ("contact_fields", "/contact_fields"),
            },
            Kind::Company => Self {
                path: "/companies",
                list: "companies.list",
                view: "companies.view",
                create: "companies.create",
                update: "companies.update",
                delete: "companies.delete",
                autocomplete: "companies.autocomplete",
                search: "companies.search",
                fields: ("company_fields", "/company_fields"),
            },
        }
    }

    /// The path of one record.
    fn record(self, id: &RecordId) -> Result<String, RemoteError> {
        Ok(format!("{}/{}", self.path, numeric(self.view, id)?))
    }
}

/// An id as the number that it is here, so that nothing else can get into a path.
fn numeric(endpoint: &str, id: &RecordId) -> Result<u64, RemoteError> {
    let digits = id.0.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| id.0.parse().ok()).flatten();
    number.ok_or_else(|| RemoteError {
        side: Side::Desk,
        call: endpoint.to_owned(),
        kind: ErrorKind::Rejected(400),
        detail: "the id is no id of this system".to_owned(),
        request_id: None,
    })
}

/// `X-RateLimit-Total` and `-Remaining`, which come as decimals (`50.0`). What is no sane number
/// says nothing.
fn allowance(headers: &HeaderMap) -> Allowance {
    let figure = |name: &str| -> Option<f64> {
        let figure: f64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
        (0.0..=LARGEST_LIMIT).contains(&figure).then_some(figure)
    };
    Allowance {
        per_minute: figure("x-ratelimit-total").filter(|total| *total > 0.0),
        remaining: figure("x-ratelimit-remaining"),
    }
}

/// What is behind these locks is whole after any panic: it is only ever replaced.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error of an answer that is not what it should be; only the place, never a value.
fn garbled(reply: &Reply, error: &serde_json::Error) -> RemoteError {
    let place = format!("at line {} column {}", error.line(), error.column());
    reply.error(ErrorKind::Garbled, &place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(total: &str, remaining: &str) -> Allowance {
        let mut headers = HeaderMap::new();
        headers.insert("X-Ratelimit-Total", total.parse().unwrap());
        headers.insert("X-RateLimit-Remaining", remaining.parse().unwrap());
        allowance(&headers)
    }

    #[test]
    fn decimal_limits_are_read_or_the_account_would_be_called_unpaced() {
        let allowance = said("50.0", "32.0");
        assert_eq!(allowance.per_minute, Some(50.0));
        assert_eq!(allowance.remaining, Some(32.0));
        assert_eq!(said("50", "0.0").remaining, Some(0.0));
    }

    #[test]
    fn senseless_limits_say_nothing_instead_of_stopping_us_for_ever() {
        for senseless in ["0", "-1", "NaN", "inf", "1e300", "many", ""] {
            assert_eq!(said(senseless, "x").per_minute, None, "{senseless}");
        }
        assert_eq!(allowance(&HeaderMap::new()), Allowance::default());
    }
}
