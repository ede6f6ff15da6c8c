//! Under which match keys each record stands: given and taken as its values change.

use super::rows::{bulk, write};
use super::{Sighting, StoreError};
use crate::model::{Kind, Presence};
use sqlx::SqliteConnection;
use std::collections::HashMap;

/// A record that a statement has written.
#[derive(Debug)]
pub(super) struct Written {
    /// Its handle.
    pub(super) row: i64,
    /// The keys that it had; none for a record that is new and was written with its keys.
    pub(super) keys: Option<String>,
}

/// Rows that a statement has returned, by remote id.
pub(super) fn by_id(rows: Vec<(i64, String, Option<String>)>) -> HashMap<String, Written> {
    let written = |(row, id, keys)| (id, Written { row, keys });
    rows.into_iter().map(written).collect()
}

/// The handle that was given out last; higher ones are of records that are new.
pub(super) async fn newest(tx: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM record")
            .fetch_one(tx)
            .await?,
    )
}

/// The keys of a record, `(which key, normalised value)`.
pub(super) type Keys = Vec<(usize, String)>;

/// A row of `match_key`: kind, key, value, record.
pub(super) type Posting<'a> = (Kind, usize, &'a str, i64);

/// The rows of `match_key` of a record with these keys.
pub(super) fn postings(
    kind: Kind,
    row: i64,
    keys: &[(usize, String)],
) -> impl Iterator<Item = Posting<'_>> {
    keys.iter()
        .map(move |(key, value)| (kind, *key, value.as_str(), row))
}

/// Brings the match keys of `changed` records up to date.
pub(super) async fn rekey(
    tx: &mut SqliteConnection,
    kind: Kind,
    sightings: impl Iterator<Item = &Sighting>,
    changed: &HashMap<String, Written>,
) -> Result<(), StoreError> {
    let mut gained: Vec<Posting<'_>> = Vec::new();
    // `(row, the keys that it had, the keys that it has)`
    let mut rekeyed: Vec<(i64, Keys, &[(usize, String)])> = Vec::new();
    for sighting in sightings {
        let Some(written) = changed.get(&sighting.observed.id.0) else {
            continue;
        };
        let live = sighting.observed.presence == Presence::Live;
        let now = if live { sighting.keys.as_slice() } else { &[] };
        match &written.keys {
            None => gained.extend(postings(kind, written.row, now)),
            Some(before) => {
                let before: Keys = serde_json::from_str(before)?;
                if before != now {
                    rekeyed.push((written.row, before, now));
                }
            }
        }
    }
    let mut lost = Vec::new();
    for (row, before, now) in &rekeyed {
        lost.extend(postings(kind, *row, before).filter(|it| !has(now, it)));
        gained.extend(postings(kind, *row, now).filter(|it| !has(before, it)));
    }
    take_keys(tx, &lost).await?;
    give_keys(tx, kind, &gained).await?;
    if rekeyed.is_empty() {
        return Ok(());
    }
    let news: Vec<_> = rekeyed
        .iter()
        .map(|(row, _, now)| Ok((row, bulk(now)?)))
        .collect::<Result<_, StoreError>>()?;
    sqlx::query(
        "UPDATE record SET keys = news.value ->> 1 FROM json_each(?1) AS news WHERE record.id = news.value ->> 0",
    )
    .bind(bulk(&news)?)
    .execute(tx)
    .await?;
    Ok(())
}

fn has(keys: &[(usize, String)], (_, key, value, _): &Posting<'_>) -> bool {
    keys.iter().any(|(k, v)| k == key && v == value)
}

async fn give_keys(
    tx: &mut SqliteConnection,
    kind: Kind,
    gained: &[Posting<'_>],
) -> Result<(), StoreError> {
    let row = format!("('{}',?,?,?)", kind.word());
    let insert = "INSERT OR IGNORE INTO match_key (kind, key, value, record) VALUES";
    write(
        tx,
        gained,
        &row,
        |rows| format!("{insert} {rows}"),
        |query, (_, key, value, row)| {
            let key = i64::try_from(*key).unwrap_or(i64::MAX);
            query.bind(key).bind(*value).bind(*row)
        },
    )
    .await
}

/// Takes keys from records. Unlinked records that shared one may be free now: they are planned again.
pub(super) async fn take_keys(
    tx: &mut SqliteConnection,
    lost: &[Posting<'_>],
) -> Result<(), StoreError> {
    if lost.is_empty() {
        return Ok(());
    }
    let lost = bulk(lost)?;
    for sql in [
        "DELETE FROM match_key WHERE (kind, key, value, record) IN (
           SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1))",
        "UPDATE record SET dirty = 1 WHERE link IS NULL AND standing IS NOT NULL AND id IN (
           SELECT theirs.record FROM json_each(?1) AS lost CROSS JOIN match_key AS theirs
             ON theirs.kind = lost.value ->> 0 AND theirs.key = lost.value ->> 1 AND theirs.value = lost.value ->> 2)",
    ] {
        sqlx::query(sql).bind(&lost).execute(&mut *tx).await?;
    }
    Ok(())
}
