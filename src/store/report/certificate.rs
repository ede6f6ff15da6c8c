//! What the last readings of everything came to, for `status`.

use super::Report;
use crate::store::StoreError;
use std::collections::BTreeMap;

impl Report {
    /// What the last complete readings of everything came to, by kind, as they were written.
    ///
    /// # Errors
    ///
    /// Where the database fails, or holds something unreadable.
    pub async fn certificates(
        &mut self,
    ) -> Result<BTreeMap<String, serde_json::Value>, StoreError> {
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT kind, report FROM certificate")
            .fetch_all(&mut self.connection)
            .await
            .map_err(self.damaged())?;
        let read = |(kind, text): (String, String)| Ok((kind, serde_json::from_str(&text)?));
        rows.into_iter().map(read).collect()
    }
}
