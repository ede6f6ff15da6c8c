//! What was read: pages, how far each feed has come, and what a complete listing did not show.

use super::keys::{Keys, Posting, newest, postings, rekey, take_keys};
use super::rows::{bulk, image_text, parse};
use super::standings::{away, unjudge};
use super::upsert::{complete, upsert};
use super::{Fate, Store, StoreError, Worth};
use crate::model::{Kind, Observed, RecordId, Side};
use sqlx::{Connection as _, SqliteConnection};
use std::collections::HashSet;

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

/// One record of a page, with the keys under which it can be found.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// What was seen.
    pub observed: Observed,
    /// `(which key, normalised value)`; none for a record that takes no part.
    pub keys: Vec<(usize, String)>,
    /// Its image as the state writes it, where somebody had time to write it already.
    pub text: Option<String>,
}

impl Sighting {
    /// A record that was seen.
    #[must_use]
    pub fn new(observed: Observed, keys: Vec<(usize, String)>) -> Self {
        Self {
            observed,
            keys,
            text: None,
        }
    }

    /// Writes its image in advance: readers work in parallel, the one writer does not.
    #[must_use]
    pub fn written(mut self) -> Self {
        self.text = image_text(&self.observed.image).ok();
        self
    }
}

/// A page to take in.
#[derive(Debug)]
pub struct Ingest<'a> {
    /// Whose.
    pub side: Side,
    /// Of which kind.
    pub kind: Kind,
    /// From which feed.
    pub feed: PassKind,
    /// Its records.
    pub sightings: &'a [Sighting],
    /// Every field that a whole image has.
    pub fields: &'a [String],
    /// The pass's beginning by the server's clock, in milliseconds.
    pub started_at: i64,
    /// From when on the pass asked for changes.
    pub since: Option<i64>,
    /// Where the pass goes on; `None` where this was its last page.
    pub next: Option<&'a str>,
    /// Whether it is remembered which records the pass has met. The very first pass has nobody to
    /// miss.
    pub tick_off: bool,
}

/// What a page brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Records that are new or different from what was known.
    pub changed: u64,
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
        self.judge_listing(side, kind, Worth::Begun).await
    }

    /// Takes in pages, in order and in one transaction, together with how far their feeds were read:
    /// a mark moves in the transaction of its pass's last page, and never before. Returns what each
    /// page brought.
    ///
    /// # Errors
    ///
    /// Where the database fails; then nothing of any page is in.
    pub async fn observe(&mut self, pages: &[Ingest<'_>]) -> Result<Vec<Ingested>, StoreError> {
        for page in pages.iter().filter(|page| !page.sightings.is_empty()) {
            self.across.touched(page.kind);
        }
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut brought = Vec::with_capacity(pages.len());
        for page in pages {
            let judged = page.side == Side::Crm && self.judged.contains(&page.kind);
            brought.push(ingest(&mut tx, page, judged).await?);
        }
        tx.commit().await?;
        Ok(brought)
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

    /// Takes in records that were read singly, outside of any pass.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn sight(
        &mut self,
        side: Side,
        kind: Kind,
        fields: &[String],
        sightings: &[Sighting],
    ) -> Result<(), StoreError> {
        self.across.touched(kind);
        let page = Ingest {
            side,
            kind,
            feed: PassKind::Trash,
            sightings,
            fields,
            started_at: 0,
            since: None,
            next: None,
            tick_off: false,
        };
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let changed = take_in(&mut tx, &page).await?;
        if side == Side::Crm && self.judged.contains(&kind) {
            unjudge(&mut tx, &changed).await?;
        }
        wake_members(&mut tx, kind, &changed).await?;
        Ok(tx.commit().await?)
    }

    /// The sign that these records are not there any more, and what became of them as far as known.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn gone(&mut self, records: &[(i64, Option<Fate>)]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        self.across.forget();
        let ids: Vec<i64> = records.iter().map(|(row, _)| *row).collect();
        let ids = bulk(&ids)?;
        let fates: Vec<_> = records
            .iter()
            .filter_map(|(row, fate)| Some((row, fate.as_ref()?.words())))
            .map(|(row, (word, detail))| (row, word, detail))
            .collect();
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let keyed: Vec<(i64, Kind, Keys)> = parse(
            sqlx::query_scalar(
                "SELECT '[' || group_concat('[' || id || ',\"' || kind || '\",' || keys || ']') || ']'
                 FROM record WHERE id IN (SELECT value FROM json_each(?1)) AND keys <> '[]'",
            )
            .bind(&ids)
            .fetch_one(&mut *tx)
            .await?,
        )?;
        let lost: Vec<Posting<'_>> = keyed
            .iter()
            .flat_map(|(row, kind, keys)| postings(*kind, *row, keys))
            .collect();
        take_keys(&mut tx, &lost).await?;
        sqlx::query(
            "UPDATE record SET presence = 'gone', keys = '[]', dirty = 1
             WHERE id IN (SELECT value FROM json_each(?1))",
        )
        .bind(&ids)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE record SET standing = news.value ->> 1, because = news.value ->> 2
             FROM json_each(?1) AS news WHERE record.id = news.value ->> 0",
        )
        .bind(bulk(&fates)?)
        .execute(&mut *tx)
        .await?;
        away(&mut tx, &ids).await?;
        Ok(tx.commit().await?)
    }
}

