//! How far each feed was read, and what a listing of everything has met.

use super::{Ingest, Store, StoreError, Worth, missing};
use crate::model::{Kind, RecordId, Side};
use sqlx::SqliteConnection;

/// Which feed a pass goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PassKind {
    /// Everything.
    All,
    /// What changed.
    Changes,
    /// What is in the trash.
    Trash,
}

impl PassKind {
    const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Changes => "changes",
            Self::Trash => "trash",
        }
    }
}

/// How far a feed was read. Times are the server's, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PassState {
    /// When the last complete pass began.
    pub mark: Option<i64>,
    /// The pass that is under way.
    pub running: Option<Running>,
}

/// A pass that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// When it began.
    pub started_at: i64,
    /// From when on it asked for changes.
    pub since: Option<i64>,
    /// Where it goes on.
    pub cursor: String,
}

impl Store {
    /// How far `feed` was read.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn pass(
        &mut self,
        side: Side,
        kind: Kind,
        feed: PassKind,
    ) -> Result<PassState, StoreError> {
        type Row = (Option<i64>, Option<i64>, Option<i64>, Option<String>);
        let row: Option<Row> = sqlx::query_as(
            "SELECT mark, started_at, since, cursor FROM pass WHERE side = ?1 AND kind = ?2 AND feed = ?3",
        )
        .bind(side.word())
        .bind(kind.word())
        .bind(feed.word())
        .fetch_optional(&mut self.connection)
        .await?;
        let (mark, started_at, since, cursor) = row.unwrap_or_default();
        let running = started_at.zip(cursor).map(|(started_at, cursor)| Running {
            started_at,
            since,
            cursor,
        });
        Ok(PassState { mark, running })
    }

    /// Begins a pass over everything: nothing was met yet, and it is not believed before its end.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn begin_listing(&mut self, side: Side, kind: Kind) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM seen WHERE record IN (SELECT id FROM record WHERE side = ?1 AND kind = ?2)",
        )
        .bind(side.word())
        .bind(kind.word())
        .execute(&mut self.connection)
        .await?;
        super::drift::forget(&mut self.connection, side, kind).await?;
        missing::forget(&mut self.connection, side, kind).await?;
        self.judge_listing(side, kind, Worth::Begun).await
    }

    /// Up to `limit` live records, linked or not, that the finished pass over everything did not show.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn unseen(
        &mut self,
        side: Side,
        kind: Kind,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, RecordId)>, StoreError> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "SELECT id, remote_id FROM record
             WHERE side = ?1 AND kind = ?2 AND presence = 'live' AND id > ?3
               AND id NOT IN (SELECT record FROM seen)
             ORDER BY id LIMIT ?4",
        )
        .bind(side.word())
        .bind(kind.word())
        .bind(after)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(row, id)| (row, RecordId(id)))
            .collect())
    }

    /// How many live records of `side` are known, and how many of those the finished pass over
    /// everything did not show.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn unseen_count(&mut self, side: Side, kind: Kind) -> Result<(u64, u64), StoreError> {
        let (known, unseen): (i64, i64) = sqlx::query_as(
            "SELECT count(*), count(*) FILTER (WHERE id NOT IN (SELECT record FROM seen))
             FROM record WHERE side = ?1 AND kind = ?2 AND presence = 'live'",
        )
        .bind(side.word())
        .bind(kind.word())
        .fetch_one(&mut self.connection)
        .await?;
        Ok((known.unsigned_abs(), unseen.unsigned_abs()))
    }

    /// A listing that ended is believed: it has seen every change up to its own beginning, so the
    /// look for changes goes on from there.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn believe_listing(&mut self, side: Side, kind: Kind) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO pass (side, kind, feed, mark)
             SELECT side, kind, 'changes', mark FROM pass WHERE side = ?1 AND kind = ?2 AND feed = 'all'
             ON CONFLICT DO UPDATE SET mark = max(coalesce(mark, excluded.mark), excluded.mark),
               started_at = NULL, since = NULL, cursor = NULL",
        )
        .bind(side.word())
        .bind(kind.word())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }
}

/// How far a feed was read, with the page that was taken in.
pub(super) async fn advance(
    tx: &mut SqliteConnection,
    page: &Ingest<'_>,
) -> Result<(), StoreError> {
    let (side, kind, feed) = (page.side.word(), page.kind.word(), page.feed.word());
    if let Some(cursor) = page.next {
        sqlx::query(
            "INSERT INTO pass (side, kind, feed, started_at, since, cursor) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET started_at = excluded.started_at, since = excluded.since, cursor = excluded.cursor",
        )
        .bind(side)
        .bind(kind)
        .bind(feed)
        .bind(page.started_at)
        .bind(page.since)
        .bind(cursor)
        .execute(tx)
        .await?;
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO pass (side, kind, feed, mark) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET mark = excluded.mark, started_at = NULL, since = NULL, cursor = NULL",
    )
    .bind(side)
    .bind(kind)
    .bind(feed)
    .bind(page.started_at)
    .execute(&mut *tx)
    .await?;
    if page.feed == PassKind::All && page.tick_off {
        missing::begin(tx, page.side, page.kind).await?;
    }
    Ok(())
}
