//! Records that a list shows and whose own read fails: what the list shows of them, and when they are read
//! again.

use super::keys::Keys;
use super::rows::{bulk, stamp};
use super::{Ingest, Sighting, Store, StoreError};
use crate::model::{Kind, RecordId, Side, Version};
use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;
use std::collections::{BTreeSet, HashMap};

/// A record whose own read has failed.
#[derive(Debug, Clone)]
pub struct Unread {
    /// As far as a list shows it.
    pub sighting: Sighting,
    /// Whether that tells under which keys it can be found, and whether it takes part at all.
    pub keyed: bool,
    /// Why.
    pub error: String,
}

/// A record that is to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRead {
    /// Which.
    pub id: RecordId,
    /// Its handle, where it is known.
    pub row: Option<i64>,
    /// How often it was read in vain.
    pub attempts: u32,
}

impl Store {
    /// Up to `limit` records of `kind` whose own read has failed and is due again.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn unread_due(
        &mut self,
        (side, kind): (Side, Kind),
        now: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<DueRead>, StoreError> {
        // A clock that was set back ends the pause.
        let rows: Vec<(String, Option<i64>, i64)> = sqlx::query_as(
            "SELECT u.remote_id, r.id, u.attempts FROM unread AS u
             LEFT JOIN record AS r ON r.side = u.side AND r.kind = u.kind AND r.remote_id = u.remote_id
             WHERE u.side = ?1 AND u.kind = ?2 AND (u.due_at < ?3 OR u.since > ?3)
             ORDER BY u.due_at, u.remote_id LIMIT ?4",
        )
        .bind(side.word())
        .bind(kind.word())
        .bind(stamp(now))
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        let due = |(id, row, attempts): (String, Option<i64>, i64)| DueRead {
            id: RecordId(id),
            row,
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        };
        Ok(rows.into_iter().map(due).collect())
    }

    /// A record was read in vain once more.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn unread_again(
        &mut self,
        (side, kind): (Side, Kind),
        id: &RecordId,
        due_at: DateTime<Utc>,
        error: &str,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE unread SET attempts = attempts + 1, due_at = ?4, error = ?5
             WHERE side = ?1 AND kind = ?2 AND remote_id = ?3",
        )
        .bind(side.word())
        .bind(kind.word())
        .bind(&id.0)
        .bind(stamp(due_at))
        .bind(error)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// A record needs not be read again: it was read, or is not there.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn no_more_unread(
        &mut self,
        (side, kind): (Side, Kind),
        id: &RecordId,
    ) -> Result<(), StoreError> {
        have_read(&mut self.connection, (side, kind), &[&id.0]).await
    }

    /// Whether a record of `kind` that is nobody's counterpart yet has become one that cannot be read at
    /// this time or later.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn is_any_unread(
        &mut self,
        (side, kind): (Side, Kind),
        since: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM unread AS u
               LEFT JOIN record AS r ON r.side = u.side AND r.kind = u.kind AND r.remote_id = u.remote_id
               WHERE u.side = ?1 AND u.kind = ?2 AND u.since >= ?3 AND r.link IS NULL)",
        )
        .bind(side.word())
        .bind(kind.word())
        .bind(stamp(since))
        .fetch_one(&mut self.connection)
        .await?)
    }
}

/// These records were read.
pub(super) async fn have_read(
    tx: &mut SqliteConnection,
    (side, kind): (Side, Kind),
    ids: &[&str],
) -> Result<(), StoreError> {
    let any: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM unread WHERE side = ?1 AND kind = ?2)")
            .bind(side.word())
            .bind(kind.word())
            .fetch_one(&mut *tx)
            .await?;
    if any {
        sqlx::query(
            "DELETE FROM unread WHERE side = ?1 AND kind = ?2
               AND remote_id IN (SELECT value FROM json_each(?3))",
        )
        .bind(side.word())
        .bind(kind.word())
        .bind(bulk(ids)?)
        .execute(tx)
        .await?;
    }
    Ok(())
}

/// Remembers which records of a page could not be read, and returns those that could until then.
pub(super) async fn remember(
    tx: &mut SqliteConnection,
    page: &Ingest<'_>,
) -> Result<Vec<RecordId>, StoreError> {
    let ids: Vec<&str> = page.unread.iter().map(Unread::id).collect();
    let known: Vec<String> = sqlx::query_scalar(
        "SELECT remote_id FROM unread WHERE side = ?1 AND kind = ?2
           AND remote_id IN (SELECT value FROM json_each(?3))",
    )
    .bind(page.side.word())
    .bind(page.kind.word())
    .bind(bulk(&ids)?)
    .fetch_all(&mut *tx)
    .await?;
    let rows: Vec<_> = page.unread.iter().map(|it| (it.id(), &it.error)).collect();
    sqlx::query(
        "INSERT INTO unread (side, kind, remote_id, since, attempts, due_at, error)
         SELECT ?1, ?2, news.value ->> 0, ?4, 1, ?4, news.value ->> 1 FROM json_each(?3) AS news WHERE true
         ON CONFLICT DO UPDATE SET error = excluded.error",
    )
    .bind(page.side.word())
    .bind(page.kind.word())
    .bind(bulk(&rows)?)
    .bind(stamp(page.now))
    .execute(tx)
    .await?;
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    let new = ids.into_iter().filter(|id| !known.contains(id));
    Ok(new.map(RecordId::from).collect())
}

/// The unread records of a page as far as it shows them. One of which it is not clear under which keys it
/// can be found keeps those that it had; where it had none, nothing can be made of it before it is read. The
/// same with the time of its last change.
pub(super) async fn shown(
    tx: &mut SqliteConnection,
    page: &Ingest<'_>,
) -> Result<Vec<Sighting>, StoreError> {
    let vague = page.unread.iter().filter(|it| !it.keyed || it.is_undated());
    let vague: Vec<&str> = vague.map(Unread::id).collect();
    let mut known: HashMap<String, (Keys, Version)> = HashMap::new();
    if !vague.is_empty() {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT remote_id, keys, version FROM record
             WHERE side = ?1 AND kind = ?2 AND remote_id IN (SELECT value FROM json_each(?3))",
        )
        .bind(page.side.word())
        .bind(page.kind.word())
        .bind(bulk(&vague)?)
        .fetch_all(tx)
        .await?;
        for (id, keys, version) in rows {
            known.insert(id, (serde_json::from_str(&keys)?, Version(version)));
        }
    }
    let sighting = |it: &Unread| {
        let mut sighting = it.sighting.clone();
        let before = known.get(it.id());
        if !it.keyed {
            sighting.keys.clone_from(&before?.0);
        }
        if let (true, Some((_, version))) = (it.is_undated(), before) {
            sighting.observed.version = *version;
        }
        Some(sighting)
    };
    Ok(page.unread.iter().filter_map(sighting).collect())
}

impl Unread {
    pub(super) fn id(&self) -> &str {
        &self.sighting.observed.id.0
    }

    /// Whether the list does not show when it was last changed.
    fn is_undated(&self) -> bool {
        self.sighting.observed.version == Version::default()
    }
}
