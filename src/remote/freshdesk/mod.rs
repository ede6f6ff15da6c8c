//! The connector of Freshdesk (REST API v2).

mod apart;
mod attribute;
mod bulk;
mod find;
mod helpdesk;
mod list;
mod notes;
mod paging;
mod plan;
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

use super::budget::reading;
use super::governor::{Class, Headers, Limits, Portion};
use super::http::{Auth, Call, Http, Settings};
use super::reply::Reply;
use super::{
    Account, Caps, Connector, Cursor, ErrorKind, Fetched, Helpdesk, Look, Lookup, Op, Outcome,
    Page, PageRequest, RemoteError, Schema, Tariff,
};
use crate::model::{Kind, RecordId, Side};
pub use plan::{CONTACTS_LIST, Plan, TICKETS_CREATE, TICKETS_LIST, TICKETS_UPDATE};

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
/// The part of the account's calls that stays free for what others do all at once, where our share
/// leaves as much.
const RESERVE: f64 = 0.03;

/// What a [`Freshdesk`] needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// The account, such as `https://acme.freshdesk.com`.
    pub url: Url,
    /// An agent's key.
    pub api_key: SecretString,
    /// The account's limits until its headers say; nothing where its plan is not known.
    pub limits: Option<Limits>,
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
            tariff: Tariff {
                limits: options.limits.unwrap_or_else(plan::unknown),
                portion: Portion {
                    share: options.share,
                    reserve: RESERVE.min(1.0 - options.share),
                    ceiling: options.calls_per_minute,
                },
                // Limits of single endpoints are no secret but not in the headers either: each is a
                // class, and a refusal may teach it one.
                class: Class,
                headers: allowance,
                scope: |_| None,
            },
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

    fn refuses_twins(&self, kind: Kind, field: &str) -> bool {
        attribute::named(kind, field).is_some_and(|it| it.unique)
    }

    fn http(&self) -> Option<&Http> {
        Some(&self.http)
    }

    /// An address that nobody has is looked for among live, deleted and blocked contacts, and among the
    /// agents.
    fn look(&self, kind: Kind) -> Look {
        let endpoints = Endpoints::of(kind);
        Look {
            read: endpoints.view,
            per_call: 1,
            find: match kind {
                Kind::Contact => vec![(endpoints.list, 3), ("agents.list", 1)],
                Kind::Company => vec![(endpoints.autocomplete, 1)],
            },
        }
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

/// `X-RateLimit-Total`, `-Remaining` and `-Used-CurrentRequest`; the first two come as decimals
/// (`50.0`). ("Rate Limit")
fn allowance(headers: &HeaderMap) -> Headers {
    let reading = |name| reading(headers, name);
    Headers {
        limit: reading("x-ratelimit-total"),
        remaining: reading("x-ratelimit-remaining"),
        cost: reading("x-ratelimit-used-currentrequest"),
        ..Headers::default()
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
    use crate::remote::governor::Reading;

    #[test]
    fn decimal_limits_are_read_or_the_account_would_be_called_unpaced() {
        let mut headers = HeaderMap::new();
        headers.insert("X-Ratelimit-Total", "50.0".parse().unwrap());
        headers.insert("X-RateLimit-Remaining", "32.0".parse().unwrap());
        let read = allowance(&headers);
        assert_eq!(read.limit, Reading::Number(50.0));
        assert_eq!(read.remaining, Reading::Number(32.0));
        assert_eq!(read.cost, Reading::Absent);
        assert_eq!(allowance(&HeaderMap::new()), Headers::default());
    }
}
