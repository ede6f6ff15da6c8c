//! The recent writes of pairs, field by field.

use super::rows::{bulk, stamp};
use super::{Store, StoreError};
use crate::model::{LinkId, Side};
use crate::plan::{FieldChange, PastWrite};
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// By link and field, in the order in which they were made.
pub type PastWrites = HashMap<(LinkId, String), Vec<PastWrite>>;

impl Store {
    /// The confirmed updates of these pairs since `since`.
    ///
    /// # Errors
    ///
    /// Where the database fails, or holds something unreadable.
    pub async fn written_lately(
        &mut self,
        links: &[LinkId],
        since: DateTime<Utc>,
    ) -> Result<PastWrites, StoreError> {
        let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
            "SELECT j.link, j.at, j.side, j.fields FROM json_each(?1) AS asked
             CROSS JOIN journal AS j ON j.link = asked.value
             WHERE j.action = 'update' AND j.outcome = 'done' AND j.at >= ?2 ORDER BY j.id",
        )
        .bind(bulk(links)?)
        .bind(stamp(since))
        .fetch_all(&mut self.connection)
        .await?;
        let mut past = PastWrites::new();
        for (link, at, side, fields) in rows {
            let Some(target) = Side::BOTH.into_iter().find(|it| it.word() == side) else {
                continue;
            };
            let at = DateTime::parse_from_rfc3339(&at).map_or(0, |at| at.timestamp_millis());
            let changes: Vec<FieldChange> = serde_json::from_str(&fields)?;
            for change in changes {
                let key = (LinkId(link), change.field.clone());
                let write = PastWrite::of(change, target, at);
                past.entry(key).or_default().push(write);
            }
        }
        Ok(past)
    }
}
