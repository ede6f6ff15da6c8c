//! Where the calls of the last hour went.

use super::StoreError;
use super::rows::bulk;
use crate::model::Side;
use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

/// How long they are kept, in milliseconds.
pub(super) const HOUR: i64 = 3_600_000;

/// Calls of one endpoint in one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// With whom.
    pub side: Side,
    /// The endpoint class.
    pub endpoint: &'static str,
    /// The lane's name.
    pub lane: &'static str,
    /// Calls that went out.
    pub calls: u64,
    /// Those of them that were refused for rate.
    pub refused: u64,
}

pub(super) async fn add(
    tx: &mut SqliteConnection,
    now: DateTime<Utc>,
    spent: &[Calls],
) -> Result<(), StoreError> {
    let now = now.timestamp_millis();
    sqlx::query("DELETE FROM spent WHERE at <= ?1 OR at > ?2")
        .bind(now - HOUR)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    if spent.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = spent
        .iter()
        .map(|it| (it.side.word(), it.endpoint, it.lane, it.calls, it.refused))
        .collect();
    sqlx::query(
        "INSERT INTO spent (at, side, endpoint, lane, calls, refused)
         SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?2) WHERE true
         ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, refused = refused + excluded.refused",
    )
    .bind(now)
    .bind(bulk(&rows)?)
    .execute(&mut *tx)
    .await?;
    Ok(())
}
