//! What `status`, `holds` and `plan` show: read beside a running daemon, never written.

mod certificate;
mod explain;
mod journal;
mod past;
mod planned;
mod spent;
mod summary;
mod tickets;
mod unread;
mod waits;

pub use explain::{LinkOrigin, RecordView, Story, Wanted};
pub use journal::{JournalView, LinkView};
pub use past::Past;
pub use spent::ByEndpoint;
pub use summary::SummaryView;
pub use tickets::{TicketCounts, TicketView, TicketsWanted, WaitingTicket};
pub use unread::UnreadView;
pub use waits::StandingView;

use super::{StoreError, connect, damage};
use crate::model::{Kind, Pair, Side};
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A reader of a state that somebody else may be writing.
#[derive(Debug)]
pub struct Report {
    pub(super) connection: SqliteConnection,
    path: PathBuf,
}

/// Counts of one kind of record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RecordCounts {
    /// Pairs.
    pub linked: u64,
    /// Fields and deletions that wait for a person.
    pub held: u64,
    /// Writes that failed or were refused and wait for their next try.
    pub failed: u64,
    /// Records that share a key with another and are left alone.
    pub shadowed: u64,
}

/// Something that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldView {
    /// Its number.
    pub id: i64,
    /// Since when.
    pub since: String,
    /// Of which kind of record.
    pub kind: String,
    /// Of a record: `conflict`, `delete`, `duplicate` or `flap`. Of a kind: `create`, `update`, `clear`,
    /// `delete`, `ticket`, `listing`, `summary` or `summary_clear`.
    pub class: String,
    /// How many changes it stands for.
    pub count: u64,
    /// In words.
    pub reason: String,
    /// The side concerned.
    pub side: Option<String>,
    /// The CRM's id.
    pub crm_id: Option<String>,
    /// Freshdesk's id.
    pub freshdesk_id: Option<String>,
    /// The fields and what each side shows.
    pub fields: serde_json::Value,
    /// Whether approving it is something that we can carry out.
    #[serde(skip)]
    pub approvable: bool,
}

impl HoldView {
    /// Whether it is over a whole class of changes, not over one record.
    #[must_use]
    pub const fn is_of_many(&self) -> bool {
        self.crm_id.is_none() && self.freshdesk_id.is_none()
    }
}

/// A write that is not done yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parked {
    /// Of which kind of record.
    pub kind: String,
    /// `create`, `update` or `delete`.
    pub action: String,
    /// Where it was to be written.
    pub side: String,
    /// The record it is about: for a create the one that has no counterpart yet.
    pub id: String,
    /// `sent` (the outcome is not known), `failed` or `refused`.
    pub state: String,
    /// Since when.
    pub since: String,
    /// The next try.
    pub due_at: String,
    /// In the server's words.
    pub error: Option<String>,
}

