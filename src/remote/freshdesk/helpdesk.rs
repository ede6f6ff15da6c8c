//! Freshdesk as a helpdesk: which part of the connector answers which question about tickets.

use super::list::PER_PAGE;
use super::{Freshdesk, IN_FLIGHT};
use crate::model::{RecordId, Ticket, TicketChange};
use crate::remote::{
    Cursor, Helpdesk, Job, JobState, NoteOutcome, RemoteError, TicketFeed, TicketLimits,
    TicketOutcome, TicketPage, Vocabulary, Wanted,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

#[async_trait]
impl Helpdesk for Freshdesk {
    fn limits(&self) -> TicketLimits {
        TicketLimits {
            page: PER_PAGE,
            bulk: self.job_size.limit(),
            in_flight: IN_FLIGHT,
        }
    }

    async fn vocabulary(&self, wanted: &Wanted) -> Result<Vocabulary, RemoteError> {
        self.words(wanted).await
    }

    async fn tickets(
        &self,
        feed: &TicketFeed,
        cursor: Option<&Cursor>,
    ) -> Result<TicketPage, RemoteError> {
        self.ticket_page(feed, cursor).await
    }

    async fn ticket(&self, id: &RecordId) -> Result<Option<Ticket>, RemoteError> {
        self.view_ticket(id).await
    }

    async fn count(&self) -> Result<u64, RemoteError> {
        self.count_tickets().await
    }

    async fn change(&self, ticket: &Ticket, change: &TicketChange) -> TicketOutcome {
        let outcome = self.update_ticket(&ticket.id, change).await;
        outcome.unwrap_or_else(TicketOutcome::Failed)
    }

    async fn change_many(
        &self,
        ids: &[RecordId],
        change: &TicketChange,
    ) -> Result<Job, RemoteError> {
        self.start_job(ids, change).await
    }

    async fn job(&self, job: &Job) -> Result<JobState, RemoteError> {
        self.view_job(job).await
    }

    async fn ratings(&self, since: DateTime<Utc>) -> Result<Vec<(RecordId, i64)>, RemoteError> {
        self.list_ratings(since).await
    }

    async fn notes(&self, id: &RecordId) -> Result<Vec<String>, RemoteError> {
        self.private_notes(id).await
    }

    async fn add_note(&self, id: &RecordId, text: &str) -> NoteOutcome {
        let outcome = self.create_note(id, text).await;
        outcome.unwrap_or_else(NoteOutcome::Failed)
    }
}
