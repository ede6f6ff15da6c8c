//! Odoo from version 19 on, over its External JSON-2 API: partners as companies and contacts.
//!
//! Odoo keeps both kinds in one model, `res.partner`. This is who counts as what:
//!
//! - a **company** is a partner with `is_company`. The one of the customer's own organisation is
//!   among them: contacts point at it like at any other;
//! - a **contact** is a partner without it, whose `type` is `contact` or empty. Invoice, delivery and
//!   other addresses are cards of their company, not people;
//! - the partner of an **internal user** (`partner_share` is false) is no contact: that is staff, who
//!   are agents in Freshdesk, and writing to it changes somebody's login. Portal users are customers
//!   and take part.
//!
//! These rules choose what the feeds show. A record that is asked for by id and no longer meets them
//! (a person turned into a company, a user made of a contact) is returned as it is: it exists, so it
//! is neither gone nor trashed, and nothing of it may be deleted on the other side.
//!
//! `@company` is the contact's commercial entity: the nearest company above it. It is written as
//! `parent_id`.

mod apart;
mod batch;
mod read;
mod record;
mod schema;
mod verdict;
mod write;

use super::governor::{Class, Headers, Limits, Portion};
use super::http::{Auth, Call, Http, Settings};
use super::{
    Account, Caps, Connector, Cursor, Fetched, Look, Lookup, Op, Outcome, Page, PageRequest,
    RemoteError, Schema, Tariff,
};
use crate::model::{Kind, RecordId, Side};
use async_trait::async_trait;
use reqwest::Url;
use schema::Definitions;
use secrecy::SecretString;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// Rows in one call. Against a server of two cores, 5,000 contacts take 3.5 s by 100, 1.2 s by 500,
/// 1.0 s by 1,000 and 0.9 s by 2,000: beyond 1,000 only the answers grow.
const PAGE: usize = 1000;
/// Writes in one batch.
const BATCH: usize = 100;
/// What Odoo's hosted service bears (External API, "Online": about one call a second).
const HOSTED_CALLS_PER_MINUTE: f64 = 60.0;

/// What an [`Odoo`] needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server's root.
    pub url: Url,
    /// An API key of the user that we act as.
    pub api_key: SecretString,
    /// The database (`X-Odoo-Database`), only where one server has several.
    pub database: Option<String>,
    /// Our part of the server's limit where it has one, 0 to 1.
    pub share: f64,
    /// Ends every wait.
    pub stop: CancellationToken,
}

/// One database of an Odoo server.
#[derive(Debug)]
pub struct Odoo {
    http: Http,
    caps: Caps,
    definitions: OnceCell<Definitions>,
}

impl Odoo {
    /// A connector that has sent nothing yet.
    ///
    /// # Errors
    ///
    /// Where the machine's TLS set-up cannot be used.
    pub fn new(options: Options) -> Result<Self, RemoteError> {
        let hosted = options
            .url
            .host_str()
            .is_some_and(|host| host.ends_with(".odoo.com"));
        let http = Http::new(Settings {
            side: Side::Crm,
            base: options.url,
            auth: Auth::Bearer(options.api_key),
            headers: options
                .database
                .map(|name| ("X-Odoo-Database", name))
                .into_iter()
                .collect(),
            tariff: Tariff {
                limits: if hosted {
                    Limits::of(HOSTED_CALLS_PER_MINUTE, Duration::from_mins(1))
                } else {
                    Limits::unknown()
                },
                portion: Portion {
                    share: options.share,
                    reserve: 0.0,
                    ceiling: None,
                },
                class: |_| Class::OTHER,
                headers: |_| Headers::default(),
                scope: |_| None,
            },
            stop: options.stop,
        })?;
        Ok(Self {
            http,
            caps: Caps {
                create_batch: BATCH,
                update_batch: BATCH,
                delete_batch: BATCH,
                fetch_batch: PAGE,
                in_flight: 2,
                // `write_date` is the start of the transaction, which shows when it commits: an
                // import of minutes surfaces in the past.
                overlap: Duration::from_mins(15),
                overlap_hourly: Duration::from_hours(2),
                trash_in_changes: true,
                soft_delete: |_| true,
                lookup_lag: Duration::ZERO,
            },
            definitions: OnceCell::new(),
        })
    }

    /// What the model's fields are, asked for once.
    async fn definitions(&self) -> Result<&Definitions, RemoteError> {
        self.definitions
            .get_or_try_init(|| async {
                let call = Call::query_by_post(
                    "fields_get",
                    path("fields_get"),
                    serde_json::json!({ "attributes": schema::ATTRIBUTES }),
                );
                Definitions::decode(&self.answer(call).await?)
            })
            .await
    }
}

/// Where a method of the partner model is called.
fn path(method: &str) -> String {
    format!("/json/2/res.partner/{method}")
}

/// What a method is called for, as the endpoint classes name it.
#[derive(Debug, Clone, Copy)]
enum Method {
    SearchRead,
    Read,
    Create,
    Write,
    HasAccess,
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::SearchRead => "search_read",
            Self::Read => "read",
            Self::Create => "create",
            Self::Write => "write",
            Self::HasAccess => "has_access",
        }
    }

    const fn endpoint(self, kind: Kind) -> &'static str {
        match (kind, self) {
            (Kind::Company, Self::SearchRead) => "companies.search_read",
            (Kind::Company, Self::Read) => "companies.read",
            (Kind::Company, Self::Create) => "companies.create",
            (Kind::Company, Self::Write) => "companies.write",
            (Kind::Company, Self::HasAccess) => "companies.has_access",
            (Kind::Contact, Self::SearchRead) => "contacts.search_read",
            (Kind::Contact, Self::Read) => "contacts.read",
            (Kind::Contact, Self::Create) => "contacts.create",
            (Kind::Contact, Self::Write) => "contacts.write",
            (Kind::Contact, Self::HasAccess) => "contacts.has_access",
        }
    }
}

#[async_trait]
impl Connector for Odoo {
    fn side(&self) -> Side {
        Side::Crm
    }

    fn caps(&self) -> &Caps {
        &self.caps
    }

    async fn account(&self) -> Result<Account, RemoteError> {
        self.read_account().await
    }

    async fn describe(&self, kind: Kind) -> Result<Schema, RemoteError> {
        Ok(self.definitions().await?.schema(kind))
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
        self.read_by_id(kind, fields, ids).await
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
        self.carry_out(kind, fields, ops).await
    }

    fn http(&self) -> Option<&Http> {
        Some(&self.http)
    }

    /// Updates are reckoned at one call each: only equal ones share a call, and a sample cannot say.
    fn look(&self, kind: Kind) -> Look {
        Look {
            read: Method::Read.endpoint(kind),
            per_call: PAGE as u64,
            find: vec![(Method::SearchRead.endpoint(kind), 1)],
        }
    }

    fn cost(&self, kind: Kind, sort: &Op, ops: usize) -> (&'static str, usize) {
        match sort {
            Op::Create { .. } => (Method::Create.endpoint(kind), ops.div_ceil(BATCH)),
            Op::Update { .. } => (Method::Write.endpoint(kind), ops),
            Op::Delete { .. } => (Method::Write.endpoint(kind), ops.div_ceil(BATCH)),
        }
    }
}
