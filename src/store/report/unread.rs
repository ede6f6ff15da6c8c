//! Records that cannot be read, for people.

use super::{Report, Wanted};
use crate::store::StoreError;
use serde::Serialize;

/// A record that lists show and that cannot be read itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct UnreadView {
    /// Of which kind.
    pub kind: String,
    /// Whose it is.
    pub side: String,
    /// Its id there.
    pub id: String,
    /// Since when.
    pub since: String,
    /// Reads in vain.
    pub attempts: i64,
    /// The next try.
    pub due_at: String,
    /// What became of the last one, in the server's words.
    pub error: String,
}

impl Report {
    /// How many records cannot be read.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn unread_count(&mut self) -> Result<u64, StoreError> {
        // A state that an earlier version left knows none.
        if !self.has_table("unread").await? {
            return Ok(0);
        }
        let many: i64 = sqlx::query_scalar("SELECT count(*) FROM unread")
            .fetch_one(&mut self.connection)
            .await
            .map_err(self.damaged())?;
        Ok(many.unsigned_abs())
    }

    /// Records that cannot be read, the oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn unread(&mut self, limit: i64) -> Result<Vec<UnreadView>, StoreError> {
        if !self.has_table("unread").await? {
            return Ok(Vec::new());
        }
        sqlx::query_as(
            "SELECT kind, side, remote_id AS id, since, attempts, due_at, error FROM unread
             ORDER BY since, side, kind, remote_id LIMIT ?1",
        )
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())
    }

    /// The records that are meant and cannot be read; those meant by an id alone.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn unread_of(&mut self, wanted: &Wanted) -> Result<Vec<UnreadView>, StoreError> {
        let (side, kind, id) = match wanted {
            Wanted::Record(side, id) => (side, None, id),
            Wanted::Of(side, kind, id) => (side, Some(kind.word()), id),
            Wanted::Text(_) => return Ok(Vec::new()),
        };
        if !self.has_table("unread").await? {
            return Ok(Vec::new());
        }
        sqlx::query_as(
            "SELECT kind, side, remote_id AS id, since, attempts, due_at, error FROM unread
             WHERE side = ?1 AND remote_id = ?2 AND coalesce(kind = ?3, true) ORDER BY kind",
        )
        .bind(side.word())
        .bind(id)
        .bind(kind)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())
    }
}
