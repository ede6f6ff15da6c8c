//! How long the journal and the reports of cycles are kept.

use super::rows::stamp;
use super::{Store, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Connection as _;
use std::time::Duration;

/// Rows that are looked at in one transaction: a few milliseconds.
const STEP: i64 = 1_000;
/// Steps in one cycle, so that none takes long; the next one goes on.
const STEPS: usize = 50;
/// How often it is looked for what is too old.
const EVERY: TimeDelta = TimeDelta::days(1);

/// A table that grows with time: it is pruned from its oldest row on.
struct Ageing {
    /// `(last row, of them too old, rows)` of the step after row ?1.
    look: &'static str,
    /// Takes out what is too old, of the rows after ?1 up to ?2.
    prune: &'static str,
}

/// What waits for an answer needs its row, and the last row says how far the journal has come.
const JOURNAL: Ageing = Ageing {
    look: "SELECT max(id), count(*) FILTER (WHERE at < ?2), count(*)
           FROM (SELECT id, at FROM journal WHERE id > ?1 ORDER BY id LIMIT ?3)",
    prune: "DELETE FROM journal WHERE id > ?1 AND id <= ?2 AND at < ?3
            AND id < (SELECT max(id) FROM journal) AND id NOT IN (SELECT journal FROM outbox)
            AND id NOT IN (SELECT journal FROM ticket WHERE journal IS NOT NULL)
            AND id NOT IN (SELECT note_journal FROM ticket WHERE note_journal IS NOT NULL)",
};

const CYCLES: Ageing = Ageing {
    look: "SELECT max(id), count(*) FILTER (WHERE finished_at < ?2), count(*)
           FROM (SELECT id, finished_at FROM cycle WHERE id > ?1 ORDER BY id LIMIT ?3)",
    prune: "DELETE FROM cycle WHERE id > ?1 AND id <= ?2 AND finished_at < ?3
            AND id < (SELECT max(id) FROM cycle)",
};

impl Store {
    /// Takes out of the journal and of the reports what is older than `keep`, at most once a day and
    /// a part at a time. Returns how many rows that were.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn prune(&mut self, now: DateTime<Utc>, keep: Duration) -> Result<u64, StoreError> {
        let age = TimeDelta::from_std(keep).ok();
        let Some(cut) = age.and_then(|age| now.checked_sub_signed(age)) else {
            return Ok(0);
        };
        let last = self.meta("pruned_at").await?;
        let last = last.and_then(|text| DateTime::parse_from_rfc3339(&text).ok());
        // A clock that was set back does not stop it for ever.
        if last.is_some_and(|last| (now - last.to_utc()).abs() < EVERY) {
            return Ok(0);
        }
        let (journal, through) = self.prune_table(&JOURNAL, cut).await?;
        let (cycles, also) = self.prune_table(&CYCLES, cut).await?;
        if through && also {
            self.set_meta("pruned_at", &stamp(now)).await?;
        }
        Ok(journal + cycles)
    }

    /// Returns how many rows were taken out, and whether nothing too old is left.
    async fn prune_table(
        &mut self,
        table: &Ageing,
        cut: DateTime<Utc>,
    ) -> Result<(u64, bool), StoreError> {
        let (mut after, mut pruned) = (0_i64, 0);
        for _ in 0..STEPS {
            let (last, old, rows): (Option<i64>, i64, i64) = sqlx::query_as(table.look)
                .bind(after)
                .bind(stamp(cut))
                .bind(STEP)
                .fetch_one(&mut self.connection)
                .await?;
            let Some(last) = last.filter(|_| old > 0) else {
                return Ok((pruned, true));
            };
            let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
            for action in ["raise", "restore"] {
                // `status` counts over the state's whole life.
                sqlx::query(
                    "INSERT INTO meta (key, value) SELECT 'pruned_' || ?1, count(*) FROM journal
                       WHERE ?5 AND kind = 'ticket' AND outcome = 'done' AND action = ?1
                         AND id > ?2 AND id <= ?3 AND at < ?4 AND id < (SELECT max(id) FROM journal)
                     ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + CAST(excluded.value AS INTEGER)",
                )
                .bind(action)
                .bind(after)
                .bind(last)
                .bind(stamp(cut))
                .bind(table.prune == JOURNAL.prune)
                .execute(&mut *tx)
                .await?;
            }
            let gone = sqlx::query(table.prune)
                .bind(after)
                .bind(last)
                .bind(stamp(cut))
                .execute(&mut *tx)
                .await?;
            if table.prune == JOURNAL.prune {
                sqlx::query("UPDATE generation SET rows = rows - ?1")
                    .bind(i64::try_from(gone.rows_affected()).unwrap_or(0))
                    .execute(&mut *tx)
                    .await?;
            }
            tx.commit().await?;
            pruned += gone.rows_affected();
            after = last;
            if rows < STEP {
                return Ok((pruned, true));
            }
        }
        Ok((pruned, false))
    }
}
