//! Writes whose outcome is not known, and writes that failed.

use super::rows::{bulk, side as side_of};
use super::{Store, StoreError};
use crate::model::{Kind, RecordId, Side};
use chrono::{DateTime, Utc};
use sqlx::{Connection as _, Row as _};
use std::collections::HashMap;

/// A write that failed before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outboxed {
    /// What was to be written.
    pub effect: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Not before.
    pub due: bool,
    /// Whether no answer told what became of it, and it had to be looked up.
    pub doubted: bool,
}

/// A write that was sent and whose outcome is not known.
#[derive(Debug, Clone)]
pub struct SentRow {
    /// The record written, or, for a create, the one that was to get a counterpart.
    pub row: i64,
    /// `create`, `update` or `delete`.
    pub action: String,
    /// Where.
    pub side: Side,
    /// Of which kind.
    pub kind: Kind,
    /// What was written.
    pub effect: String,
    /// Its journal row.
    pub journal: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was sent.
    pub since: DateTime<Utc>,
    /// When, by the server's clock, what it may have made was first looked for in vain, in milliseconds.
    pub looked: Option<i64>,
    /// The record's id on its own side.
    pub id: RecordId,
}

impl Store {
    /// How many writes were sent of which nobody knows yet whether they were made.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn doubtful_writes(&mut self) -> Result<u64, StoreError> {
        let many: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox WHERE state = 'sent'")
            .fetch_one(&mut self.connection)
            .await?;
        Ok(many.unsigned_abs())
    }

    /// Marks what is due again: writes that failed and whose pause is over. A clock that was set back ends it.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn wake(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        for sql in [
            // What is not there any more needs no counterpart.
            "DELETE FROM outbox WHERE state <> 'sent' AND action = 'create' AND EXISTS (
               SELECT 1 FROM record AS r WHERE r.id = outbox.record AND r.presence <> 'live')",
            // What is not there any more, nor linked, is changed or deleted by nobody.
            "DELETE FROM outbox WHERE state <> 'sent' AND action IN ('update', 'delete') AND EXISTS (
               SELECT 1 FROM record AS r WHERE r.id = outbox.record AND r.presence <> 'live' AND r.link IS NULL)",
            "DELETE FROM hold WHERE class = 'duplicate' AND EXISTS (
               SELECT 1 FROM record AS r WHERE r.id = hold.record AND r.presence <> 'live')",
        ] {
            sqlx::query(sql).execute(&mut self.connection).await?;
        }
        sqlx::query(
            "UPDATE record SET dirty = 1 WHERE id IN (
               SELECT record FROM outbox WHERE (due_at <= ?1 OR since > ?1) AND state <> 'sent')",
        )
        .bind(super::rows::stamp(now))
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// The failed writes about these records, by record and action.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn failed(
        &mut self,
        records: &[i64],
        now: DateTime<Utc>,
    ) -> Result<HashMap<(i64, String), Outboxed>, StoreError> {
        let rows: Vec<(i64, String, String, i64, bool, bool)> = sqlx::query_as(
            "SELECT o.record, o.action, j.fields, o.attempts, o.due_at <= ?2 OR o.since > ?2, j.outcome IS 'looked_up'
             FROM outbox AS o JOIN journal AS j ON j.id = o.journal WHERE o.record IN (SELECT value FROM json_each(?1))",
        )
        .bind(bulk(records)?)
        .bind(super::rows::stamp(now))
        .fetch_all(&mut self.connection)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(record, action, effect, attempts, due, doubted)| {
                let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
                (
                    (record, action),
                    Outboxed {
                        effect,
                        attempts,
                        due,
                        doubted,
                    },
                )
            })
            .collect())
    }

    /// Whether a counterpart of this record was being made, and nobody knows yet what became of that.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn is_create_in_doubt(&mut self, row: i64) -> Result<bool, StoreError> {
        let found = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE record = ?1 AND action = 'create' AND state = 'sent')",
        );
        Ok(found.bind(row).fetch_one(&mut self.connection).await?)
    }

    /// Names in the journal what a create has made whose answer was lost, where that was found and
    /// linked since.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn name_found(&mut self, sent: &SentRow) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE journal SET link = l.id, crm_id = c.remote_id, desk_id = d.remote_id
             FROM record AS r JOIN link AS l ON l.id = r.link AND l.found LIKE 'created in %'
             JOIN record AS c ON c.id = l.crm JOIN record AS d ON d.id = l.desk
             WHERE journal.id = ?1 AND journal.action = 'create' AND r.id = ?2",
        )
        .bind(sent.journal)
        .bind(sent.row)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Remembers that what a write may have made was looked for in vain at this time by the server's
    /// clock, in milliseconds.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn looked(&mut self, sent: &SentRow, at: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE outbox SET looked = ?3 WHERE record = ?1 AND action = ?2")
            .bind(sent.row)
            .bind(&sent.action)
            .bind(at)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Takes note that it was found out what a write without an answer did; its record is planned again.
    /// Where that wants just the same once more, the write was not made: until then it is kept like any
    /// other that failed, with its tries and its pause, and planning forgets it where it is not wanted.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn looked_up(&mut self, sent: &SentRow) -> Result<(), StoreError> {
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE journal SET outcome = 'looked_up' WHERE id = ?1")
            .bind(sent.journal)
            .execute(&mut *tx)
            .await?;
        for sql in [
            // Who has a counterpart by now needs none, and only who has one is changed or deleted.
            "DELETE FROM outbox WHERE record = ?1 AND action = ?2 AND NOT EXISTS (
               SELECT 1 FROM record AS r WHERE r.id = outbox.record AND r.presence = 'live'
                 AND (r.link IS NULL) = (outbox.action = 'create'))",
            "UPDATE outbox SET state = 'failed',
               error = 'no answer, and it was not made' || coalesce(': ' || error, '')
             WHERE record = ?1 AND action = ?2",
            "UPDATE record SET dirty = 1 WHERE id = ?1 AND ?2 IS NOT NULL",
        ] {
            let query = sqlx::query(sql).bind(sent.row).bind(&sent.action);
            query.execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Writes that were sent and whose outcome is not known: after a crash, or when no answer came.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn sent(&mut self, limit: i64) -> Result<Vec<SentRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT o.record, o.action, o.side, o.kind, j.fields, o.journal, o.attempts, o.since, o.looked, r.remote_id
             FROM outbox AS o JOIN record AS r ON r.id = o.record JOIN journal AS j ON j.id = o.journal WHERE o.state = 'sent'
             ORDER BY o.kind, o.record LIMIT ?1",
        )
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        Ok(rows
            .iter()
            .map(|row| SentRow {
                row: row.get(0),
                action: row.get(1),
                side: side_of(row.get(2)),
                kind: if row.get::<&str, _>(3) == Kind::Company.word() {
                    Kind::Company
                } else {
                    Kind::Contact
                },
                effect: row.get(4),
                journal: row.get(5),
                attempts: u32::try_from(row.get::<i64, _>(6)).unwrap_or(u32::MAX),
                since: DateTime::parse_from_rfc3339(row.get(7))
                    .map(|time| time.with_timezone(&Utc))
                    .unwrap_or_default(),
                looked: row.get(8),
                id: RecordId(row.get(9)),
            })
            .collect())
    }
}
