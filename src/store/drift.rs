//! What a reading of everything found that polling had not shown, and what it came to.

use super::rows::bulk;
use super::{Ingest, Store, StoreError};
use crate::model::{Kind, LinkId, Side};
use sqlx::SqliteConnection;

/// How far before the last look for changes a change must lie to be one that polling has missed, in
/// milliseconds: what is younger, the next look shows.
const YOUNG: i64 = 600_000;

/// What the state knows of a pair beside what its two records show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own, and several may hold at once"
)]
pub struct Linked {
    /// Which pair.
    pub link: LinkId,
    /// Whether it is to be planned again.
    pub dirty: bool,
    /// Whether something of it waits for a person.
    pub held: bool,
    /// Whether a write of it failed or was refused.
    pub parked: bool,
    /// Whether a value of it waits for a company's counterpart, or cannot cross over.
    pub stuck: bool,
}

/// Records of one kind that no pair is counted with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Others {
    /// Pairs and unlinked records of which a write failed or was refused.
    pub parked: u64,
    /// Unlinked records that share a key with others.
    pub shadowed: u64,
    /// Unlinked records that are left alone for another reason.
    pub alone: u64,
    /// Records, of pairs too, that lists show and that cannot be read themselves.
    pub unread: u64,
}

/// What a listing of everything is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// It has not come to its end yet.
    Begun,
    /// It is believed.
    Proof,
    /// Some whom it did not show could not be read: it proves nothing, and nothing speaks against it.
    Unproven,
    /// It is not believed, or nobody could ask for those whom it did not show.
    Doubted,
}

/// What was found on one side that polling had not shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drift {
    /// Records that had changed.
    pub changed: u64,
    /// Records that were gone.
    pub vanished: u64,
}

/// Forgets what an earlier reading has found.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    side: Side,
    kind: Kind,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM drift WHERE kind = ?1 AND side = ?2")
        .bind(kind.word())
        .bind(side.word())
        .execute(connection)
        .await?;
    Ok(())
}

/// Counts those of the `changed` records of a listing's page that polling should have shown before.
pub(super) async fn count(
    tx: &mut SqliteConnection,
    page: &Ingest<'_>,
    changed: &[i64],
) -> Result<(), StoreError> {
    if changed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO drift (kind, side, cause, records)
         SELECT ?1, ?2, 'changed', count(*) FROM json_each(?3) AS it CROSS JOIN record AS r ON r.id = it.value
         WHERE r.version < (SELECT mark FROM pass WHERE side = ?2 AND kind = ?1 AND feed = 'changes') - ?4
         HAVING count(*) > 0
         ON CONFLICT DO UPDATE SET records = records + excluded.records",
    )
    .bind(page.kind.word())
    .bind(page.side.word())
    .bind(bulk(changed)?)
    .bind(YOUNG)
    .execute(tx)
    .await?;
    Ok(())
}

/// Counts those of `rows`, as JSON, which a listing did not show, that are gone.
pub(super) async fn vanished(
    tx: &mut SqliteConnection,
    side: Side,
    kind: Kind,
    rows: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO drift (kind, side, cause, records)
         SELECT ?1, ?2, 'vanished', count(*) FROM json_each(?3) AS it CROSS JOIN record AS r ON r.id = it.value
         WHERE r.presence <> 'live' HAVING count(*) > 0
         ON CONFLICT DO UPDATE SET records = records + excluded.records",
    )
    .bind(kind.word())
    .bind(side.word())
    .bind(rows)
    .execute(tx)
    .await?;
    Ok(())
}

