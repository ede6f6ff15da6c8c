//! Changes to tickets of which nobody knows yet whether they were made, and the bulk jobs that make them.

use super::rows::bulk;
use super::{Store, StoreError};
use crate::model::{RecordId, Ticket};
use chrono::{DateTime, Utc};

/// A bulk job whose tickets wait for its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketJob {
    /// The server's name for it; [`TicketJob::NAMELESS`] where its answer was lost.
    pub name: String,
    /// When it was asked for.
    pub since: DateTime<Utc>,
}

impl TicketJob {
    /// What jobs are called of which the answer was lost.
    pub const NAMELESS: &str = "?";
}

impl Store {
    /// Up to `limit` live tickets that were not looked at since a change was sent to them, those of
    /// jobs aside, with ids above `after` in the order of text.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn tickets_in_doubt(
        &mut self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Ticket>, StoreError> {
        let which = "t.in_doubt = 1 AND t.job IS NULL AND t.presence = 'live' AND ?1 <= t.version AND t.id > ?2
             ORDER BY t.id LIMIT ?3";
        let rows = self
            .tickets(which, DateTime::UNIX_EPOCH, after, limit)
            .await?;
        Ok(rows.into_iter().map(|row| row.ticket).collect())
    }

    /// These tickets are changed by this job.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn tickets_in_job(&mut self, ids: &[RecordId], job: &str) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE ticket SET job = ?2 WHERE pending IS NOT NULL AND id IN (SELECT value FROM json_each(?1))",
        )
        .bind(bulk(ids)?)
        .bind(job)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// When what stands in this row of the journal was sent.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn sent_at(&mut self, journal: i64) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at: Option<String> = sqlx::query_scalar("SELECT at FROM journal WHERE id = ?1")
            .bind(journal)
            .fetch_optional(&mut self.connection)
            .await?;
        Ok(at.and_then(|at| at.parse().ok()))
    }

    /// The jobs whose tickets still wait for their end.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn ticket_jobs(&mut self) -> Result<Vec<TicketJob>, StoreError> {
        let rows: Vec<(String, Option<String>)> = sqlx::query_as(
            "SELECT t.job, min(j.at) FROM ticket AS t LEFT JOIN journal AS j ON j.id = t.journal
             WHERE t.in_doubt = 1 AND t.job IS NOT NULL GROUP BY t.job ORDER BY t.job",
        )
        .fetch_all(&mut self.connection)
        .await?;
        let job = |(name, at): (String, Option<String>)| TicketJob {
            name,
            since: at.and_then(|at| at.parse().ok()).unwrap_or_default(),
        };
        Ok(rows.into_iter().map(job).collect())
    }

    /// These jobs have ended, and all that changed since was read: tickets that do not show the change
    /// were passed by. All of them are planned again, and until then somebody may edit one.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn ticket_jobs_ended(&mut self, jobs: &[String]) -> Result<(), StoreError> {
        if jobs.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "UPDATE ticket SET job = NULL, in_doubt = 0, dirty = 1,
               pending = CASE WHEN presence = 'live'
                                   AND NOT EXISTS (SELECT 1 FROM json_each(pending, '$.change') AS asked WHERE
                                     image ->> asked.key IS NOT pending -> '$.before' ->> asked.key)
                              THEN json_set(pending, '$.passed_by', json('true')) ELSE pending END
             WHERE in_doubt = 1 AND job IN (SELECT value FROM json_each(?1))",
        )
        .bind(bulk(jobs)?)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }
}
