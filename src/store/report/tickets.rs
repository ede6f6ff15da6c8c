//! What `status` shows of tickets.

use super::Report;
use crate::model::{Kind, TicketImage};
use crate::plan::Memory;
use crate::store::StoreError;
use serde::Serialize;
use sqlx::Row as _;
use std::collections::BTreeMap;

/// What ticket rules have come to, over the life of the state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TicketCounts {
    /// Changes that rules made and Freshdesk has confirmed.
    pub raised: u64,
    /// Changes that only gave back what rules had set, confirmed by Freshdesk.
    pub restored: u64,
    /// Tickets with a change that failed or was refused and waits for its next try.
    pub parked: u64,
    /// Tickets with a change of which nobody knows yet whether it was made.
    pub in_doubt: u64,
    /// Tickets that are left alone because something undid our change at once.
    pub fought: u64,
    /// How many customers have the standing of each rule; a rule that nobody meets is left out.
    pub standings: BTreeMap<String, u64>,
}

/// Which tickets.
#[derive(Debug, Clone, Copy)]
pub enum TicketsWanted<'a> {
    /// The one with this id.
    Id(&'a str),
    /// Those of the contact or company with this id in Freshdesk.
    Of(Kind, &'a str),
}

/// A ticket that a rule has, or had, to do with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TicketView {
    /// The ticket.
    pub id: String,
    /// Freshdesk's id of who opened it.
    pub requester: String,
    /// Freshdesk's id of the company that it was opened for.
    pub company: Option<String>,
    /// `live`, `trashed` or `gone`.
    pub presence: String,
    /// What it showed last, as far as a rule may set it.
    pub shows: TicketImage,
    /// What we did to it, and what stood there before.
    pub memory: Memory,
    /// `sent` (the outcome of a change is not known), `failed` or `refused`.
    pub state: Option<String>,
    /// Whether it is left alone because something undid our change at once.
    pub fought: bool,
    /// The next try.
    pub due_at: Option<String>,
    /// In the server's words.
    pub error: Option<String>,
}

/// A change to a ticket that is not made yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingTicket {
    /// The ticket.
    pub id: String,
    /// `sent` (the outcome is not known), `failed` or `refused`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The next try; `None` where that is the next cycle.
    pub due_at: Option<String>,
    /// In the server's words.
    pub error: Option<String>,
}

/// A row of `ticket`, in the order of [`TicketView`].
type TicketColumns = (
    String,
    String,
    Option<String>,
    String,
    String,
    String,
    Option<String>,
    bool,
    Option<String>,
    Option<String>,
);

impl Report {
    /// What ticket rules have come to.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn tickets(&mut self) -> Result<TicketCounts, StoreError> {
        if !self.knows_tickets().await? {
            return Ok(TicketCounts::default());
        }
        let row: (i64, i64, i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM journal WHERE kind = 'ticket' AND outcome = 'done' AND action = 'raise')
                      + coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'pruned_raise'), 0),
                    (SELECT count(*) FROM journal WHERE kind = 'ticket' AND outcome = 'done' AND action = 'restore')
                      + coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'pruned_restore'), 0),
                    (SELECT count(*) FROM ticket WHERE state IS NOT NULL),
                    (SELECT count(*) FROM ticket WHERE pending IS NOT NULL),
                    (SELECT count(*) FROM ticket WHERE fought = 1)",
        )
        .fetch_one(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        let standings: Vec<(String, i64)> =
            sqlx::query_as("SELECT rule, count(*) FROM standing GROUP BY rule")
                .fetch_all(&mut self.connection)
                .await
                .map_err(self.damaged())?;
        Ok(TicketCounts {
            raised: row.0.unsigned_abs(),
            restored: row.1.unsigned_abs(),
            parked: row.2.unsigned_abs(),
            in_doubt: row.3.unsigned_abs(),
            fought: row.4.unsigned_abs(),
            standings: standings
                .into_iter()
                .map(|(rule, customers)| (rule, customers.unsigned_abs()))
                .collect(),
        })
    }

    /// Changes to tickets that are not made yet, the next to be tried first; at most `limit`.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn waiting_tickets(&mut self, limit: i64) -> Result<Vec<WaitingTicket>, StoreError> {
        if !self.knows_tickets().await? {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "SELECT id, coalesce(state, 'sent'), attempts,
                    strftime('%Y-%m-%dT%H:%M:%SZ', due_at / 1000, 'unixepoch'), error FROM ticket
             WHERE state IS NOT NULL OR pending IS NOT NULL ORDER BY due_at, id LIMIT ?1",
        )
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        let waiting = rows.iter().map(|row| WaitingTicket {
            id: row.get(0),
            state: row.get(1),
            attempts: u32::try_from(row.get::<i64, _>(2)).unwrap_or(u32::MAX),
            due_at: row.get(3),
            error: row.get(4),
        });
        Ok(waiting.collect())
    }

    async fn knows_tickets(&mut self) -> Result<bool, StoreError> {
        self.has_table("ticket").await
    }

    /// Tickets that rules have to do with: the one with this id, or those of this requester or
    /// company; at most `limit`.
    ///
    /// # Errors
    ///
    /// Where the database fails, or holds what we did not write.
    pub async fn tickets_of(
        &mut self,
        which: TicketsWanted<'_>,
        limit: i64,
    ) -> Result<Vec<TicketView>, StoreError> {
        if !self.knows_tickets().await? {
            return Ok(Vec::new());
        }
        let (column, id) = match which {
            TicketsWanted::Id(id) => ("id", id),
            TicketsWanted::Of(Kind::Contact, id) => ("requester", id),
            TicketsWanted::Of(Kind::Company, id) => ("company", id),
        };
        let sql = format!(
            "SELECT id, requester, company, presence, image, memory, coalesce(state, CASE WHEN pending IS NOT NULL THEN 'sent' END),
                    fought, strftime('%Y-%m-%dT%H:%M:%SZ', due_at / 1000, 'unixepoch'), error
             FROM ticket WHERE {column} = ?1 ORDER BY id LIMIT ?2"
        );
        // Nothing but one of three names of columns is put into the statement's text.
        let rows: Vec<TicketColumns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .bind(limit)
            .fetch_all(&mut self.connection)
            .await
            .map_err(self.damaged())?;
        rows.into_iter()
            .map(
                |(
                    id,
                    requester,
                    company,
                    presence,
                    image,
                    memory,
                    state,
                    fought,
                    due_at,
                    error,
                )| {
                    Ok(TicketView {
                        id,
                        requester,
                        company,
                        presence,
                        shows: serde_json::from_str(&image)?,
                        memory: serde_json::from_str(&memory)?,
                        state,
                        fought,
                        due_at,
                        error,
                    })
                },
            )
            .collect()
    }
}
