//! Pairs that a deletion has parted: who was whose counterpart, should the deleted one come back.

use super::StoreError;
use super::rows::{bulk, parse};
use super::work::Keyed;
use sqlx::SqliteConnection;

/// A record, and the one that it was parted from.
pub(super) type Parted = (i64, Keyed);

/// Remembers `(deleted, survivor)`.
pub(super) async fn part(
    tx: &mut SqliteConnection,
    pairs: &[(i64, i64)],
) -> Result<(), StoreError> {
    if pairs.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT OR REPLACE INTO parted (record, survivor)
         SELECT value ->> 0, value ->> 1 FROM json_each(?1)",
    )
    .bind(bulk(pairs)?)
    .execute(tx)
    .await?;
    Ok(())
}

/// Whoever has a counterpart now (`[[link, kind, crm, desk, …]]`) waits for none that is gone.
pub(super) async fn join(tx: &mut SqliteConnection, links: &str) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM parted WHERE record IN (
           SELECT value ->> 2 FROM json_each(?1) UNION ALL SELECT value ->> 3 FROM json_each(?1))",
        "DELETE FROM parted WHERE survivor IN (
           SELECT value ->> 2 FROM json_each(?1) UNION ALL SELECT value ->> 3 FROM json_each(?1))",
    ] {
        sqlx::query(sql).bind(links).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Whom a deletion has parted from these records, whichever of the two it was that was deleted: those
/// who are there and have no counterpart.
pub(super) async fn parted(
    connection: &mut SqliteConnection,
    records: &[i64],
) -> Result<Vec<Parted>, StoreError> {
    let text: Option<String> = sqlx::query_scalar(
        "WITH pair (mine, other) AS (
           SELECT p.record, p.survivor FROM json_each(?1) AS asked CROSS JOIN parted AS p ON p.record = asked.value
           UNION ALL
           SELECT p.survivor, p.record FROM json_each(?1) AS asked CROSS JOIN parted AS p ON p.survivor = asked.value)
         SELECT '[' || group_concat('[' || pair.mine || ',[' || r.id || ',\"' || r.side || '\",0,' || r.keys || ']]') || ']'
         FROM pair CROSS JOIN record AS r ON r.id = pair.other
         WHERE r.link IS NULL AND r.presence = 'live'",
    )
    .bind(bulk(records)?)
    .fetch_one(connection)
    .await?;
    parse(text)
}
