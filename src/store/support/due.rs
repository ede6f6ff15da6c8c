//! Customers whose summary has to be worked out, and what those that were worked out and wait come to.

use super::SupportFinish;
use crate::model::{Image, Kind, LinkId, Pair, RecordId};
use crate::plan::TicketsOf;
use crate::store::rows::bulk;
use crate::store::{Store, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::{AssertSqlSafe, SqliteConnection};

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
    /// What the CRM shows of them.
    pub shown: Image,
}

/// `(record, link, CRM's id, Freshdesk's id, tickets, what was written, image)`.
type DueRow = (i64, i64, String, String, String, Option<String>, String);

/// What a summary that was worked out comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Weighed {
    /// Whether fields get another value; 0 or 1.
    pub changes: u64,
    /// How many filled fields are emptied.
    pub empties: u64,
}

/// Which customers of those whose summary is due are meant.
#[derive(Debug, Clone, Copy)]
pub enum Waiting {
    /// Those whose summary was not worked out since it became due.
    New,
    /// These as well, and those that were worked out and have a field to change, or one to empty, where that is
    /// said.
    Or {
        /// Fields get another value.
        changes: bool,
        /// Filled fields are emptied.
        empties: bool,
    },
}

/// What joins a customer that is due with their records on both sides.
const JOINED: &str = "FROM support_due AS due
    JOIN record AS d ON d.side = 'freshdesk' AND d.kind = due.kind AND d.remote_id = due.desk
    JOIN link AS l ON l.id = d.link JOIN record AS c ON c.id = l.crm AND c.presence = 'live'";

impl Store {
    /// Up to `limit` customers of `kind` whose summary is due, by Freshdesk's id above `after` in the order of
    /// text.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn support_due(
        &mut self,
        kind: Kind,
        which: Waiting,
        now: DateTime<Utc>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<SupportRow>, StoreError> {
        let tickets = tickets_of(kind, "due.desk");
        let sql = format!(
            "SELECT c.id, l.id, c.remote_id, d.remote_id, ({tickets}), w.facts, c.image
             {JOINED} LEFT JOIN support_written AS w ON w.record = c.id
             WHERE due.kind = ?1 AND due.desk > ?3
               AND (due.changes IS NULL OR (?5 AND due.changes > 0) OR (?6 AND due.empties > 0))
             ORDER BY due.desk LIMIT ?4"
        );
        let (changes, empties) = match which {
            Waiting::New => (false, false),
            Waiting::Or { changes, empties } => (changes, empties),
        };
        // Nothing but one of two names of columns and words of ours is put into the statement's text.
        let rows: Vec<DueRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(kind.word())
            .bind(of_late(now))
            .bind(after)
            .bind(limit)
            .bind(changes)
            .bind(empties)
            .fetch_all(&mut self.connection)
            .await?;
        rows.into_iter()
            .map(|(row, link, crm, desk, tickets, written, shown)| {
                Ok(SupportRow {
                    row,
                    link: LinkId(link),
                    ids: Pair {
                        crm: RecordId(crm),
                        desk: RecordId(desk),
                    },
                    tickets: serde_json::from_str(&tickets)?,
                    written,
                    shown: serde_json::from_str(&shown)?,
                })
            })
            .collect()
    }

    /// How many customers of `kind` have a summary that is due, worked out or not; no more than `most` are
    /// counted.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn support_count(&mut self, kind: Kind, most: u64) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM (SELECT 1 {JOINED} WHERE due.kind = ?1 LIMIT ?2)");
        // Nothing but words of ours is in the statement's text.
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(kind.word())
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_one(&mut self.connection)
            .await?;
        Ok(count.unsigned_abs())
    }

    /// Writes down what summaries of `kind` come to that were worked out, by their customers' ids in Freshdesk.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn support_weighed(
        &mut self,
        kind: Kind,
        weighed: &[(&RecordId, Weighed)],
    ) -> Result<(), StoreError> {
        mark(&mut self.connection, kind, weighed).await
    }

    /// What all summaries of `kind` come to that were worked out and are not written yet.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn support_waiting(&mut self, kind: Kind) -> Result<Weighed, StoreError> {
        let sql = format!(
            "SELECT coalesce(sum(due.changes), 0), coalesce(sum(due.empties), 0) {JOINED} WHERE due.kind = ?1"
        );
        // Nothing but words of ours is in the statement's text.
        let (changes, empties): (i64, i64) = sqlx::query_as(AssertSqlSafe(sql))
            .bind(kind.word())
            .fetch_one(&mut self.connection)
            .await?;
        Ok(Weighed {
            changes: changes.unsigned_abs(),
            empties: empties.unsigned_abs(),
        })
    }

    /// All summaries that wait are worked out anew: another field may be meant by now.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn support_unweighed(&mut self) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE support_due SET changes = NULL, empties = NULL WHERE changes IS NOT NULL",
        )
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Everybody's summary is worked out again: what counts of late has aged.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn support_ages(&mut self) -> Result<(), StoreError> {
        for sql in [
            "INSERT OR REPLACE INTO support_due (kind, desk) SELECT DISTINCT 'contact', requester FROM support",
            "INSERT OR REPLACE INTO support_due (kind, desk)
             SELECT DISTINCT 'company', company FROM support WHERE company IS NOT NULL",
        ] {
            sqlx::query(sql).execute(&mut self.connection).await?;
        }
        Ok(())
    }

    /// Whether the fields of `kind` have not all been filled once.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn is_first_filling(&mut self, kind: Kind) -> Result<bool, StoreError> {
        Ok(self.meta(&filled(kind)).await?.is_none())
    }

    /// The first filling of the fields of `kind` has come to its end, if anything was written at all.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn first_filling_ends(&mut self, kind: Kind) -> Result<(), StoreError> {
        let any: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM support_written AS w JOIN record AS r ON r.id = w.record WHERE r.kind = ?1)",
        )
        .bind(kind.word())
        .fetch_one(&mut self.connection)
        .await?;
        if any {
            self.set_meta(&filled(kind), "all").await?;
        }
        Ok(())
    }
}

