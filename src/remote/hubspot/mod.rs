//! The connector of `HubSpot`: CRM objects, properties and associations of the v3 and v4 API.
//!
//! What shapes it:
//! - All values are text; an empty one clears. They stay text here, the mapping converts.
//! - A contact's company is the company of its association type 1, "primary". It is read as the
//!   property `associatedcompanyid`, which cannot be written, and written as an association.
//! - A batch may fail in parts (207) or as a whole because of one record; every operation gets an
//!   answer of its own all the same.
//! - Lists and reads by id are strongly consistent; searches lag behind by seconds or minutes.

mod associate;
mod feed;
mod outcome;
mod read;
mod refusal;
mod schema;
mod search;
mod wire;
mod write;

use super::http::{Auth, Http, Settings};
use super::pacer::Allowance;
use super::{
    Account, Caps, Connector, Cursor, Fetched, Lookup, Op, Outcome, Page, PageRequest, RemoteError,
    Schema,
};
use crate::model::{COMPANY, Kind, RecordId, Side};
use async_trait::async_trait;
use reqwest::Url;
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Records in one batch of any sort.
const BATCH: usize = 100;
/// Calls that may go out at once after a pause; limits are counted over ten seconds.
const BURST: f64 = 20.0;

/// What a [`Hubspot`] needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the API is, `https://api.hubapi.com` unless configured otherwise.
    pub base_url: Url,
    /// The access token of a private app.
    pub token: SecretString,
    /// Our part of the account's limits, 0 to 1.
    pub share: f64,
    /// Ends every wait; calls that are already sent are finished.
    pub stop: CancellationToken,
}

/// One `HubSpot` account.
#[derive(Debug)]
pub struct Hubspot {
    http: Http,
    searches: search::SearchPace,
    proven: feed::Proven,
    stop: CancellationToken,
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
            // The plan decides; the first answer's headers say.
            calls_per_minute: None,
            ceiling: None,
            share: options.share,
            burst: BURST,
            allowance,
            stop: options.stop.clone(),
        })?;
        Ok(Self {
            http,
            searches: search::SearchPace::new(options.share),
            proven: feed::Proven::default(),
            stop: options.stop,
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

    fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.http.calls()
    }

    fn calls_per_minute(&self) -> Option<f64> {
        self.http.calls_per_minute()
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

/// The rolling limit of the app, from the `X-HubSpot-RateLimit-*` headers (API usage guidelines).
/// Searches carry none.
fn allowance(headers: &HeaderMap) -> Allowance {
    let number = |name: &str| -> Option<f64> {
        let number: f64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
        (number.is_finite() && number >= 0.0).then_some(number)
    };
    let interval = number("x-hubspot-ratelimit-interval-milliseconds").unwrap_or(10_000.0);
    Allowance {
        per_minute: number("x-hubspot-ratelimit-max")
            .filter(|max| *max > 0.0 && interval > 0.0)
            .map(|max| max * 60_000.0 / interval),
        remaining: number("x-hubspot-ratelimit-remaining"),
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
    fn the_limit_of_ten_seconds_becomes_one_of_a_minute_and_nonsense_says_nothing() {
        let sane = headers(&[
            ("x-hubspot-ratelimit-max", "190"),
            ("x-hubspot-ratelimit-interval-milliseconds", "10000"),
            ("x-hubspot-ratelimit-remaining", "7"),
        ]);
        assert_eq!(allowance(&sane).per_minute, Some(1140.0));
        assert_eq!(allowance(&sane).remaining, Some(7.0));
        for nonsense in ["-1", "NaN", "inf", "", "0", "ten"] {
            let mut headers = headers(&[("x-hubspot-ratelimit-interval-milliseconds", "0")]);
            headers.insert("x-hubspot-ratelimit-max", nonsense.parse().unwrap());
            assert_eq!(allowance(&headers), Allowance::default());
        }
    }

    #[tokio::test]
    async fn a_plan_tells_the_calls_that_its_writes_take() {
        let hubspot = Hubspot::new(Options {
            base_url: Url::parse("http://127.0.0.1:9").unwrap(),
            token: SecretString::from("t"),
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
