//! The two systems over HTTP: one trait that every connector implements, and what its calls return.
//!
//! A connector translates and nothing else. It knows no mapping, no policy and no state; it speaks
//! in batches, because that is where an API budget is won; and it returns what the *server* said,
//! never what was sent.

pub mod freshdesk;
pub mod governor;
pub mod http;
pub mod hubspot;
pub mod lane;
pub mod odoo;
pub mod reply;
pub mod retry;

mod apart;
mod budget;
mod error;
mod helpdesk;
mod op;

pub use budget::{Ledger, Spending, Spent, Tariff};
pub use error::{Applied, ErrorKind, RemoteError};
pub use governor::{Lane, Moment, Today};
pub use helpdesk::{
    Helpdesk, Job, JobState, NoteOutcome, TicketFeed, TicketLimits, TicketOutcome, TicketPage,
    Vocabulary, Wanted,
};
pub use op::{Fetched, Lookup, Op, Outcome};

use crate::model::{Kind, Observed, Side};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::time::Duration;

/// A system that holds companies and contacts.
///
/// The engine calls [`page`](Self::page) for different kinds concurrently, and
/// [`write`](Self::write) up to [`Caps::in_flight`] times concurrently.
#[async_trait]
pub trait Connector: Send + Sync + std::fmt::Debug {
    /// Which side it is.
    fn side(&self) -> Side;

    /// What it can do, and in which sizes.
    fn caps(&self) -> &Caps;

    /// Who we are there: the cheapest call that proves the credentials and names the account.
    async fn account(&self) -> Result<Account, RemoteError>;

    /// The fields of `kind` that the account has.
    async fn describe(&self, kind: Kind) -> Result<Schema, RemoteError>;

    /// One page of `request`, from its beginning without a cursor.
    ///
    /// May repeat records over a pass; must not skip one that was there, and had changed by the
    /// feed's measure, when the pass began.
    async fn page(
        &self,
        request: &PageRequest<'_>,
        cursor: Option<&Cursor>,
    ) -> Result<Page, RemoteError>;

    /// Each record of `ids` as it is now, one answer an id, in the order of `ids`. Strongly
    /// consistent: never from a search index.
    async fn fetch(
        &self,
        kind: Kind,
        fields: &[String],
        ids: &[crate::model::RecordId],
    ) -> Result<Vec<Fetched>, RemoteError>;

    /// The records whose `field` equals `value` exactly (letter case aside). Trashed ones are
    /// included where the system can say so.
    async fn find(
        &self,
        kind: Kind,
        fields: &[String],
        field: &str,
        value: &str,
    ) -> Result<Lookup, RemoteError>;

    /// Whether the system itself refuses a second record of `kind` with a value of `field` that another
    /// has.
    fn refuses_twins(&self, _kind: Kind, _field: &str) -> bool {
        false
    }

    /// Carries out `ops`, all of one sort (creates, updates or deletes) and no more than the batch
    /// size of [`Caps`] for it. One outcome an operation, in the order of `ops`. `fields` are the
    /// ones that a returned image should have.
    async fn write(&self, kind: Kind, fields: &[String], ops: &[Op]) -> Vec<Outcome>;

    /// The client that its calls go through, which keeps the account's books; none of a system without a
    /// budget.
    fn http(&self) -> Option<&http::Http> {
        None
    }

    /// Calls made so far, by endpoint class. Failed calls count. Nothing of a system without a budget.
    fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.http().map(http::Http::calls).unwrap_or_default()
    }

    /// How the account's calls were spent, and what is left; nothing of a system without a budget.
    fn spending(&self) -> Spending {
        self.http().map(http::Http::spending).unwrap_or_default()
    }

    /// What another connector of the same account has to know of the calls so far; nothing of a
    /// system without a budget.
    fn ledger(&self) -> Option<Ledger> {
        self.http().map(http::Http::ledger)
    }

    /// Goes on from what another connector of the same account has sent.
    fn follow(&self, former: Ledger) {
        if let Some(http) = self.http() {
            http.follow(former);
        }
    }

    /// Counts the calls that an earlier process has sent on this day.
    fn carry(&self, earlier: Today) {
        if let Some(http) = self.http() {
            http.carry(earlier);
        }
    }

    /// How long so many calls, by endpoint class, take at the account's limits; `None` while no limit
    /// is known.
    fn forecast(&self, calls: &BTreeMap<&'static str, u64>) -> Option<Duration> {
        self.http()?.forecast(calls)
    }

    /// What a plan costs: how many calls of which endpoint class `ops` operations of one sort take.
    /// `sort` is a sample of them.
    fn cost(&self, kind: Kind, sort: &Op, ops: usize) -> (&'static str, usize);

    /// What a look at a record of `kind` costs before an approved write: for forecasts.
    fn look(&self, kind: Kind) -> Look {
        Look::single(kind)
    }

    /// Its tickets, where it has any.
    fn helpdesk(&self) -> Option<&dyn Helpdesk> {
        None
    }
}

