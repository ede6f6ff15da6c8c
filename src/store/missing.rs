//! Who is missing from a listing of everything: how far they have been asked for, and who was not found.

use super::rows::bulk;
use super::{Store, StoreError, drift};
use crate::model::{Kind, Side};
use sqlx::{Connection as _, SqliteConnection};

/// How far those have been asked for who are missing from a listing that has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asking {
    /// The handle of the last one who was asked for; 0 where nobody was yet.
    pub after: i64,
    /// How many of them could not be read.
    pub unread: u64,
}

impl Store {
    /// How far those have been asked for who are missing from the last listing; `None` where nobody is to be.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn asking(&mut self, side: Side, kind: Kind) -> Result<Option<Asking>, StoreError> {
        let row: Option<(i64, i64)> =
            sqlx::query_as("SELECT after, unread FROM asking WHERE side = ?1 AND kind = ?2")
                .bind(side.word())
                .bind(kind.word())
                .fetch_optional(&mut self.connection)
                .await?;
        Ok(row.map(|(after, unread)| Asking {
            after,
            unread: unread.unsigned_abs(),
        }))
    }

    /// Takes note of a portion that was asked for: how far that has come, all of its `rows`, and the `lost` among
    /// them who were not found and of whom nobody knows where they went.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn asked(
        &mut self,
        (side, kind): (Side, Kind),
        now: Asking,
        rows: &[i64],
        lost: &[i64],
    ) -> Result<(), StoreError> {
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        drift::vanished(&mut tx, side, kind, &bulk(rows)?).await?;
        sqlx::query("INSERT OR IGNORE INTO missing (record) SELECT value FROM json_each(?1)")
            .bind(bulk(lost)?)
            .execute(&mut *tx)
            .await?;
        sqlx::query("UPDATE asking SET after = ?3, unread = ?4 WHERE side = ?1 AND kind = ?2")
            .bind(side.word())
            .bind(kind.word())
            .bind(now.after)
            .bind(now.unread.cast_signed())
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// All were asked for: whoever was not found is gone, but for those who have been seen since.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn conclude_missing(&mut self, side: Side, kind: Kind) -> Result<(), StoreError> {
        let rows: Vec<i64> = sqlx::query_scalar(
            "SELECT r.id FROM missing AS m JOIN record AS r ON r.id = m.record
             WHERE r.side = ?1 AND r.kind = ?2 AND r.presence = 'live'
               AND r.id NOT IN (SELECT record FROM seen)",
        )
        .bind(side.word())
        .bind(kind.word())
        .fetch_all(&mut self.connection)
        .await?;
        let lost: Vec<_> = rows.iter().map(|row| (*row, None)).collect();
        self.gone(&lost).await?;
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        drift::vanished(&mut tx, side, kind, &bulk(&rows)?).await?;
        forget(&mut tx, side, kind).await?;
        Ok(tx.commit().await?)
    }

    /// Nobody is asked for any more: nothing is concluded from who was missing.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn stop_asking(&mut self, side: Side, kind: Kind) -> Result<(), StoreError> {
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        forget(&mut tx, side, kind).await?;
        Ok(tx.commit().await?)
    }
}

/// A listing that knows whom it has met has ended.
pub(super) async fn begin(
    tx: &mut SqliteConnection,
    side: Side,
    kind: Kind,
) -> Result<(), StoreError> {
    forget(tx, side, kind).await?;
    sqlx::query("INSERT INTO asking (side, kind) VALUES (?1, ?2)")
        .bind(side.word())
        .bind(kind.word())
        .execute(tx)
        .await?;
    Ok(())
}

/// Forgets who was asked for.
pub(super) async fn forget(
    tx: &mut SqliteConnection,
    side: Side,
    kind: Kind,
) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM missing WHERE record IN (SELECT id FROM record WHERE side = ?1 AND kind = ?2)",
        "DELETE FROM asking WHERE side = ?1 AND kind = ?2",
    ] {
        sqlx::query(sql)
            .bind(side.word())
            .bind(kind.word())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Ingest, PassKind, Sighting};
    use super::*;
    use crate::model::{Image, Observed, Presence, RecordId, Version};

    async fn observe(store: &mut Store, feed: PassKind, ids: &[&str], tick_off: bool) {
        let sighting = |id: &&str| {
            let observed = Observed {
                id: RecordId::from(*id),
                version: Version(1),
                presence: Presence::Live,
                image: Image::default(),
            };
            Sighting::new(observed, Vec::new())
        };
        let sightings: Vec<Sighting> = ids.iter().map(sighting).collect();
        let page = Ingest {
            side: Side::Desk,
            kind: Kind::Contact,
            feed,
            sightings: &sightings,
            unread: &[],
            fields: &[],
            started_at: 0,
            since: None,
            next: None,
            tick_off,
            now: chrono::DateTime::UNIX_EPOCH,
        };
        store.observe(&[page]).await.unwrap();
    }

    #[tokio::test]
    async fn whoever_is_seen_again_before_all_were_asked_for_is_not_taken_for_gone() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&dir.path().join("state.db")).await.unwrap();
        let (side, kind) = (Side::Desk, Kind::Contact);
        observe(&mut store, PassKind::All, &["1", "2", "3"], false).await;
        assert_eq!(store.asking(side, kind).await.unwrap(), None);
        store.begin_listing(side, kind).await.unwrap();
        observe(&mut store, PassKind::All, &["1"], true).await;
        let none = Asking::default();
        assert_eq!(store.asking(side, kind).await.unwrap(), Some(none));
        let missing = store.unseen(side, kind, 0, 10).await.unwrap();
        let rows: Vec<i64> = missing.iter().map(|(row, _)| *row).collect();
        let [second, third] = rows[..] else {
            panic!("{missing:?}")
        };
        let now = Asking {
            after: third,
            unread: 0,
        };
        store.asked((side, kind), now, &rows, &rows).await.unwrap();
        observe(&mut store, PassKind::Changes, &["2"], true).await;
        store.conclude_missing(side, kind).await.unwrap();
        let there = [store.presence(second).await, store.presence(third).await];
        assert_eq!(there.map(Result::unwrap), [Presence::Live, Presence::Gone]);
        assert_eq!(store.drift(side, kind).await.unwrap().vanished, 1);
        assert_eq!(store.asking(side, kind).await.unwrap(), None);
    }
}
