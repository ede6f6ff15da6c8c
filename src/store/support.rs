//! What the tickets of each customer come to, and what of that was written into the CRM.

use super::rows::{bulk, stamp};
use super::{Store, StoreError, generation};
use crate::model::{Kind, LinkId, Pair, Presence, RecordId, Ticket};
use crate::plan::{FieldChange, TicketsOf};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

/// How far back first answers and ratings count.
const OF_LATE: TimeDelta = TimeDelta::days(90);

/// A customer whose summary has to be worked out.
#[derive(Debug, Clone)]
pub struct SupportRow {
    /// Their record in the CRM.
    pub row: i64,
    /// The link.
    pub link: LinkId,
    /// Their ids.
    pub ids: Pair<RecordId>,
    /// Their tickets.
    pub tickets: TicketsOf,
    /// What was written before, as JSON.
    pub written: Option<String>,
}

/// `(record, link, CRM's id, Freshdesk's id, tickets, what was written)`.
type DueRow = (i64, i64, String, String, String, Option<String>);

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
    /// What stands there now, as JSON; `None` where it has to be tried again.
    pub written: Option<String>,
    /// The word for the journal.
    pub outcome: &'static str,
    /// The server's name for the call.
    pub request_id: Option<String>,
    /// In the server's words.
    pub message: Option<String>,
}

impl Store {
    /// Takes note of whether tickets are summed up. Where that begins, all are read once.
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
                "DELETE FROM support_written",
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

    /// Up to `limit` customers of `kind` whose summary has to be worked out, by Freshdesk's id above
    /// `after` in the order of text.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn support_due(
        &mut self,
        kind: Kind,
        now: DateTime<Utc>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<SupportRow>, StoreError> {
        let theirs = match kind {
            Kind::Contact => "requester",
            Kind::Company => "company",
        };
        let sql = format!(
            "SELECT c.id, l.id, c.remote_id, d.remote_id,
               (SELECT json_object('open', coalesce(sum(open), 0), 'last', max(created_at),
                  'answers', json_group_array(answered_after) FILTER (WHERE answered_after >= 0 AND created_at >= ?2),
                  'ratings', json_group_array(rating) FILTER (WHERE rating IS NOT NULL AND created_at >= ?2))
                FROM support WHERE {theirs} = due.desk), w.facts
             FROM support_due AS due
             JOIN record AS d ON d.side = 'freshdesk' AND d.kind = due.kind AND d.remote_id = due.desk
             JOIN link AS l ON l.id = d.link JOIN record AS c ON c.id = l.crm AND c.presence = 'live'
             LEFT JOIN support_written AS w ON w.record = c.id
             WHERE due.kind = ?1 AND due.desk > ?3 ORDER BY due.desk LIMIT ?4"
        );
        // Nothing but one of two names of columns is put into the statement's text.
        let rows: Vec<DueRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(kind.word())
            .bind((now - OF_LATE).timestamp_millis())
            .bind(after)
            .bind(limit)
            .fetch_all(&mut self.connection)
            .await?;
        rows.into_iter()
            .map(|(row, link, crm, desk, tickets, written)| {
                Ok(SupportRow {
                    row,
                    link: LinkId(link),
                    ids: Pair {
                        crm: RecordId(crm),
                        desk: RecordId(desk),
                    },
                    tickets: serde_json::from_str(&tickets)?,
                    written,
                })
            })
            .collect()
    }

    /// Everybody's summary is worked out again: what counts of late has aged.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn support_ages(&mut self) -> Result<(), StoreError> {
        for sql in [
            "INSERT OR IGNORE INTO support_due SELECT DISTINCT 'contact', requester FROM support",
            "INSERT OR IGNORE INTO support_due SELECT DISTINCT 'company', company FROM support WHERE company IS NOT NULL",
        ] {
            sqlx::query(sql).execute(&mut self.connection).await?;
        }
        Ok(())
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

    /// Writes down what became of summaries.
    ///
    /// # Errors
    ///
    /// Where the database fails; then they are worked out and sent again.
    pub async fn finish_support(
        &mut self,
        kind: Kind,
        finished: &[SupportFinish],
    ) -> Result<(), StoreError> {
        let journal: Vec<_> = finished
            .iter()
            .filter_map(|it| Some((it.journal?, it.outcome, &it.request_id, &it.message)))
            .collect();
        let known: Vec<_> = finished
            .iter()
            .filter_map(|it| Some((it.row, it.written.as_ref()?, &it.desk)))
            .collect();
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "UPDATE journal SET outcome = news.value ->> 1, request_id = news.value ->> 2, message = news.value ->> 3
             FROM json_each(?1) AS news WHERE journal.id = news.value ->> 0",
        )
        .bind(bulk(&journal)?)
        .execute(&mut *tx)
        .await?;
        let known = bulk(&known)?;
        sqlx::query(
            "INSERT OR REPLACE INTO support_written (record, facts)
             SELECT value ->> 0, value ->> 1 FROM json_each(?1)",
        )
        .bind(&known)
        .execute(&mut *tx)
        .await?;
        // The customer's record is a later one by that, and nobody's edit.
        sqlx::query(
            "UPDATE record SET edited = coalesce(edited, version)
             WHERE id IN (SELECT value ->> 0 FROM json_each(?1))",
        )
        .bind(&known)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "DELETE FROM support_due WHERE (kind, desk) IN (SELECT ?2, value ->> 2 FROM json_each(?1))",
        )
        .bind(&known)
        .bind(kind.word())
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

/// The customers of these tickets (`[[ticket, …]]`) have their summaries worked out.
async fn due(tx: &mut SqliteConnection, tickets: &str) -> Result<(), StoreError> {
    for sql in [
        "INSERT OR IGNORE INTO support_due (kind, desk)
         SELECT 'contact', s.requester FROM json_each(?1) AS it JOIN support AS s ON s.ticket = it.value ->> 0",
        "INSERT OR IGNORE INTO support_due (kind, desk)
         SELECT 'company', s.company FROM json_each(?1) AS it JOIN support AS s ON s.ticket = it.value ->> 0
         WHERE s.company IS NOT NULL",
    ] {
        sqlx::query(sql).bind(tickets).execute(&mut *tx).await?;
    }
    Ok(())
}