/// What it costs to look at records once more, by endpoint class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// To read records by their ids: where the calls count.
    pub read: &'static str,
    /// How many records a call reads, at least 1.
    pub per_call: u64,
    /// To look for a record under a key that nobody has: the calls of each class.
    pub find: Vec<(&'static str, u64)>,
}

impl Look {
    /// A call for each.
    #[must_use]
    pub fn single(kind: Kind) -> Self {
        let read = match kind {
            Kind::Contact => "contacts.read",
            Kind::Company => "companies.read",
        };
        Self {
            read,
            per_call: 1,
            find: vec![(read, 1)],
        }
    }
}

/// What a connector can do, and in which sizes.
#[derive(Debug, Clone)]
pub struct Caps {
    /// Creates in one [`Connector::write`], at least 1.
    pub create_batch: usize,
    /// Updates in one [`Connector::write`], at least 1.
    pub update_batch: usize,
    /// Deletes in one [`Connector::write`], at least 1.
    pub delete_batch: usize,
    /// Ids in one [`Connector::fetch`], at least 1.
    pub fetch_batch: usize,
    /// Concurrent [`Connector::write`] calls that do any good.
    pub in_flight: usize,
    /// How far before the start of the last complete pass a changes pass begins: clock skew, late
    /// commits, index lag.
    pub overlap: Duration,
    /// The same, once an hour: for what surfaces later than `overlap` forgives.
    pub overlap_hourly: Duration,
    /// Whether [`Feed::Changes`] also shows records that were trashed or archived. Where it does
    /// not, [`Feed::Trash`] is read as well, at a slower rhythm.
    pub trash_in_changes: bool,
    /// For each kind, whether a delete can be undone there.
    pub soft_delete: fn(Kind) -> bool,
    /// How long after a create an empty [`Lookup`] proves nothing.
    pub lookup_lag: Duration,
}

/// Whose data it is. The state belongs to exactly two of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Stable and unique, such as `hubspot:12345678` or `freshdesk:acme.freshdesk.com`.
    pub identity: String,
    /// For people: the user or key that we act as, without secrets and e-mail addresses.
    pub acting_as: String,
}

/// The fields of one kind in one account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    /// By the name that `sync.toml` uses.
    pub fields: BTreeMap<String, FieldInfo>,
}

/// One field of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldInfo {
    /// What people call it there.
    pub label: String,
    /// What it holds.
    pub shape: Shape,
    /// Whether it can only be read.
    pub read_only: bool,
    /// Whether the system insists that no two records share a value.
    pub unique: bool,
    /// Whether a create without it is refused.
    pub required: bool,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// A number, as the system's own number or as text.
    Number,
    /// Yes or no.
    Boolean,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// A point in time.
    DateTime,
    /// A list of texts.
    List,
    /// One of these words.
    Choice(Vec<String>),
    /// Something that we can carry but not judge.
    Other(String),
}

/// Which records a pass goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// All live records. Only the completion of this feed, or of the next, proves that something is missing.
    All,
    /// The same once more: whoever is known and not shown is asked for by themselves, so that a list whose pages
    /// move meanwhile is read with the fewest calls, and not with care.
    Again,
    /// Those that changed at or after this time, by the server's clock.
    Changes(DateTime<Utc>),
    /// Those in the trash or archived; where the system can filter them, those since this time.
    Trash(Option<DateTime<Utc>>),
}

/// What to read.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<'a> {
    /// Of this kind.
    pub kind: Kind,
    /// From this feed.
    pub feed: Feed,
    /// These fields, by the names of `sync.toml` ([`crate::model::COMPANY`] among them where the
    /// company link is wanted).
    pub fields: &'a [String],
}

/// Where in a pass we are, in the connector's own notation. Stored with the page that it follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// One page of a pass.
#[derive(Debug, Clone)]
pub struct Page {
    /// What it shows.
    pub records: Vec<Observed>,
    /// Further records that it names and that cannot be read.
    pub unread: Vec<Unread>,
    /// Where the next page begins; `None` says that the pass is complete, and only a listing that
    /// ended in the system's own way may say so.
    pub next: Option<Cursor>,
    /// The server's clock (`Date`) when it answered.
    pub server_time: DateTime<Utc>,
}

/// A record that a list shows and whose own read fails, while those of others succeed.
#[derive(Debug, Clone)]
pub struct Unread {
    /// The record as far as the list shows it; all else of it is unknown.
    pub shown: Observed,
    /// What became of its read.
    pub error: RemoteError,
}