impl Report {
    /// Opens the state at `path` for reading.
    ///
    /// # Errors
    ///
    /// [`StoreError::Absent`] where there is none, [`StoreError::Damaged`] where it is no database.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::absent(path));
        }
        let mut connection = connect(path, true).await?;
        let ours: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta')",
        )
        .fetch_one(&mut connection)
        .await
        .map_err(|error| damage(path, error))?;
        if !ours {
            return Err(StoreError::Damaged {
                path: path.to_owned(),
                detail: "it is empty, or another program's database".to_owned(),
            });
        }
        Ok(Self {
            connection,
            path: path.to_owned(),
        })
    }

    pub(super) fn damaged(&self) -> impl Fn(sqlx::Error) -> StoreError + use<> {
        let path = self.path.clone();
        move |error| damage(&path, error)
    }

    /// The accounts that the state belongs to.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn accounts(&mut self) -> Result<Pair<Option<String>>, StoreError> {
        let rows: BTreeMap<String, String> =
            sqlx::query_as("SELECT key, value FROM meta WHERE key LIKE 'account.%'")
                .fetch_all(&mut self.connection)
                .await
                .map_err(self.damaged())?
                .into_iter()
                .collect();
        let of = |side: Side| rows.get(&format!("account.{side}")).cloned();
        Ok(Pair {
            crm: of(Side::Crm),
            desk: of(Side::Desk),
        })
    }

    /// The report of the last cycle, as it was written.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn last_cycle(&mut self) -> Result<Option<serde_json::Value>, StoreError> {
        let text: Option<String> =
            sqlx::query_scalar("SELECT value FROM meta WHERE key = 'last_cycle'")
                .fetch_optional(&mut self.connection)
                .await
                .map_err(self.damaged())?;
        Ok(text.as_deref().map(serde_json::from_str).transpose()?)
    }

    /// The counts of one kind.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn counts(&mut self, kind: Kind) -> Result<RecordCounts, StoreError> {
        let row: (i64, i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM link WHERE kind = ?1),
                    (SELECT count(*) FROM hold WHERE kind = ?1 AND answer IS NULL),
                    (SELECT count(*) FROM outbox WHERE kind = ?1),
                    (SELECT count(*) FROM record WHERE kind = ?1 AND standing = 'shadowed' AND presence = 'live')",
        )
        .bind(kind.word())
        .fetch_one(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        Ok(RecordCounts {
            linked: row.0.unsigned_abs(),
            held: row.1.unsigned_abs(),
            failed: row.2.unsigned_abs(),
            shadowed: row.3.unsigned_abs(),
        })
    }

    /// How many records of `kind` there are on each side.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn live(&mut self, kind: Kind) -> Result<Pair<u64>, StoreError> {
        let (crm, desk): (i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE side = 'crm'), count(*) FILTER (WHERE side = 'freshdesk')
             FROM record WHERE kind = ?1 AND presence = 'live'",
        )
        .bind(kind.word())
        .fetch_one(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        Ok(Pair {
            crm: crm.unsigned_abs(),
            desk: desk.unsigned_abs(),
        })
    }

    /// When the last complete pass of each changes feed began, in milliseconds by the server's clock.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn marks(&mut self) -> Result<Vec<(String, String, i64)>, StoreError> {
        sqlx::query_as(
            "SELECT side, kind, mark FROM pass WHERE feed = 'changes' AND mark IS NOT NULL ORDER BY side, kind",
        )
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())
    }

    /// What waits for a person, oldest first, from number `after` on; at most `limit`.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn holds(&mut self, after: i64, limit: i64) -> Result<Vec<HoldView>, StoreError> {
        let rows = sqlx::query(
            "SELECT h.id, h.since, h.kind, h.class, h.reason, h.side, h.detail, r.side, r.remote_id,
                    (SELECT remote_id FROM record WHERE id = l.desk), (SELECT remote_id FROM record WHERE id = l.crm),
                    h.count, h.approvable
             FROM hold AS h LEFT JOIN record AS r ON r.id = h.record LEFT JOIN link AS l ON l.id = r.link
             WHERE h.id > ?1 AND h.answer IS NULL ORDER BY h.id LIMIT ?2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        rows.iter().map(hold_view).collect()
    }

    /// Writes that are not done, oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn parked(&mut self, limit: i64) -> Result<Vec<Parked>, StoreError> {
        let rows = sqlx::query(
            "SELECT o.kind, o.action, o.side, r.remote_id, o.state, o.since, o.due_at, o.error
             FROM outbox AS o JOIN record AS r ON r.id = o.record ORDER BY o.since LIMIT ?1",
        )
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        Ok(rows
            .iter()
            .map(|row| Parked {
                kind: row.get(0),
                action: row.get(1),
                side: row.get(2),
                id: row.get(3),
                state: row.get(4),
                since: row.get(5),
                due_at: row.get(6),
                error: row.get(7),
            })
            .collect())
    }

    /// Records that share a key with another and are left alone: kind, side, id, why; at most `limit`.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn shadowed(
        &mut self,
        limit: i64,
    ) -> Result<Vec<(String, String, String, String)>, StoreError> {
        sqlx::query_as(
            "SELECT kind, side, remote_id, coalesce(because, '') FROM record
             WHERE standing = 'shadowed' AND presence = 'live' ORDER BY kind, id LIMIT ?1",
        )
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())
    }
}

fn hold_view(row: &SqliteRow) -> Result<HoldView, StoreError> {
    let own: Option<String> = row.get(8);
    let is_crm = row.get::<Option<&str>, _>(7) == Some(Side::Crm.word());
    let (crm, desk) = if is_crm { (own, None) } else { (None, own) };
    Ok(HoldView {
        id: row.get(0),
        since: row.get(1),
        kind: row.get(2),
        class: row.get(3),
        count: row.get::<i64, _>(11).unsigned_abs(),
        reason: row.get(4),
        side: row.get(5),
        crm_id: crm.or(row.get(10)),
        freshdesk_id: desk.or(row.get(9)),
        fields: serde_json::from_str(row.get(6))?,
        approvable: row.get(12),
    })
}

/// The hold of this number, whether or not it is answered.
pub(super) async fn hold_of(
    connection: &mut SqliteConnection,
    id: i64,
) -> Result<Option<HoldView>, StoreError> {
    let row = sqlx::query(
        "SELECT h.id, h.since, h.kind, h.class, h.reason, h.side, h.detail, r.side, r.remote_id,
                (SELECT remote_id FROM record WHERE id = l.desk), (SELECT remote_id FROM record WHERE id = l.crm),
                h.count, h.approvable
         FROM hold AS h LEFT JOIN record AS r ON r.id = h.record LEFT JOIN link AS l ON l.id = r.link
         WHERE h.id = ?1",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(hold_view).transpose()
}
