//! Single questions to the state.

use super::rows::{bulk, presence};
use super::{Fate, Store, StoreError};
use crate::model::{Image, Kind, LinkId, Presence, RecordId, Side, Version};
use chrono::{DateTime, TimeDelta, Utc};

/// How far a server's clock and ours may be apart for what was made since a write was sent to be told
/// from what was there before.
pub const GRACE: TimeDelta = TimeDelta::minutes(1);

impl Store {
    /// A live, unlinked record of the same side and kind that shares a match key with `record`,
    /// if there is exactly one: what a merged or converted record may live on as.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn successor(
        &mut self,
        side: Side,
        kind: Kind,
        keys: &[(usize, String)],
    ) -> Result<Option<i64>, StoreError> {
        let rows: Vec<i64> = sqlx::query_scalar(
            "SELECT DISTINCT r.id FROM json_each(?3) AS mine CROSS JOIN match_key AS k
               ON k.kind = ?2 AND k.key = mine.value ->> 0 AND k.value = mine.value ->> 1
             CROSS JOIN record AS r ON r.id = k.record
             WHERE r.side = ?1 AND r.link IS NULL AND r.presence = 'live' LIMIT 2",
        )
        .bind(side.word())
        .bind(kind.word())
        .bind(bulk(keys)?)
        .fetch_all(&mut self.connection)
        .await?;
        Ok(match rows.as_slice() {
            [one] => Some(*one),
            _ => None,
        })
    }

    /// The live, unlinked record that `shows` what is looked for and was changed at `since` or later. Of several,
    /// which nobody can tell from each other, the oldest.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn lookalike(
        &mut self,
        side: Side,
        kind: Kind,
        shows: impl Fn(&Image) -> bool,
        since: DateTime<Utc>,
    ) -> Result<Option<i64>, StoreError> {
        let since = (since - GRACE).timestamp_millis();
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "SELECT id, image FROM record
             WHERE side = ?1 AND kind = ?2 AND link IS NULL AND presence = 'live' AND version >= ?3 ORDER BY id",
        )
        .bind(side.word())
        .bind(kind.word())
        .bind(since)
        .fetch_all(&mut self.connection)
        .await?;
        for (row, text) in rows {
            let image: Image = serde_json::from_str(&text)?;
            if shows(&image) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// The live record of this side and kind that was changed last, as far as we have seen, and when that was.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn changed_last(
        &mut self,
        side: Side,
        kind: Kind,
    ) -> Result<Option<(i64, RecordId, Version)>, StoreError> {
        let row: Option<(i64, String, i64)> = sqlx::query_as(
            "SELECT id, remote_id, version FROM record
             WHERE side = ?1 AND kind = ?2 AND presence = 'live' ORDER BY version DESC, id LIMIT 1",
        )
        .bind(side.word())
        .bind(kind.word())
        .fetch_optional(&mut self.connection)
        .await?;
        Ok(row.map(|(row, id, version)| (row, RecordId(id), Version(version))))
    }

    /// How many things wait for a person.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn held(&mut self) -> Result<u64, StoreError> {
        let held: i64 = sqlx::query_scalar("SELECT count(*) FROM hold WHERE answer IS NULL")
            .fetch_one(&mut self.connection)
            .await?;
        Ok(held.unsigned_abs())
    }

    /// Whether a known record is there, as far as we have seen.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn presence(&mut self, row: i64) -> Result<Presence, StoreError> {
        let word: String = sqlx::query_scalar("SELECT presence FROM record WHERE id = ?1")
            .bind(row)
            .fetch_one(&mut self.connection)
            .await?;
        Ok(presence(&word))
    }

    /// What became of a known record that is gone, where more is known than that.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn fate(&mut self, row: i64) -> Result<Option<Fate>, StoreError> {
        let (standing, because): (Option<String>, Option<String>) =
            sqlx::query_as("SELECT standing, because FROM record WHERE id = ?1")
                .bind(row)
                .fetch_one(&mut self.connection)
                .await?;
        Ok(Fate::read(standing.as_deref(), because.as_deref()))
    }

    /// The handle and link of a record, if it is known.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn known(
        &mut self,
        side: Side,
        kind: Kind,
        id: &RecordId,
    ) -> Result<Option<(i64, Option<LinkId>)>, StoreError> {
        let row: Option<(i64, Option<i64>)> = sqlx::query_as(
            "SELECT id, link FROM record WHERE side = ?1 AND kind = ?2 AND remote_id = ?3",
        )
        .bind(side.word())
        .bind(kind.word())
        .bind(&id.0)
        .fetch_optional(&mut self.connection)
        .await?;
        Ok(row.map(|(row, link)| (row, link.map(LinkId))))
    }

    /// The record on the other side that this one is linked to.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn counterpart(
        &mut self,
        side: Side,
        kind: Kind,
        id: &RecordId,
    ) -> Result<Option<RecordId>, StoreError> {
        let found: Option<String> = sqlx::query_scalar(
            "SELECT theirs.remote_id FROM record AS ours JOIN link AS l ON l.id = ours.link
             JOIN record AS theirs ON theirs.id = CASE ours.side WHEN 'crm' THEN l.desk ELSE l.crm END
             WHERE ours.side = ?1 AND ours.kind = ?2 AND ours.remote_id = ?3",
        )
        .bind(side.word())
        .bind(kind.word())
        .bind(&id.0)
        .fetch_optional(&mut self.connection)
        .await?;
        Ok(found.map(RecordId))
    }
}