impl Store {
    /// What the reading of everything has found on `side` that polling had not shown.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn drift(&mut self, side: Side, kind: Kind) -> Result<Drift, StoreError> {
        let (changed, vanished): (i64, i64) = sqlx::query_as(
            "SELECT coalesce(sum(records) FILTER (WHERE cause = 'changed'), 0),
                    coalesce(sum(records) FILTER (WHERE cause = 'vanished'), 0)
             FROM drift WHERE kind = ?1 AND side = ?2",
        )
        .bind(kind.word())
        .bind(side.word())
        .fetch_one(&mut self.connection)
        .await?;
        Ok(Drift {
            changed: changed.unsigned_abs(),
            vanished: vanished.unsigned_abs(),
        })
    }

    /// Takes note of what the listing of `kind` on `side` that was begun last is worth.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn judge_listing(
        &mut self,
        side: Side,
        kind: Kind,
        worth: Worth,
    ) -> Result<(), StoreError> {
        let sql = match worth {
            Worth::Proof => "DELETE FROM meta WHERE key = 'doubted.' || ?1 || '.' || ?2",
            // One that was not believed is to be made again until another one has ended.
            Worth::Begun => {
                "INSERT OR IGNORE INTO meta (key, value) VALUES ('doubted.' || ?1 || '.' || ?2, '')"
            }
            Worth::Unproven => {
                "INSERT OR REPLACE INTO meta (key, value) VALUES ('doubted.' || ?1 || '.' || ?2, '')"
            }
            Worth::Doubted => {
                "INSERT OR REPLACE INTO meta (key, value) VALUES ('doubted.' || ?1 || '.' || ?2, 'again')"
            }
        };
        sqlx::query(sql)
            .bind(side.word())
            .bind(kind.word())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Whether the next reading of everything has to list `kind` on `side`, however lately that was listed: it
    /// was not believed, or waits for a person, or a person has said that it is right.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn wants_listing(&mut self, side: Side, kind: Kind) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'doubted.' || ?1 || '.' || ?2 AND value = 'again')
                 OR EXISTS (SELECT 1 FROM hold WHERE record IS NULL AND class = 'listing' AND side = ?1 AND kind = ?2)",
        )
        .bind(side.word())
        .bind(kind.word())
        .fetch_one(&mut self.connection)
        .await?)
    }

    /// Whether the listing of `kind` on `side` that was begun last came to its end and is believed.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn believes_listing(&mut self, side: Side, kind: Kind) -> Result<bool, StoreError> {
        let doubted: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'doubted.' || ?1 || '.' || ?2)",
        )
        .bind(side.word())
        .bind(kind.word())
        .fetch_one(&mut self.connection)
        .await?;
        Ok(!doubted)
    }

    /// Up to `limit` pairs of `kind` with links above `after`, in their order.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn linked_pairs(
        &mut self,
        kind: Kind,
        after: LinkId,
        limit: i64,
    ) -> Result<Vec<Linked>, StoreError> {
        let rows: Vec<(i64, bool, bool, bool, bool)> = sqlx::query_as(
            "WITH waits AS (SELECT record FROM hold WHERE kind = ?1 AND record IS NOT NULL
                             UNION SELECT record FROM guarded WHERE kind = ?1),
                  failed AS (SELECT record FROM outbox WHERE kind = ?1),
                  stops AS (SELECT record FROM waiting UNION SELECT record FROM notice)
             SELECT l.id AS link, c.dirty OR d.dirty AS dirty,
                    l.crm IN waits OR l.desk IN waits AS held,
                    l.crm IN failed OR l.desk IN failed AS parked,
                    l.crm IN stops OR l.desk IN stops AS stuck
             FROM link AS l CROSS JOIN record AS c ON c.id = l.crm CROSS JOIN record AS d ON d.id = l.desk
             WHERE l.kind = ?1 AND l.id > ?2 ORDER BY l.id LIMIT ?3",
        )
        .bind(kind.word())
        .bind(after.0)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        let linked = |(link, dirty, held, parked, stuck)| Linked {
            link: LinkId(link),
            dirty,
            held,
            parked,
            stuck,
        };
        Ok(rows.into_iter().map(linked).collect())
    }

    /// The records of `kind` that are no pair's, and all those of which a write failed.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn others(&mut self, kind: Kind) -> Result<Others, StoreError> {
        let row: (i64, i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(DISTINCT record) FROM outbox WHERE kind = ?1),
                    count(*) FILTER (WHERE standing = 'shadowed'),
                    count(*) FILTER (WHERE link IS NULL AND standing IS NOT 'shadowed'),
                    (SELECT count(*) FROM unread WHERE kind = ?1)
             FROM record WHERE kind = ?1 AND presence = 'live'",
        )
        .bind(kind.word())
        .fetch_one(&mut self.connection)
        .await?;
        Ok(Others {
            parked: row.0.unsigned_abs(),
            shadowed: row.1.unsigned_abs(),
            alone: row.2.unsigned_abs(),
            unread: row.3.unsigned_abs(),
        })
    }

    /// Keeps what a complete reading of `kind` came to, as JSON, in its predecessor's place.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn certify(&mut self, kind: Kind, report: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO certificate (kind, report) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET report = excluded.report",
        )
        .bind(kind.word())
        .bind(report)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }
}
