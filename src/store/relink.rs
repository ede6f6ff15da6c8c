//! What the journal has of a link that takes the place of another.

use super::StoreError;
use super::rows::{bulk, stamp};
use crate::model::{Kind, LinkId, Pair, Side};
use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

/// What the journal calls it when one record takes another's place.
pub(super) const RELINK: &str = "relink";

/// A record that has taken the place of its pair's other one on its side, which a merge took away.
#[derive(Debug, Clone)]
pub struct Relinked {
    /// The link that is dropped.
    pub before: LinkId,
    /// The link that is made instead.
    pub link: LinkId,
    /// The side on which a record was replaced.
    pub side: Side,
    /// Of which kind.
    pub kind: Kind,
    /// The handles of the new pair.
    pub rows: Pair<i64>,
    /// What happened, without personal values.
    pub message: String,
}

/// Journals these under the numbers from `first` on. What the journal has of the link before belongs
/// to the new one from now on: it is the history of the same customer.
pub(super) async fn journal(
    tx: &mut SqliteConnection,
    (cycle, now): (i64, DateTime<Utc>),
    first: i64,
    relinked: &[Relinked],
) -> Result<(), StoreError> {
    if relinked.is_empty() {
        return Ok(());
    }
    let news: Vec<_> = (first..)
        .zip(relinked)
        .map(|(number, it)| {
            let ids = (it.rows.crm, it.rows.desk);
            let link = (it.before, it.link);
            (number, it.side, it.kind, link, ids, &it.message)
        })
        .collect();
    let news = bulk(&news)?;
    sqlx::query(
        "UPDATE journal SET link = news.value ->> '$[3][1]'
         FROM json_each(?1) AS news WHERE journal.link = news.value ->> '$[3][0]'",
    )
    .bind(&news)
    .execute(&mut *tx)
    .await?;
    // Its outcome is none of a write's: there is nothing in it to take back.
    sqlx::query(
        "INSERT INTO journal (id, cycle, at, side, kind, action, link, crm_id, desk_id, fields, outcome, message)
         SELECT news.value ->> 0, ?2, ?3, news.value ->> 1, news.value ->> 2, ?4, news.value ->> '$[3][1]',
                c.remote_id, d.remote_id, '[]', 'relinked', news.value ->> 5
         FROM json_each(?1) AS news
         CROSS JOIN record AS c ON c.id = news.value ->> '$[4][0]'
         CROSS JOIN record AS d ON d.id = news.value ->> '$[4][1]'",
    )
    .bind(&news)
    .bind(cycle)
    .bind(stamp(now))
    .bind(RELINK)
    .execute(tx)
    .await?;
    Ok(())
}

/// Has the pairs of these records planned again where the other half is gone: by now there is somebody
/// who can take its place.
pub(super) async fn reconsider(
    tx: &mut SqliteConnection,
    records: &[i64],
) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE record SET dirty = 1 WHERE id IN (
           SELECT mine.id FROM json_each(?1) AS asked CROSS JOIN record AS mine ON mine.id = asked.value
           CROSS JOIN link AS l ON l.id = mine.link
           CROSS JOIN record AS other ON other.id = l.crm + l.desk - mine.id
           WHERE mine.presence = 'live' AND other.presence <> 'live')",
    )
    .bind(bulk(records)?)
    .execute(tx)
    .await?;
    Ok(())
}