async fn ingest(
    tx: &mut SqliteConnection,
    page: &Ingest<'_>,
    judged: bool,
) -> Result<Ingested, StoreError> {
    let mut ingested = Ingested::default();
    if !page.sightings.is_empty() {
        let changed = take_in(tx, page).await?;
        ingested.changed = changed.len() as u64;
        if judged {
            unjudge(tx, &changed).await?;
        }
        if page.tick_off {
            meet(tx, page).await?;
            if page.feed == PassKind::All {
                super::drift::count(tx, page, &changed).await?;
            }
        }
    }
    advance(tx, page).await?;
    Ok(ingested)
}

/// Writes what is news of a page, keys included, and returns the handles of that.
async fn take_in(tx: &mut SqliteConnection, page: &Ingest<'_>) -> Result<Vec<i64>, StoreError> {
    let mut rows = Vec::new();
    for sightings in distinct(page.sightings) {
        let page = Ingest { sightings, ..*page };
        let whole = complete(tx, &page).await?;
        let newest = newest(tx).await?;
        let changed = upsert(tx, &page, &whole, newest).await?;
        rekey(tx, page.kind, sightings.iter(), &changed).await?;
        rows.extend(changed.into_values().map(|it| it.row));
    }
    Ok(rows)
}

/// `sightings` in slices that have no record twice: what a statement says of a record, it says once.
fn distinct(mut sightings: &[Sighting]) -> Vec<&[Sighting]> {
    let mut slices = Vec::with_capacity(1);
    while !sightings.is_empty() {
        let mut met = HashSet::with_capacity(sightings.len());
        let length = sightings.iter().position(|it| !met.insert(&it.observed.id));
        let (now, later) = sightings.split_at(length.unwrap_or(sightings.len()));
        slices.push(now);
        sightings = later;
    }
    slices
}

/// Contacts that wait for one of these companies, or for the counterpart of one, are planned again:
/// it may have come back.
async fn wake_members(
    tx: &mut SqliteConnection,
    kind: Kind,
    changed: &[i64],
) -> Result<(), StoreError> {
    if kind != Kind::Company || changed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE record SET dirty = 1 WHERE id IN (
           SELECT w.record FROM json_each(?1) AS it
           CROSS JOIN link AS l ON it.value IN (l.crm, l.desk) AND l.id = (SELECT link FROM record WHERE id = it.value)
           CROSS JOIN record AS c ON c.id IN (l.crm, l.desk)
           CROSS JOIN waiting AS w ON w.side = c.side AND w.company = c.remote_id)",
    )
    .bind(bulk(changed)?)
    .execute(tx)
    .await?;
    Ok(())
}

/// Ticks off what a pass over everything met.
async fn meet(tx: &mut SqliteConnection, page: &Ingest<'_>) -> Result<(), StoreError> {
    let ids: Vec<&str> = page
        .sightings
        .iter()
        .map(|it| it.observed.id.0.as_str())
        .collect();
    sqlx::query(
        "INSERT OR IGNORE INTO seen (record)
         SELECT r.id FROM json_each(?3) AS met CROSS JOIN record AS r
           ON r.side = ?1 AND r.kind = ?2 AND r.remote_id = met.value",
    )
    .bind(page.side.word())
    .bind(page.kind.word())
    .bind(bulk(&ids)?)
    .execute(tx)
    .await?;
    Ok(())
}

async fn advance(tx: &mut SqliteConnection, page: &Ingest<'_>) -> Result<(), StoreError> {
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
    Ok(())
}