/// A query for the [`TicketsOf`] of the customer of `kind` whose id in Freshdesk is `whose`, an expression; what
/// counts of late begins at `?2`.
pub(in crate::store) fn tickets_of(kind: Kind, whose: &'static str) -> String {
    let theirs = match kind {
        Kind::Contact => "requester",
        Kind::Company => "company",
    };
    format!(
        "SELECT json_object('open', coalesce(sum(open), 0), 'last', max(created_at),
           'answers', json_group_array(answered_after) FILTER (WHERE answered_after >= 0 AND created_at >= ?2),
           'ratings', json_group_array(rating) FILTER (WHERE rating IS NOT NULL AND created_at >= ?2))
         FROM support WHERE {theirs} = {whose}"
    )
}

/// Since when first answers and ratings count, in milliseconds since 1970.
pub(in crate::store) fn of_late(now: DateTime<Utc>) -> i64 {
    (now - OF_LATE).timestamp_millis()
}

fn filled(kind: Kind) -> String {
    format!("summed_up_{kind}")
}

/// The customers of these tickets (`[[ticket, …]]`) have their summaries worked out.
pub(super) async fn due(tx: &mut SqliteConnection, tickets: &str) -> Result<(), StoreError> {
    for sql in [
        "INSERT OR REPLACE INTO support_due (kind, desk)
         SELECT 'contact', s.requester FROM json_each(?1) AS it JOIN support AS s ON s.ticket = it.value ->> 0",
        "INSERT OR REPLACE INTO support_due (kind, desk)
         SELECT 'company', s.company FROM json_each(?1) AS it JOIN support AS s ON s.ticket = it.value ->> 0
         WHERE s.company IS NOT NULL",
    ] {
        sqlx::query(sql).bind(tickets).execute(&mut *tx).await?;
    }
    Ok(())
}

/// What was gone through is due no longer, but for what of it waits still.
pub(super) async fn settle(
    tx: &mut SqliteConnection,
    kind: Kind,
    finished: &[SupportFinish],
) -> Result<(), StoreError> {
    let known: Vec<_> = finished
        .iter()
        .filter_map(|it| Some((it.row, it.written.as_ref()?)))
        .collect();
    sqlx::query(
        "INSERT OR REPLACE INTO support_written (record, facts)
         SELECT value ->> 0, value ->> 1 FROM json_each(?1)",
    )
    .bind(bulk(&known)?)
    .execute(&mut *tx)
    .await?;
    let settled = finished.iter().filter(|it| it.written.is_some());
    let (done, left): (Vec<_>, Vec<_>) = settled.partition(|it| it.left == Weighed::default());
    let done: Vec<&RecordId> = done.into_iter().map(|it| &it.desk).collect();
    sqlx::query(
        "DELETE FROM support_due WHERE (kind, desk) IN (SELECT ?2, value FROM json_each(?1))",
    )
    .bind(bulk(&done)?)
    .bind(kind.word())
    .execute(&mut *tx)
    .await?;
    let left: Vec<_> = left.into_iter().map(|it| (&it.desk, it.left)).collect();
    mark(tx, kind, &left).await
}

async fn mark(
    tx: &mut SqliteConnection,
    kind: Kind,
    weighed: &[(&RecordId, Weighed)],
) -> Result<(), StoreError> {
    if weighed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE support_due SET changes = news.value ->> '$[1].changes', empties = news.value ->> '$[1].empties'
         FROM json_each(?1) AS news WHERE kind = ?2 AND desk = news.value ->> 0",
    )
    .bind(bulk(weighed)?)
    .bind(kind.word())
    .execute(tx)
    .await?;
    Ok(())
}
