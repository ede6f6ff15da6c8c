//! The connector of `HubSpot`: CRM objects, properties and associations of the v3 and v4 API.
//!
//! What shapes it:
//! - All values are text; an empty one clears. They stay text here, the mapping converts.
//! - A contact's company is the company of its association type 1, "primary". It is read as the
//!   property `associatedcompanyid`, which cannot be written, and written as an association.
//! - A batch may fail in parts (207) or as a whole because of one record; every operation gets an
//!   answer of its own all the same.
//! - Lists and reads by id are strongly consistent; searches lag behind by seconds or minutes.

mod apart;
mod associate;
mod feed;
mod narrow;
mod outcome;
mod property;
mod read;
mod refusal;
mod schema;
mod search;
mod wire;
mod write;

use super::budget::reading;
use super::governor::{Class, Daily, Headers, Limits, Portion, Rate, Reading, Scope};
use super::http::{Auth, Http, Settings};
use super::{
    Account, Caps, Connector, Cursor, Fetched, Look, Lookup, Op, Outcome, Page, PageRequest,
    RemoteError, Schema, Tariff,
};
use crate::model::{COMPANY, Kind, RecordId, Side};
use async_trait::async_trait;
use reqwest::Url;
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Records in one batch of any sort.
const BATCH: usize = 100;

/// What a [`Hubspot`] needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the API is, `https://api.hubapi.com` unless configured otherwise.
    pub base_url: Url,
    /// The access token of a private app.
    pub token: SecretString,
    /// The account's limits until its headers say; nothing for those of the smallest plan.
    pub limits: Option<Limits>,
    /// Our part of the account's limits, 0 to 1.
    pub share: f64,
    /// Ends every wait; calls that are already sent are finished.
    pub stop: CancellationToken,
}

/// One `HubSpot` account.
#[derive(Debug)]
pub struct Hubspot {
    http: Http,
    proven: feed::Proven,
    zone: schema::Zone,
    caps: Caps,
}

impl Hubspot {
    /// A connector with nothing sent yet.
    ///
    /// # Errors
    ///
    /// Where the machine's TLS set-up cannot be used.
    pub fn new(options: Options) -> Result<Self, RemoteError> {
        let http = Http::new(Settings {
            headers: Vec::new(),
            side: Side::Crm,
            base: options.base_url,
            auth: Auth::Bearer(options.token),
            tariff: tariff(options.limits, options.share),
            stop: options.stop,
        })?;
        Ok(Self {
            http,
            proven: feed::Proven::default(),
            zone: schema::Zone::default(),
            caps: Caps {
                create_batch: BATCH,
                update_batch: BATCH,
                delete_batch: BATCH,
                fetch_batch: BATCH,
                in_flight: 4,
                // Searches show a change only after a while, usually seconds, at times far more.
                overlap: Duration::from_mins(5),
                overlap_hourly: Duration::from_hours(2),
                trash_in_changes: false,
                // Archived records can be restored for 90 days.
                soft_delete: |_| true,
                // A look-up of a contact by e-mail is current; any other one is a search.
                lookup_lag: Duration::from_mins(5),
            },
        })
    }
}

#[async_trait]
impl Connector for Hubspot {
    fn side(&self) -> Side {
        Side::Crm
    }

    fn caps(&self) -> &Caps {
        &self.caps
    }

    async fn account(&self) -> Result<Account, RemoteError> {
        self.details().await
    }

    async fn describe(&self, kind: Kind) -> Result<Schema, RemoteError> {
        self.properties(kind).await
    }

    async fn page(
        &self,
        request: &PageRequest<'_>,
        cursor: Option<&Cursor>,
    ) -> Result<Page, RemoteError> {
        self.keep_the_zone().await;
        self.read_page(request, cursor).await
    }

    async fn fetch(
        &self,
        kind: Kind,
        fields: &[String],
        ids: &[RecordId],
    ) -> Result<Vec<Fetched>, RemoteError> {
        self.read_each(&wire::Wanted { kind, fields }, ids).await
    }

