//! What was read: pages, and records that were read singly.

use super::keys::{Keys, Posting, newest, postings, rekey, take_keys};
use super::pass::{PassKind, advance};
use super::rows::{bulk, image_text, parse};
use super::standings::{away, unjudge};
use super::unread::{Unread, have_read, remember, shown};
use super::upsert::{complete, upsert};
use super::{Fate, Store, StoreError};
use crate::model::{Kind, Observed, RecordId, Side};
use chrono::{DateTime, Utc};
use sqlx::{Connection as _, SqliteConnection};
use std::borrow::Cow;
use std::collections::HashSet;

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
    /// Further records that it names and that could not be read.
    pub unread: &'a [Unread],
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
    /// When the cycle that takes it in began to read, by our clock.
    pub now: DateTime<Utc>,
}

/// What a page brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Records that are new or different from what was known.
    pub changed: u64,
    /// Records that cannot be read any more, or could not from the beginning.
    pub unread: Vec<RecordId>,
}

impl Ingest<'_> {
    /// Whether it says nothing of any record.
    fn is_empty(&self) -> bool {
        self.sightings.is_empty() && self.unread.is_empty()
    }
}

impl Store {
    /// Takes in pages, in order and in one transaction, together with how far their feeds were read:
    /// a mark moves in the transaction of its pass's last page, and never before. Returns what each
    /// page brought.
    ///
    /// # Errors
    ///
    /// Where the database fails; then nothing of any page is in.
    pub async fn observe(&mut self, pages: &[Ingest<'_>]) -> Result<Vec<Ingested>, StoreError> {
        for page in pages.iter().filter(|page| !page.is_empty()) {
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
            unread: &[],
            fields,
            started_at: 0,
            since: None,
            next: None,
            tick_off: false,
            now: DateTime::UNIX_EPOCH,
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
        sqlx::query(
            "DELETE FROM unread WHERE (side, kind, remote_id) IN (
               SELECT side, kind, remote_id FROM record WHERE id IN (SELECT value FROM json_each(?1)))",
        )
        .bind(&ids)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

async fn ingest(
    tx: &mut SqliteConnection,
    page: &Ingest<'_>,
    judged: bool,
) -> Result<Ingested, StoreError> {
    let mut ingested = Ingested::default();
    if !page.is_empty() {
        let mut changed = take_in(tx, page).await?;
        if page.tick_off && page.feed == PassKind::All {
            super::drift::count(tx, page, &changed).await?;
        }
        if !page.unread.is_empty() {
            changed.extend(take_in_unread(tx, page).await?);
            ingested.unread = remember(tx, page).await?;
        }
        ingested.changed = changed.len() as u64;
        if judged {
            unjudge(tx, &changed).await?;
        }
        wake_members(tx, page.kind, &changed).await?;
        if page.tick_off {
            meet(tx, page).await?;
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
        rows.extend(write(tx, &page, &whole).await?);
        let ids: Vec<&str> = sightings
            .iter()
            .map(|it| it.observed.id.0.as_str())
            .collect();
        have_read(tx, (page.side, page.kind), &ids).await?;
    }
    Ok(rows)
}

/// The same with what a page shows of records that could not be read. What it does not show is unknown from
/// now on: as it was known it may be long out of date.
async fn take_in_unread(
    tx: &mut SqliteConnection,
    page: &Ingest<'_>,
) -> Result<Vec<i64>, StoreError> {
    let mut rows = Vec::new();
    for sightings in distinct(&shown(tx, page).await?) {
        let page = Ingest { sightings, ..*page };
        let images = sightings.iter().map(|it| image_text(&it.observed.image));
        let images: Vec<Cow<'_, str>> = images
            .map(|text| Ok(Cow::Owned(text?)))
            .collect::<Result<_, StoreError>>()?;
        rows.extend(write(tx, &page, &images).await?);
    }
    Ok(rows)
}

/// Writes those of the page's records of which something is news, with their keys.
async fn write(
    tx: &mut SqliteConnection,
    page: &Ingest<'_>,
    images: &[Cow<'_, str>],
) -> Result<Vec<i64>, StoreError> {
    let newest = newest(tx).await?;
    let changed = upsert(tx, page, images, newest).await?;
    rekey(tx, page.kind, page.sightings.iter(), &changed).await?;
    Ok(changed.into_values().map(|it| it.row).collect())
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
    let read = page.sightings.iter().map(|it| it.observed.id.0.as_str());
    let ids: Vec<&str> = read.chain(page.unread.iter().map(Unread::id)).collect();
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
