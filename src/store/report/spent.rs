//! Where the calls of the last hour went, for `status`.

use super::Report;
use crate::model::{Pair, Side};
use crate::store::StoreError;
use crate::store::spent::HOUR;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Calls by endpoint and lane.
pub type ByEndpoint = BTreeMap<String, BTreeMap<String, u64>>;

impl Report {
    /// The calls of the hour before `now`, by side.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn last_hour(&mut self, now: DateTime<Utc>) -> Result<Pair<ByEndpoint>, StoreError> {
        let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
            "SELECT side, endpoint, lane, sum(calls) FROM spent WHERE at > ?1 GROUP BY side, endpoint, lane",
        )
        .bind(now.timestamp_millis() - HOUR)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        let mut all: Pair<ByEndpoint> = Pair::default();
        for (side, endpoint, lane, calls) in rows {
            let Some(side) = Side::BOTH.into_iter().find(|it| it.word() == side) else {
                continue;
            };
            let calls = u64::try_from(calls).unwrap_or(0);
            all.of_mut(side)
                .entry(endpoint)
                .or_default()
                .insert(lane, calls);
        }
        Ok(all)
    }
}