    async fn find(
        &self,
        kind: Kind,
        fields: &[String],
        field: &str,
        value: &str,
    ) -> Result<Lookup, RemoteError> {
        self.look_up(&wire::Wanted { kind, fields }, field, value)
            .await
    }

    async fn write(&self, kind: Kind, fields: &[String], ops: &[Op]) -> Vec<Outcome> {
        self.carry_out(&wire::Wanted { kind, fields }, ops).await
    }

    fn http(&self) -> Option<&Http> {
        Some(&self.http)
    }

    fn look(&self, kind: Kind) -> Look {
        let read = endpoint(kind, Verb::Read);
        let find = match kind {
            Kind::Contact => read,
            Kind::Company => endpoint(kind, Verb::Search),
        };
        Look {
            read,
            per_call: BATCH as u64,
            find: vec![(find, 1)],
        }
    }

    /// A batch is one call. A changed company is one more for the links of the whole batch; where
    /// nothing else changes, the links are one call and reading the records afterwards another.
    fn cost(&self, kind: Kind, sort: &Op, ops: usize) -> (&'static str, usize) {
        let batches = ops.div_ceil(BATCH);
        match sort {
            Op::Create { .. } => (endpoint(kind, Verb::Create), batches),
            Op::Delete { .. } => (endpoint(kind, Verb::Archive), batches),
            Op::Update { fields, .. } => {
                let company = kind == Kind::Contact && fields.get(COMPANY).is_some();
                match (company, fields.0.len()) {
                    (false, _) => (endpoint(kind, Verb::Update), batches),
                    (true, 1) => (endpoint(kind, Verb::Associate), batches * 2),
                    (true, _) => (endpoint(kind, Verb::Update), batches * 2),
                }
            }
        }
    }
}

/// What a call does to the objects of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    List,
    Search,
    Read,
    Create,
    Update,
    Archive,
    Associate,
}

/// The class that a call is counted under.
const fn endpoint(kind: Kind, verb: Verb) -> &'static str {
    match (kind, verb) {
        (Kind::Contact, Verb::List) => "contacts.list",
        (Kind::Contact, Verb::Search) => "contacts.search",
        (Kind::Contact, Verb::Read) => "contacts.read",
        (Kind::Contact, Verb::Create) => "contacts.create",
        (Kind::Contact, Verb::Update) => "contacts.update",
        (Kind::Contact, Verb::Archive) => "contacts.archive",
        (Kind::Contact, Verb::Associate) => "contacts.associate",
        (Kind::Company, Verb::List) => "companies.list",
        (Kind::Company, Verb::Search) => "companies.search",
        (Kind::Company, Verb::Read) => "companies.read",
        (Kind::Company, Verb::Create) => "companies.create",
        (Kind::Company, Verb::Update) => "companies.update",
        (Kind::Company, Verb::Archive) => "companies.archive",
        (Kind::Company, Verb::Associate) => "companies.associate",
    }
}

/// The name of the kind in paths.
const fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Contact => "contacts",
        Kind::Company => "companies",
    }
}

/// The class of searches, which have a limit of their own.
const SEARCH: Class = Class("search");
/// Calls of an app in ten seconds in the smallest plan, until the headers say.
const SMALLEST: f64 = 100.0;
/// The window that the limit is told for.
const WINDOW: Duration = Duration::from_secs(10);

/// What an account allows (API usage guidelines): so many calls of an app in ten seconds, as the
/// headers say; five searches a second, shared by all apps, of which no header speaks; and so many
/// calls a day.
fn tariff(limits: Option<Limits>, share: f64) -> Tariff {
    let searches = Rate {
        calls: 5.0,
        per: Duration::from_secs(1),
    };
    let daily = Daily {
        calls: None,
        offset_minutes: None,
    };
    Tariff {
        limits: limits.unwrap_or_else(|| Limits {
            classes: vec![(SEARCH, searches)],
            daily: Some(daily),
            ..Limits::of(SMALLEST, WINDOW)
        }),
        portion: Portion {
            share,
            reserve: 0.0,
            ceiling: None,
        },
        class: |endpoint| {
            if endpoint.ends_with(".search") {
                SEARCH
            } else {
                Class::OTHER
            }
        },
        headers: allowance,
        scope: policy,
    }
}

