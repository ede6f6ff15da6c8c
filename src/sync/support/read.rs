//! Reading what summaries are of: all tickets once, and what the look at changed tickets does not show.

use super::EVERY;
use crate::clock::monotonic;
use crate::model::{Side, Version};
use crate::remote::{Cursor, ErrorKind, RemoteError, TicketFeed};
use crate::store::TicketProgress;
use crate::sync::observe::LISTING_PART;
use crate::sync::{CycleError, Engine};
use std::sync::Arc;

impl Engine {
    /// Reads all tickets once, over as many cycles as that takes; what changes meanwhile is read by every
    /// cycle. Returns whether all are known.
    pub(super) async fn read_all_tickets(
        &mut self,
    ) -> Result<Result<bool, RemoteError>, CycleError> {
        let pass = self.store.ticket_pass("support").await?;
        if pass.mark.is_some() {
            return Ok(Ok(true));
        }
        let until = self.slice.map(|slice| monotonic() + slice / LISTING_PART);
        self.read_for_summaries(pass.running, until).await
    }

    /// What the look at changed tickets does not show: deleted ones, and ratings; every hour, or at once where
    /// everything is read.
    pub(super) async fn read_aside(
        &mut self,
        reconcile: bool,
    ) -> Result<Result<(), RemoteError>, CycleError> {
        let desk = Arc::clone(&self.connectors.desk);
        let Some(helpdesk) = desk.helpdesk() else {
            return Ok(Ok(()));
        };
        let pass = self.store.ticket_pass("trash").await?;
        let now = self.now_at(Side::Desk).timestamp_millis();
        if !reconcile && pass.mark.is_some_and(|mark| now - mark < EVERY) {
            return Ok(Ok(()));
        }
        // What was thrown away while all were being read may have been read before.
        let all = self.store.ticket_pass("support").await?;
        let since = Version(pass.mark.or(all.mark).unwrap_or(now) - EVERY).time();
        let feed = TicketFeed::Trashed(since);
        let (mut cursor, mut started_at) = (None::<Cursor>, None);
        loop {
            let page = match helpdesk.tickets(&feed, cursor.as_ref()).await {
                Ok(page) => page,
                Err(error) => return Ok(Err(error)),
            };
            started_at.get_or_insert(page.server_time.timestamp_millis());
            self.store.take_support(&page.tickets).await?;
            if page.next.is_none() || page.next == cursor {
                break;
            }
            cursor = page.next;
        }
        if self.rates() {
            // A rating has no time of change: those of the last pass are read once more.
            let since = match pass.mark {
                Some(_) => since,
                None => chrono::DateTime::UNIX_EPOCH,
            };
            let ratings = match helpdesk.ratings(since).await {
                Ok(ratings) => ratings,
                // Surveys may not be part of the plan, or not the key's to read.
                Err(error) if matches!(error.kind, ErrorKind::Forbidden | ErrorKind::Missing) => {
                    tracing::warn!(event = "no_ratings", why = %error.kind, "satisfaction ratings cannot be read");
                    Vec::new()
                }
                Err(error) => return Ok(Err(error)),
            };
            self.store.take_ratings(&ratings).await?;
        }
        let progress = TicketProgress {
            feed: "trash",
            started_at: started_at.unwrap_or(now),
            next: None,
            ended: &[],
        };
        self.store.take_tickets(&[], Some(progress), &[]).await?;
        Ok(Ok(()))
    }
}
