//! Tickets that are read in earnest and changed in thought only.

use super::Rehearsal;
use crate::model::{RecordId, Ticket, TicketChange};
use crate::remote::{
    Cursor, ErrorKind, Helpdesk, Job, JobState, NoteOutcome, RemoteError, TicketFeed, TicketLimits,
    TicketOutcome, TicketPage, Vocabulary, Wanted,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::sync::PoisonError;

/// From this many tickets with the same change on, a cycle would change them in bulk.
const BULK: u64 = 6;

impl Rehearsal {
    fn desk(&self) -> Result<&dyn Helpdesk, RemoteError> {
        self.real.helpdesk().ok_or_else(|| RemoteError {
            side: self.real.side(),
            call: "tickets".to_owned(),
            kind: ErrorKind::Missing,
            detail: "this system has no tickets".to_owned(),
            request_id: None,
        })
    }

    /// The calls that the changes to tickets would have taken, by endpoint class.
    pub(super) fn ticket_writes(&self) -> Vec<(&'static str, u64)> {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let size = self.real.helpdesk().map_or(1, |it| it.limits().bulk.max(1)) as u64;
        let page = self.real.helpdesk().map_or(1, |it| it.limits().page.max(1)) as u64;
        let (mut singles, mut bulks, mut seen) = (0, 0, 0);
        for tickets in changes.values() {
            if *tickets < BULK {
                singles += tickets;
            } else {
                bulks += tickets.div_ceil(size);
                seen += tickets;
            }
        }
        let looks = if seen > 0 { seen.div_ceil(page) } else { 0 };
        [
            ("tickets.update", singles),
            ("tickets.bulk", bulks),
            ("jobs.view", 2 * bulks),
            ("tickets.list", looks),
        ]
        .into_iter()
        .filter(|(_, calls)| *calls > 0)
        .collect()
    }
}

#[async_trait]
impl Helpdesk for Rehearsal {
    fn limits(&self) -> TicketLimits {
        let limits = self.real.helpdesk().map(Helpdesk::limits);
        TicketLimits {
            page: limits.map_or(1, |it| it.page),
            // One by one, since no job here could be seen to have done anything.
            bulk: 0,
            in_flight: 1,
        }
    }

    async fn vocabulary(&self, wanted: &Wanted) -> Result<Vocabulary, RemoteError> {
        self.desk()?.vocabulary(wanted).await
    }

    async fn tickets(
        &self,
        feed: &TicketFeed,
        cursor: Option<&Cursor>,
    ) -> Result<TicketPage, RemoteError> {
        self.desk()?.tickets(feed, cursor).await
    }

    async fn ticket(&self, id: &RecordId) -> Result<Option<Ticket>, RemoteError> {
        self.desk()?.ticket(id).await
    }

    async fn count(&self) -> Result<u64, RemoteError> {
        self.desk()?.count().await
    }

    async fn change(&self, ticket: &Ticket, change: &TicketChange) -> TicketOutcome {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        *changes.entry(change.clone()).or_default() += 1;
        TicketOutcome::Done {
            stored: Ticket {
                image: change.applied_to(&ticket.image),
                ..ticket.clone()
            },
            request_id: None,
        }
    }

    async fn change_many(&self, _: &[RecordId], _: &TicketChange) -> Result<Job, RemoteError> {
        Ok(Job("rehearsed".to_owned()))
    }

    async fn job(&self, _: &Job) -> Result<JobState, RemoteError> {
        Ok(JobState::Ended("rehearsed".to_owned()))
    }

    async fn ratings(&self, since: DateTime<Utc>) -> Result<Vec<(RecordId, i64)>, RemoteError> {
        self.desk()?.ratings(since).await
    }

    async fn notes(&self, id: &RecordId) -> Result<Vec<String>, RemoteError> {
        self.desk()?.notes(id).await
    }

    async fn add_note(&self, _: &RecordId, _: &str) -> NoteOutcome {
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        *writes.entry("tickets.notes").or_default() += 1;
        NoteOutcome::Done { request_id: None }
    }
}
