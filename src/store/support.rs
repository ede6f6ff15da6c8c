//! What the tickets of each customer come to is worked out from, and what of that was written into the CRM.

mod due;

pub use due::{SupportRow, Waiting, Weighed};
pub(in crate::store) use due::{of_late, tickets_of};

use super::rows::{bulk, image_text, stamp};
use super::{Store, StoreError, generation, guard};
use crate::model::{Image, Kind, LinkId, Pair, Presence, RecordId, Ticket};
use crate::plan::{Counts, FieldChange};
use chrono::{DateTime, Utc};
use due::{due, settle};
use sqlx::{Connection as _, SqliteConnection};

/// A summary that is about to be written.
#[derive(Debug, Clone)]
pub struct SupportIntent {
    /// Its number in the journal.
    pub journal: i64,
    /// The link.
    pub link: LinkId,
    /// The customer's ids.
    pub ids: Pair<RecordId>,
    /// What changes.
    pub fields: Vec<FieldChange>,
}

/// What became of a summary.
#[derive(Debug, Clone)]
pub struct SupportFinish {
    /// Its number in the journal; none where nothing had to be written.
    pub journal: Option<i64>,
    /// The customer's record in the CRM.
    pub row: i64,
    /// Their id in Freshdesk.
    pub desk: RecordId,
    /// What is not to be written again, as JSON; `None` where all of it has to be tried again.
    pub written: Option<String>,
    /// What of it waits still.
    pub left: Weighed,
    /// What their record shows by now, where it was written.
    pub stored: Option<StoredSummary>,
    /// The fields for the journal, where the server made something else of them than was sent.
    pub fields: Option<String>,
    /// The word for the journal.
    pub outcome: &'static str,
    /// The server's name for the call.
    pub request_id: Option<String>,
    /// In the server's words.
    pub message: Option<String>,
}

/// What a summary was written into.
#[derive(Debug, Clone)]
pub struct StoredSummary {
    /// The record as it is now.
    pub image: Image,
    /// Whether a mapping carries one of the fields on to Freshdesk, so that the pair is planned again.
    pub mapped: bool,
}

impl Store {
    /// Takes note of whether tickets are summed up. Where that begins, all are read once. What was written stays
    /// known where it ends: a person may have taken it back, or made something else of it.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn sums_up(&mut self, wanted: bool) -> Result<(), StoreError> {
        let known: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'support')")
                .fetch_one(&mut self.connection)
                .await?;
        if known == wanted {
            return Ok(());
        }
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let statements: &[&'static str] = if wanted {
            &[
                "INSERT INTO meta (key, value) VALUES ('support', 'on')",
                "DELETE FROM pass WHERE kind = 'ticket' AND feed IN ('support', 'trash')",
            ]
        } else {
            &[
                "DELETE FROM meta WHERE key = 'support'",
                "DELETE FROM support",
                "DELETE FROM support_due",
                "DELETE FROM hold WHERE record IS NULL AND class IN ('summary', 'summary_clear')",
            ]
        };
        for statement in statements {
            sqlx::query(*statement).execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Takes in tickets as far as summaries need them.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn take_support(&mut self, tickets: &[Ticket]) -> Result<(), StoreError> {
        if tickets.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = tickets
            .iter()
            .map(|it| {
                let answered = it.first_answered_at;
                let after = answered.map(|time| (time - it.created_at).num_seconds());
                let live = it.presence == Presence::Live;
                let open = i64::from(live && !it.image.is_done_with());
                let at = it.created_at.timestamp_millis();
                (&it.id, &it.requester, &it.company, open, at, after)
            })
            .collect();
        let rows = bulk(&rows)?;
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        // Whose summary changes: those who had the ticket before, and those who have it now.
        due(&mut tx, &rows).await?;
        sqlx::query(
            "INSERT INTO support (ticket, requester, company, open, created_at, answered_after)
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
             FROM json_each(?1) WHERE true
             ON CONFLICT (ticket) DO UPDATE SET requester = excluded.requester, company = excluded.company,
               open = excluded.open, answered_after = coalesce(excluded.answered_after, answered_after)",
        )
        .bind(&rows)
        .execute(&mut *tx)
        .await?;
        due(&mut tx, &rows).await?;
        Ok(tx.commit().await?)
    }

    /// Takes in ratings: `(ticket, rating)`, the latest last.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn take_ratings(&mut self, ratings: &[(RecordId, i64)]) -> Result<(), StoreError> {
        if ratings.is_empty() {
            return Ok(());
        }
        let rows = bulk(ratings)?;
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "UPDATE support SET rating = news.value ->> 1 FROM json_each(?1) AS news WHERE ticket = news.value ->> 0",
        )
        .bind(&rows)
        .execute(&mut *tx)
        .await?;
        due(&mut tx, &rows).await?;
        Ok(tx.commit().await?)
    }

    /// Writes down summaries that are about to be sent.
    ///
    /// # Errors
    ///
    /// Where the database fails; then nothing may be sent.
    pub async fn intend_support(
        &mut self,
        cycle: i64,
        now: DateTime<Utc>,
        kind: Kind,
        intents: &[SupportIntent],
    ) -> Result<(), StoreError> {
        let mut rows = Vec::with_capacity(intents.len());
        for it in intents {
            let fields = serde_json::to_string(&it.fields)?;
            rows.push((it.journal, it.link, &it.ids.crm, &it.ids.desk, fields));
        }
        self.durable(true).await?;
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        // What was under way when a process died is told by this write, not by looking.
        sqlx::query(
            "UPDATE journal SET outcome = 'unknown' WHERE outcome IS NULL
               AND link IN (SELECT value ->> 1 FROM json_each(?1)) AND id NOT IN (SELECT journal FROM outbox)",
        )
        .bind(bulk(&rows)?)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO journal (id, cycle, at, side, kind, action, link, crm_id, desk_id, fields)
             SELECT value ->> 0, ?2, ?3, 'crm', ?4, 'update', value ->> 1, value ->> 2, value ->> 3, value ->> 4
             FROM json_each(?1)",
        )
        .bind(bulk(&rows)?)
        .bind(cycle)
        .bind(stamp(now))
        .bind(kind.word())
        .execute(&mut *tx)
        .await?;
        let grown = generation::advance(&mut tx).await?;
        tx.commit().await?;
        self.durable(false).await?;
        self.generation.keep(grown)?;
        Ok(())
    }

    /// Writes down what became of summaries, and counts those that were written and nobody had approved.
    ///
    /// # Errors
    ///
    /// Where the database fails; then they are worked out and sent again.
    pub async fn finish_support(
        &mut self,
        kind: Kind,
        finished: &[SupportFinish],
        counted: &Counts,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if finished.is_empty() {
            return Ok(());
        }
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        close_journal(&mut tx, finished).await?;
        close_interrupted(&mut tx, finished).await?;
        let written = show(&mut tx, finished).await?;
        if self.judged.contains(&kind) {
            super::standings::unjudge(&mut tx, &written).await?;
        }
        settle(&mut tx, kind, finished).await?;
        guard::count(&mut tx, kind.word(), counted, now).await?;
        Ok(tx.commit().await?)
    }

    /// What is taken back of a summary counts as written until it changes: of each record the fields, with what
    /// its tickets come to.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn count_as_written(&mut self, records: &[(i64, Image)]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO support_written (record, facts)
             SELECT value ->> 0, value -> 1 FROM json_each(?1) WHERE true
             ON CONFLICT (record) DO UPDATE SET facts = json_patch(facts, excluded.facts)",
        )
        .bind(bulk(records)?)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }
}

