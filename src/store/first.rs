//! Whether the first sync of a kind has come to its end: one that was interrupted is still one, however
//! much of it is linked by then.

use super::{Store, StoreError};
use crate::model::Kind;

fn key(kind: Kind) -> String {
    format!("first_{kind}")
}

impl Store {
    /// Remembers that the first sync of `kind` has begun.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn first_sync_begins(&mut self, kind: Kind) -> Result<(), StoreError> {
        self.set_meta(&key(kind), "begun").await
    }

    /// Whether the first sync of `kind` has begun and not come to its end.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn first_sync_goes_on(&mut self, kind: Kind) -> Result<bool, StoreError> {
        Ok(self.meta(&key(kind)).await?.is_some())
    }

    /// The first sync of `kind` has come to its end, unless something of it still waits to be planned,
    /// to be tried again or for a person. What a system refuses is not waited for, nor are support summaries: they
    /// have a first filling of their own.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn first_sync_ends(&mut self, kind: Kind) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM meta WHERE key = ?1
               AND NOT EXISTS (SELECT 1 FROM record WHERE kind = ?2 AND dirty = 1)
               AND NOT EXISTS (SELECT 1 FROM outbox WHERE kind = ?2 AND state <> 'refused')
               AND NOT EXISTS (SELECT 1 FROM hold WHERE record IS NULL AND kind = ?2 AND first = 1 AND class <> 'summary')",
        )
        .bind(key(kind))
        .bind(kind.word())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }
}