/// `X-HubSpot-RateLimit-*` (API usage guidelines). Searches carry none.
fn allowance(headers: &HeaderMap) -> Headers {
    let reading = |name| reading(headers, name);
    let interval = reading("x-hubspot-ratelimit-interval-milliseconds").number();
    let windows = interval
        .filter(|millis| *millis > 0.0)
        .map_or(1.0, |millis| WINDOW.as_secs_f64() * 1000.0 / millis);
    let per_window = |reading: Reading| match reading {
        Reading::Number(number) => Reading::Number(number * windows),
        other => other,
    };
    Headers {
        limit: per_window(reading("x-hubspot-ratelimit-max")),
        remaining: per_window(reading("x-hubspot-ratelimit-remaining")),
        cost: Reading::Absent,
        day_limit: reading("x-hubspot-ratelimit-daily"),
        day_remaining: reading("x-hubspot-ratelimit-daily-remaining"),
    }
}

/// Which limit a refusal is about: `policyName` in its body.
fn policy(body: &[u8]) -> Option<Scope> {
    #[derive(serde::Deserialize)]
    struct Refusal<'a> {
        #[serde(rename = "policyName", borrow)]
        policy: std::borrow::Cow<'a, str>,
    }
    let refusal: Refusal<'_> = serde_json::from_slice(body).ok()?;
    match refusal.policy.as_ref() {
        "DAILY" => Some(Scope::Day),
        "SECONDLY" => Some(Scope::Class),
        "TEN_SECONDLY_ROLLING" => Some(Scope::Total),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Image, Value};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_limit_is_told_for_ten_seconds_and_nonsense_says_nothing() {
        let sane = headers(&[
            ("x-hubspot-ratelimit-max", "380"),
            ("x-hubspot-ratelimit-interval-milliseconds", "20000"),
            ("x-hubspot-ratelimit-remaining", "7"),
            ("x-hubspot-ratelimit-daily-remaining", "249000"),
        ]);
        let read = allowance(&sane);
        assert_eq!(read.limit, Reading::Number(190.0));
        assert_eq!(read.remaining, Reading::Number(3.5));
        assert_eq!(read.day_remaining, Reading::Number(249_000.0));
        let mut senseless = headers(&[("x-hubspot-ratelimit-interval-milliseconds", "0")]);
        senseless.insert("x-hubspot-ratelimit-max", "190".parse().unwrap());
        assert_eq!(allowance(&senseless).limit, Reading::Number(190.0));
    }

    #[test]
    fn a_refused_search_stops_no_other_call_and_a_spent_day_stops_all() {
        let said = |name: &str| policy(format!(r#"{{"policyName":"{name}"}}"#).as_bytes());
        assert_eq!(said("SECONDLY"), Some(Scope::Class));
        assert_eq!(said("DAILY"), Some(Scope::Day));
        assert_eq!(said("TEN_SECONDLY_ROLLING"), Some(Scope::Total));
        assert_eq!(said("YEARLY"), None);
        assert_eq!(policy(b"<html>"), None);
    }

    #[tokio::test]
    async fn a_plan_tells_the_calls_that_its_writes_take() {
        let hubspot = Hubspot::new(Options {
            base_url: Url::parse("http://127.0.0.1:9").unwrap(),
            token: SecretString::from("t"),
            limits: None,
            share: 1.0,
            stop: CancellationToken::new(),
        })
        .unwrap();
        let update = |fields: Image| Op::Update {
            id: RecordId::from("1"),
            fields,
            company_before: None,
        };
        let name = ("firstname", Value::from("Ada"));
        let company = (COMPANY, Value::from("9"));
        for (op, ops, cost) in [
            (update([name.clone()].into()), 101, ("contacts.update", 2)),
            (
                update([company.clone()].into()),
                100,
                ("contacts.associate", 2),
            ),
            (update([name, company].into()), 100, ("contacts.update", 2)),
            (
                Op::Delete {
                    id: RecordId::from("1"),
                },
                250,
                ("contacts.archive", 3),
            ),
        ] {
            assert_eq!(hubspot.cost(Kind::Contact, &op, ops), cost);
        }
    }
}
