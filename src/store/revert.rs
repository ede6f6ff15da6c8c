//! What carrying out a saved plan and taking back a run ask of the state.

use super::rows::{bulk, parse, side as side_of, stamp};
use super::work::{HalfRow, pair_row};
use super::{PairRow, Store, StoreError, TicketRow};
use crate::model::{Image, Kind, LinkId, RecordId, Side, Ticket};
use crate::plan::{FieldChange, PairState};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use serde::Deserialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::collections::{BTreeSet, HashMap};

/// Which rows of the journal are meant; nothing said means all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Which {
    /// Those of this run.
    pub run: Option<i64>,
    /// Those at this time or later.
    pub since: Option<DateTime<Utc>>,
}

/// Records by side, kind (or `ticket`) and id there.
pub type About = BTreeSet<(Side, &'static str, RecordId)>;

/// One write of the journal, as far as taking it back goes.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalRow {
    /// Its number.
    pub id: i64,
    /// The run that made it.
    pub run: i64,
    /// Where.
    pub side: Side,
    /// `company`, `contact` or `ticket`.
    pub kind: String,
    /// `create`, `update`, `delete`, `raise`, `restore` or `note`.
    pub action: String,
    /// The CRM's id.
    pub crm_id: Option<RecordId>,
    /// Freshdesk's id.
    pub desk_id: Option<RecordId>,
    /// The fields, each with what the server made of it where that is something else.
    pub fields: Vec<(FieldChange, Image)>,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Became {
    /// The journal's word.
    pub outcome: Option<String>,
    /// In the server's words.
    pub message: Option<String>,
    /// The CRM's id, by now.
    pub crm_id: Option<RecordId>,
    /// Freshdesk's id, by now.
    pub desk_id: Option<RecordId>,
}

#[derive(Deserialize)]
struct AsStored {
    #[serde(default)]
    stored: Image,
}

fn journal_row(row: &SqliteRow) -> Result<JournalRow, StoreError> {
    let text: &str = row.get(7);
    let changes: Vec<FieldChange> = serde_json::from_str(text)?;
    let stored: Vec<AsStored> = serde_json::from_str(text)?;
    let stored = stored.into_iter().map(|it| it.stored);
    Ok(JournalRow {
        id: row.get(0),
        run: row.get(1),
        side: side_of(row.get(2)),
        kind: row.get(3),
        action: row.get(4),
        crm_id: row.get::<Option<String>, _>(5).map(RecordId),
        desk_id: row.get::<Option<String>, _>(6).map(RecordId),
        fields: changes.into_iter().zip(stored).collect(),
    })
}

impl Store {
    /// The writes that were made, in order: those that were confirmed, and those of which the answer
    /// was lost. With `about`, only those about one of its records; and of all these, only those that `keep` says
    /// are to be kept: the others are in memory one at a time, however many the journal has.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn written(
        &mut self,
        which: Which,
        about: Option<&About>,
        mut keep: impl FnMut(&mut JournalRow) -> bool,
    ) -> Result<Vec<JournalRow>, StoreError> {
        let about: Option<Vec<_>> = about.map(|about| about.iter().collect());
        let about = about.as_deref().map(bulk).transpose()?;
        let mut rows = sqlx::query(
            "SELECT id, cycle, side, kind, action, crm_id, desk_id, fields FROM journal
             WHERE (?1 IS NULL OR cycle = ?1) AND (?2 IS NULL OR at >= ?2)
               AND (outcome IS NULL OR outcome IN ('done', 'looked_up', 'unknown'))
               AND (?3 IS NULL
                 OR ('crm', kind, crm_id) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?3))
                 OR ('freshdesk', kind, desk_id) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?3)))
             ORDER BY id",
        )
        .bind(which.run)
        .bind(which.since.map(stamp))
        .bind(about)
        .fetch(&mut self.connection);
        let mut kept = Vec::new();
        while let Some(row) = rows.try_next().await? {
            let mut row = journal_row(&row)?;
            if keep(&mut row) {
                kept.push(row);
            }
        }
        Ok(kept)
    }

    /// Whether a write about the record with this id was made after journal row `after`.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn written_since(
        &mut self,
        after: i64,
        side: Side,
        kind: Kind,
        id: &RecordId,
    ) -> Result<bool, StoreError> {
        let sql = match side {
            Side::Crm => {
                "SELECT EXISTS (SELECT 1 FROM journal WHERE crm_id = ?3 AND kind = ?2 AND id > ?1
                   AND (outcome IS NULL OR outcome IN ('done', 'looked_up', 'unknown')))"
            }
            Side::Desk => {
                "SELECT EXISTS (SELECT 1 FROM journal WHERE desk_id = ?3 AND kind = ?2 AND id > ?1
                   AND (outcome IS NULL OR outcome IN ('done', 'looked_up', 'unknown')))"
            }
        };
        Ok(sqlx::query_scalar(sql)
            .bind(after)
            .bind(kind.word())
            .bind(&id.0)
            .fetch_one(&mut self.connection)
            .await?)
    }

    /// The writes about this record after journal row `after`, in order: each one's row, its run, and the fields
    /// that it wrote on `side`.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn fields_since(
        &mut self,
        after: i64,
        side: Side,
        kind: Kind,
        id: &RecordId,
    ) -> Result<Vec<(i64, i64, String)>, StoreError> {
        let sql = match side {
            Side::Crm => {
                "SELECT j.id, j.cycle, f.value ->> 'field' FROM journal AS j, json_each(j.fields) AS f
                 WHERE j.crm_id = ?3 AND j.kind = ?2 AND j.id > ?1 AND j.side = 'crm'
                   AND (j.outcome IS NULL OR j.outcome IN ('done', 'looked_up', 'unknown')) ORDER BY j.id"
            }
            Side::Desk => {
                "SELECT j.id, j.cycle, f.value ->> 'field' FROM journal AS j, json_each(j.fields) AS f
                 WHERE j.desk_id = ?3 AND j.kind = ?2 AND j.id > ?1 AND j.side = 'freshdesk'
                   AND (j.outcome IS NULL OR j.outcome IN ('done', 'looked_up', 'unknown')) ORDER BY j.id"
            }
        };
        Ok(sqlx::query_as(sql)
            .bind(after)
            .bind(kind.word())
            .bind(&id.0)
            .fetch_all(&mut self.connection)
            .await?)
    }

    /// How many writes this run says it has made, and how many of them the journal has; `None` where nothing is
    /// known of the run, or the journal has them all.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn journal_lacks(&mut self, run: i64) -> Result<Option<(i64, i64)>, StoreError> {
        // An earlier version has not counted what it journalled: what it reported of records is known.
        let row: Option<(i64, i64)> = sqlx::query_as(
            "SELECT coalesce(journalled, coalesce(report ->> '$.created', 0) + coalesce(report ->> '$.updated', 0)
                      + coalesce(report ->> '$.deleted', 0) + coalesce(report ->> '$.summed_up', 0)),
                    (SELECT count(*) FROM journal AS j WHERE j.cycle = ?1
                       AND (c.journalled IS NOT NULL OR (j.kind <> 'ticket' AND j.outcome = 'done')))
             FROM cycle AS c WHERE id = ?1",
        )
        .bind(run)
        .fetch_optional(&mut self.connection)
        .await?;
        Ok(row.filter(|(made, known)| known < made))
    }

    /// The records of which this is a match key, such as an e-mail address.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn keyed(&mut self, key: &str) -> Result<Vec<(Side, Kind, RecordId)>, StoreError> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT DISTINCT r.side, r.kind, r.remote_id FROM match_key AS k JOIN record AS r ON r.id = k.record
             WHERE k.value = ?1",
        )
        .bind(key.trim().to_lowercase())
        .fetch_all(&mut self.connection)
        .await?;
        let read = |(side, kind, id): (String, String, String)| {
            let company = kind == Kind::Company.word();
            let kind = if company {
                Kind::Company
            } else {
                Kind::Contact
            };
            (side_of(&side), kind, RecordId(id))
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Whether writes that `which` means may have been in the journal and are not any more. Its rows
    /// are numbered without a gap, and the last one always stays.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn is_pruned(&mut self, which: Which) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT coalesce(NOT EXISTS (SELECT 1 FROM journal WHERE cycle = ?1)
                             AND (SELECT min(id) FROM journal WHERE cycle > ?1)
                                 - coalesce((SELECT max(id) FROM journal WHERE cycle < ?1), 0) > 1,
                             ?1 IS NULL AND (SELECT id > 1 AND at > ?2 FROM journal ORDER BY id LIMIT 1), 0)",
        )
        .bind(which.run)
        .bind(which.since.map(stamp))
        .fetch_one(&mut self.connection)
        .await?)
    }

    /// These linked pairs of `kind`, whether or not they have to be planned.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn pairs_of(
        &mut self,
        kind: Kind,
        links: &[LinkId],
    ) -> Result<HashMap<LinkId, PairRow>, StoreError> {
        let text: Option<String> = sqlx::query_scalar(
            "SELECT '[' || group_concat('[' || l.id
               || ',[' || c.id || ',' || json_quote(c.remote_id) || ',' || coalesce(c.edited, c.version) || ',\"' || c.presence || '\",' || c.image
               || ',' || coalesce(c.base, 'null') || ',' || json_quote(c.standing) || ',' || json_quote(c.because)
               || '],[' || d.id || ',' || json_quote(d.remote_id) || ',' || coalesce(d.edited, d.version) || ',\"' || d.presence || '\",' || d.image
               || ',' || coalesce(d.base, 'null') || ',' || json_quote(d.standing) || ',' || json_quote(d.because)
               || ']]') || ']'
             FROM json_each(?1) AS wanted CROSS JOIN link AS l ON l.id = wanted.value
             CROSS JOIN record AS c ON c.id = l.crm CROSS JOIN record AS d ON d.id = l.desk",
        )
        .bind(bulk(links)?)
        .fetch_one(&mut self.connection)
        .await?;
        let rows: Vec<(LinkId, HalfRow, HalfRow)> = parse(text)?;
        let mut pairs: Vec<PairRow> = rows
            .into_iter()
            .map(|(link, crm, desk)| pair_row(link, crm, desk))
            .collect();
        if kind == Kind::Contact {
            let states: Vec<&mut PairState> = pairs.iter_mut().map(|it| &mut it.state).collect();
            self.companies(states).await?;
        }
        Ok(pairs.into_iter().map(|it| (it.state.link, it)).collect())
    }

    /// Those of these records about which a write was sent whose outcome is not known.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn in_doubt(&mut self, rows: &[i64]) -> Result<Vec<i64>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT record FROM outbox WHERE state = 'sent' AND record IN (SELECT value FROM json_each(?1))",
        )
        .bind(bulk(rows)?)
        .fetch_all(&mut self.connection)
        .await?)
    }

    /// What became of the writes with these journal numbers.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn became(&mut self, journal: &[i64]) -> Result<HashMap<i64, Became>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, outcome, message, crm_id, desk_id FROM journal
             WHERE id IN (SELECT value FROM json_each(?1))",
        )
        .bind(bulk(journal)?)
        .fetch_all(&mut self.connection)
        .await?;
        let read = |row: &SqliteRow| {
            let became = Became {
                outcome: row.get(1),
                message: row.get(2),
                crm_id: row.get::<Option<String>, _>(3).map(RecordId),
                desk_id: row.get::<Option<String>, _>(4).map(RecordId),
            };
            (row.get(0), became)
        };
        Ok(rows.iter().map(read).collect())
    }

    /// What became of the last change that run `run` made to each of these tickets, and (`true`) of the
    /// last note that it posted there.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn became_of_tickets(
        &mut self,
        run: i64,
        ids: &[&RecordId],
    ) -> Result<HashMap<(RecordId, bool), Became>, StoreError> {
        type Row = (String, bool, Option<String>, Option<String>);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT desk_id, action = 'note', outcome, message FROM journal
             WHERE cycle = ?1 AND kind = 'ticket' AND desk_id IN (SELECT value FROM json_each(?2)) ORDER BY id",
        )
        .bind(run)
        .bind(bulk(ids)?)
        .fetch_all(&mut self.connection)
        .await?;
        let read = |(id, note, outcome, message): Row| {
            let became = Became {
                outcome,
                message,
                crm_id: None,
                desk_id: Some(RecordId(id.clone())),
            };
            ((RecordId(id), note), became)
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Remembers a ticket that was read, whoever's it is.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn remember_ticket(&mut self, ticket: &Ticket) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT OR IGNORE INTO ticket (id, requester, company, version, created_at, presence, image)
             VALUES (?1, ?2, ?3, ?4, ?5, 'live', ?6)",
        )
        .bind(&ticket.id.0)
        .bind(&ticket.requester.0)
        .bind(ticket.company.as_ref().map(|id| &id.0))
        .bind(ticket.version.0)
        .bind(ticket.created_at.timestamp_millis())
        .bind(serde_json::to_string(&ticket.image)?)
        .execute(&mut self.connection)
        .await?;
        self.take_tickets(&[(ticket.clone(), false)], None, &[])
            .await
    }

    /// These tickets as they are remembered; without those that were not looked at since a change was
    /// sent.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn tickets_of(
        &mut self,
        now: DateTime<Utc>,
        ids: &[&RecordId],
    ) -> Result<Vec<TicketRow>, StoreError> {
        let which = "t.id IN (SELECT value FROM json_each(?2)) AND ?1 IS NOT NULL
             AND t.presence = 'live' AND t.in_doubt = 0 ORDER BY t.id LIMIT ?3";
        self.tickets(which, now, &bulk(ids)?, i64::MAX).await
    }
}