async fn close_journal(
    tx: &mut SqliteConnection,
    finished: &[SupportFinish],
) -> Result<(), StoreError> {
    let journal: Vec<_> = finished
        .iter()
        .filter_map(|it| {
            Some((
                it.journal?,
                it.outcome,
                &it.request_id,
                &it.message,
                &it.fields,
            ))
        })
        .collect();
    sqlx::query(
        "UPDATE journal SET outcome = news.value ->> 1, request_id = news.value ->> 2, message = news.value ->> 3,
           fields = coalesce(news.value ->> 4, fields)
         FROM json_each(?1) AS news WHERE journal.id = news.value ->> 0",
    )
    .bind(bulk(&journal)?)
    .execute(tx)
    .await?;
    Ok(())
}

/// What was under way when a process died, where nothing is left to be sent: it was written if it stands there, and
/// else nobody knows.
async fn close_interrupted(
    tx: &mut SqliteConnection,
    finished: &[SupportFinish],
) -> Result<(), StoreError> {
    let settled = finished.iter().filter(|it| it.journal.is_none());
    let rows: Vec<i64> = settled.map(|it| it.row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE journal SET outcome = CASE WHEN EXISTS (
             SELECT 1 FROM json_each(journal.fields) AS change, json_each(change.value, '$.set') AS sent
             WHERE NOT EXISTS (SELECT 1 FROM json_each(r.image) AS shown
               WHERE shown.key = sent.key AND shown.value IS sent.value))
           THEN 'unknown' ELSE 'done' END
         FROM json_each(?1) AS it CROSS JOIN record AS r ON r.id = it.value
         WHERE journal.link = r.link AND journal.outcome IS NULL
           AND journal.id NOT IN (SELECT journal FROM outbox)",
    )
    .bind(bulk(&rows)?)
    .execute(tx)
    .await?;
    Ok(())
}

/// Remembers what the records show that were written: the next summary replaces that, whether or not it was
/// read by then. Returns them.
async fn show(
    tx: &mut SqliteConnection,
    finished: &[SupportFinish],
) -> Result<Vec<i64>, StoreError> {
    let mut shown = Vec::new();
    for it in finished {
        if let Some(stored) = &it.stored {
            shown.push((it.row, image_text(&stored.image)?, stored.mapped));
        }
    }
    sqlx::query(
        "UPDATE record SET image = news.value ->> 1, edited = coalesce(edited, version), dirty = dirty OR news.value ->> 2,
           base = CASE WHEN news.value ->> 2 AND base IS NULL THEN image ELSE base END
         FROM json_each(?1) AS news WHERE record.id = news.value ->> 0",
    )
    .bind(bulk(&shown)?)
    .execute(tx)
    .await?;
    Ok(shown.into_iter().map(|(row, ..)| row).collect())
}
