//! Tickets, on a system that has them.
//!
//! As with [`super::Connector`]: a helpdesk translates and nothing else, and returns what the server
//! said.

use super::{Cursor, RemoteError};
use crate::model::{RecordId, Ticket, TicketChange};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// A system that holds tickets.
#[async_trait]
pub trait Helpdesk: Send + Sync + std::fmt::Debug {
    /// In which sizes it works.
    fn limits(&self) -> TicketLimits;

    /// The account's own words for statuses, types, groups and agents.
    async fn vocabulary(&self, wanted: &Wanted) -> Result<Vocabulary, RemoteError>;

    /// One page of `feed`, from its beginning without a cursor. May repeat tickets over a pass; must
    /// not skip one that was there when the pass began.
    async fn tickets(
        &self,
        feed: &TicketFeed,
        cursor: Option<&Cursor>,
    ) -> Result<TicketPage, RemoteError>;

    /// One ticket as it is now; `None` where it is not there.
    async fn ticket(&self, id: &RecordId) -> Result<Option<Ticket>, RemoteError>;

    /// About how many tickets there are, as a search index says, which may be minutes behind.
    async fn count(&self) -> Result<u64, RemoteError>;

    /// Changes one ticket, and nothing that `change` does not name.
    async fn change(&self, ticket: &Ticket, change: &TicketChange) -> TicketOutcome;

    /// Asks for the same change to many tickets, up to [`TicketLimits::bulk`]; it is made later.
    ///
    /// # Errors
    ///
    /// Where it is [`ErrorKind::Rejected`](super::ErrorKind::Rejected): if `ids` are now more than
    /// [`TicketLimits::bulk`], they were too many, and smaller parts may be taken. If they are not,
    /// the change is refused, or one of the tickets: single changes tell which.
    async fn change_many(
        &self,
        ids: &[RecordId],
        change: &TicketChange,
    ) -> Result<Job, RemoteError>;

    /// How far a job is.
    async fn job(&self, job: &Job) -> Result<JobState, RemoteError>;

    /// The private notes of a ticket as plain text, latest last.
    async fn notes(&self, id: &RecordId) -> Result<Vec<String>, RemoteError>;

    /// The satisfaction ratings given at or after `since`, with their tickets, the latest last: 100 is
    /// neutral, above is content.
    async fn ratings(&self, since: DateTime<Utc>) -> Result<Vec<(RecordId, i64)>, RemoteError>;

    /// Adds a private note, which nobody is mailed. `text` is plain: its markup is shown, not obeyed.
    async fn add_note(&self, id: &RecordId, text: &str) -> NoteOutcome;
}

/// In which sizes a [`Helpdesk`] works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TicketLimits {
    /// Tickets in one page.
    pub page: usize,
    /// Tickets in one [`Helpdesk::change_many`]; it may shrink when the server takes fewer.
    pub bulk: usize,
    /// Concurrent calls that do any good.
    pub in_flight: usize,
}

/// Which tickets to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketFeed {
    /// Those that changed at or after this time by the server's clock, in the order in which they
    /// changed; without deleted ones and spam.
    Changed {
        /// From when on.
        since: DateTime<Utc>,
        /// Whether it has to be known when they were first answered, which costs more.
        answers: bool,
    },
    /// Those that were deleted or marked as spam, of late (at or after this time).
    Trashed(DateTime<Utc>),
    /// All that this contact asked, however old.
    Requester(RecordId),
    /// All that were opened for this company, however old.
    Company(RecordId),
}

/// One page of tickets.
#[derive(Debug, Clone)]
pub struct TicketPage {
    /// What it shows.
    pub tickets: Vec<Ticket>,
    /// Where the next page begins; `None` says that the feed is read to its end.
    pub next: Option<Cursor>,
    /// The server's clock (`Date`) when it answered.
    pub server_time: DateTime<Utc>,
}

/// Which of the account's words are wanted; the rest is not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The groups.
    pub groups: bool,
    /// The agents, which need an administrator's key.
    pub agents: bool,
    /// Tags that are in use.
    pub tags: bool,
}

/// The account's own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vocabulary {
    /// Number → name as agents see it, in the order of the account.
    pub statuses: Vec<(u32, String)>,
    /// The types that a ticket can have.
    pub categories: Vec<String>,
    /// Id → name; empty where it was not asked for.
    pub groups: BTreeMap<i64, String>,
    /// Id → the names that an admin may use: the agent's name and e-mail address.
    pub agents: BTreeMap<i64, Vec<String>>,
    /// Tags of recently changed tickets: no complete list exists.
    pub tags: Vec<String>,
}

/// A bulk change that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job(pub String);

/// How far a [`Job`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// Not ready yet.
    Running,
    /// Ended, in the server's word. That says nothing about each ticket: they have to be looked at.
    Ended(String),
}

/// What became of a change to one ticket.
#[derive(Debug, Clone)]
pub enum TicketOutcome {
    /// It is done; this is what the server has now.
    Done {
        /// The ticket afterwards.
        stored: Ticket,
        /// The server's name for the call, for support cases.
        request_id: Option<String>,
    },
    /// The server will not do this, now or later, unless the ticket changes.
    Refused {
        /// In the server's words; may hold personal values.
        message: String,
        /// The server's name for the call.
        request_id: Option<String>,
    },
    /// The ticket is deleted or spam; writes to it are refused.
    Trashed,
    /// The ticket is not there.
    Missing,
    /// The call failed. [`RemoteError::applied`] says whether it can have had an effect.
    Failed(RemoteError),
}

/// What became of a note.
#[derive(Debug, Clone)]
pub enum NoteOutcome {
    /// It stands there.
    Done {
        /// The server's name for the call.
        request_id: Option<String>,
    },
    /// As [`TicketOutcome::Refused`]; tickets that are not there or in the trash are among these.
    Refused {
        /// In the server's words.
        message: String,
        /// The server's name for the call.
        request_id: Option<String>,
    },
    /// As [`TicketOutcome::Failed`].
    Failed(RemoteError),
}
