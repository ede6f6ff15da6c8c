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

/// As a statement returns it: handle, remote id, and the keys as in [`Written`].
pub(super) type WrittenRow = (i64, String, Option<String>);

/// Rows that a statement has returned, by remote id.
pub(super) fn by_id(rows: Vec<WrittenRow>) -> HashMap<String, Written> {
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

/// A key of a record: which one, and its normalised value.
type Key = (usize, String);

/// The keys of a record.
pub(super) type Keys = Vec<Key>;

/// A row of `match_key`: kind, key, value, record.
pub(super) type Posting<'a> = (Kind, usize, &'a str, i64);

/// The rows of `match_key` of a record with these keys.
pub(super) fn postings(kind: Kind, row: i64, keys: &[Key]) -> impl Iterator<Item = Posting<'_>> {
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
    let mut rekeyed: Vec<(i64, Keys, &[Key])> = Vec::new();
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

fn has(keys: &[Key], (_, key, value, _): &Posting<'_>) -> bool {
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
    // One by one: of a list, `SQLite` would look up the kind alone, and go through all its keys.
    for (kind, key, value, row) in lost {
        sqlx::query(
            "DELETE FROM match_key WHERE kind = ?1 AND key = ?2 AND value = ?3 AND record = ?4",
        )
        .bind(kind.word())
        .bind(i64::try_from(*key).unwrap_or(i64::MAX))
        .bind(*value)
        .bind(row)
        .execute(&mut *tx)
        .await?;
    }
    sqlx::query(
        "UPDATE record SET dirty = 1 WHERE link IS NULL AND standing IS NOT NULL AND id IN (
           SELECT theirs.record FROM json_each(?1) AS lost CROSS JOIN match_key AS theirs
             ON theirs.kind = lost.value ->> 0 AND theirs.key = lost.value ->> 1 AND theirs.value = lost.value ->> 2)",
    )
    .bind(bulk(lost)?)
    .execute(tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Ingest, PassKind, Store};
    use super::*;
    use crate::model::{Image, Observed, RecordId, Side, Version};

    fn seen(version: i64, addresses: &[&str]) -> Sighting {
        let observed = Observed {
            id: RecordId::from("1"),
            version: Version(version),
            presence: Presence::Live,
            image: Image::from([("email", addresses.concat().as_str().into())]),
        };
        let keys = addresses.iter().map(|it| (0, (*it).to_owned()));
        Sighting::new(observed, keys.collect())
    }

    fn other(id: &str, address: &str) -> Sighting {
        let mut other = seen(1, &[address]);
        other.observed.id = RecordId::from(id);
        other
    }

    async fn observe(store: &mut Store, feed: PassKind, sightings: &[Sighting]) {
        let page = Ingest {
            side: Side::Crm,
            kind: Kind::Contact,
            feed,
            sightings,
            unread: &[],
            fields: &["email".to_owned()],
            started_at: 0,
            since: None,
            next: None,
            tick_off: false,
            now: chrono::DateTime::UNIX_EPOCH,
        };
        store.observe(&[page]).await.unwrap();
    }

    /// The values under which records can be found, and what the records say of that.
    async fn found_by(store: &mut Store) -> (Vec<String>, Vec<String>) {
        let keys = sqlx::query_scalar("SELECT value FROM match_key ORDER BY value")
            .fetch_all(&mut store.connection)
            .await;
        let said = sqlx::query_scalar(
            "SELECT key.value ->> 1 FROM record, json_each(record.keys) AS key ORDER BY 1",
        )
        .fetch_all(&mut store.connection)
        .await;
        (keys.unwrap(), said.unwrap())
    }

    #[tokio::test]
    async fn an_address_that_a_record_has_no_more_does_not_find_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&dir.path().join("state.db")).await.unwrap();
        let both = |values: &[&str]| {
            let values: Vec<String> = values.iter().map(|it| (*it).to_owned()).collect();
            (values.clone(), values)
        };
        // A page that has it twice, with another address each time, and out of order.
        let page = [seen(1, &["a"]), seen(3, &["b", "c"]), seen(2, &["d"])];
        observe(&mut store, PassKind::Changes, &page).await;
        assert_eq!(found_by(&mut store).await, both(&["b", "c"]));
        // A first listing that meets it again, between others.
        let page = [other("0", "o"), seen(3, &["b", "c"]), other("2", "p")];
        observe(&mut store, PassKind::All, &page).await;
        assert_eq!(found_by(&mut store).await, both(&["b", "c", "o", "p"]));
        store.gone(&[(2, None), (3, None)]).await.unwrap();
        observe(&mut store, PassKind::Changes, &[seen(4, &["c", "e"])]).await;
        assert_eq!(found_by(&mut store).await, both(&["c", "e"]));
        store.gone(&[(1, None)]).await.unwrap();
        assert_eq!(found_by(&mut store).await, both(&[]));
        observe(&mut store, PassKind::Changes, &[seen(5, &["a"])]).await;
        assert_eq!(found_by(&mut store).await, both(&["a"]));
        store.mapped_by("another", [].into_iter()).await.unwrap();
        assert_eq!(found_by(&mut store).await, both(&[]));
    }
}
