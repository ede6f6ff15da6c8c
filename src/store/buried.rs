//! Records that were deleted before anybody knew of them.

use super::rows::image_text;
use super::{Store, StoreError};
use crate::model::{Kind, Observed, Side};

impl Store {
    /// Takes in a record that lies in the trash and was never seen alive, nor ever anybody's counterpart.
    /// Returns its handle; nothing where it is another one.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn bury(
        &mut self,
        side: Side,
        kind: Kind,
        found: &Observed,
    ) -> Result<Option<i64>, StoreError> {
        // One that is there already was taken in by a process that died before it could link it.
        let row = sqlx::query_scalar(
            "INSERT INTO record (side, kind, remote_id, version, presence, image)
             VALUES (?1, ?2, ?3, ?4, 'trashed', ?5)
             ON CONFLICT (side, kind, remote_id) DO UPDATE SET dirty = 1
               WHERE presence = 'trashed' AND link IS NULL AND standing IS NULL
                 AND NOT EXISTS (SELECT 1 FROM parted AS p WHERE p.record = record.id)
             RETURNING id",
        )
        .bind(side.word())
        .bind(kind.word())
        .bind(&found.id.0)
        .bind(found.version.0)
        .bind(image_text(&found.image)?)
        .fetch_optional(&mut self.connection)
        .await?;
        Ok(row)
    }
}
