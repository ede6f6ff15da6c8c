//! What became of the writes that were sent.

use super::adopt::{forget_duplicates, insert_links, release_contacts};
use super::adoption::NewLink;
use super::keys::{Written, WrittenRow, by_id, newest, rekey};
use super::rows::{base_text, bound_rows, bulk, image_text, in_bound, presence_word, stamp, write};
use super::{Sighting, Store, StoreError};
use crate::model::{Image, Kind, LinkId, Pair, Side};
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use std::collections::HashMap;

/// What is done to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// It is made.
    Create,
    /// Some of its fields are changed.
    Update,
    /// It is put into the trash.
    Delete,
}

impl Verb {
    /// The word in the state and in `--json`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// A record as the server confirmed it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What the server has now, the whole image, and its match keys.
    pub sighting: Sighting,
    /// What its side agreed to.
    pub base: Image,
    /// The other record of the pair, and what its side agreed to.
    pub source: (i64, Image, Image),
    /// Whether the pair has to be planned once more.
    pub dirty: bool,
    /// Whether the answer shows nobody else's change beside what was written.
    pub ours: bool,
    /// For a create: the link to make, with the source's handle for the source's side, and how the
    /// pair came about.
    pub new_link: Option<(LinkId, String)>,
}

/// What became of one write.
#[derive(Debug, Clone)]
pub struct Finish {
    /// Its journal row.
    pub journal: i64,
    /// The record it was about: its outbox key.
    pub row: i64,
    /// What was done.
    pub verb: Verb,
    /// Where.
    pub side: Side,
    /// Of which kind.
    pub kind: Kind,
    /// The word for the journal: `done`, `refused`, `failed`, `unknown`, …
    pub outcome: &'static str,
    /// The server's name for the call.
    pub request_id: Option<String>,
    /// In the server's words.
    pub message: Option<String>,
    /// The fields for the journal, where the server made something else of them than was sent.
    pub fields: Option<String>,
    /// The record as the server confirmed it.
    pub stored: Option<Stored>,
    /// When to try again: the outbox state (`sent`: look first; `failed`; `refused`) and the time.
    pub again: Option<(&'static str, DateTime<Utc>)>,
}

impl Store {
    /// Writes down what became of a batch of writes, in one transaction.
    ///
    /// # Errors
    ///
    /// Where the database fails; then all of them still count as sent, and are looked at again.
    pub async fn finish(
        &mut self,
        cycle: i64,
        now: DateTime<Utc>,
        batch: &[Finish],
    ) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        for it in batch {
            self.across.touched(it.kind);
        }
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        close_journal(&mut tx, batch).await?;
        let done: Vec<(&Finish, &Stored)> = batch
            .iter()
            .filter_map(|it| Some((it, it.stored.as_ref()?)))
            .collect();
        for kind in Kind::BOTH {
            for side in Side::BOTH {
                let of: Vec<_> = done
                    .iter()
                    .filter(|(it, _)| it.kind == kind && it.side == side)
                    .copied()
                    .collect();
                if of.is_empty() {
                    continue;
                }
                let written = store(&mut tx, side, kind, &of, cycle, now).await?;
                if side == Side::Crm && self.judged.contains(&kind) {
                    super::standings::unjudge(&mut tx, &written).await?;
                }
            }
        }
        let settled: Vec<_> = batch
            .iter()
            .filter(|it| it.again.is_none())
            .map(|it| (it.row, it.verb.word()))
            .collect();
        let settled = bulk(&settled)?;
        sqlx::query(
            "DELETE FROM outbox WHERE (record, action) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))",
        )
        .bind(&settled)
        .execute(&mut *tx)
        .await?;
        let journal: Vec<i64> = done.iter().map(|(it, _)| it.journal).collect();
        super::flap::carried_out(&mut tx, &journal).await?;
        postpone(&mut tx, batch).await?;
        super::guard::written(&mut tx, &settled).await?;
        Ok(tx.commit().await?)
    }
}

async fn close_journal(tx: &mut SqliteConnection, batch: &[Finish]) -> Result<(), StoreError> {
    let update = "UPDATE journal SET outcome = news.outcome, request_id = news.request_id, message = news.message,
           crm_id = coalesce(news.crm_id, journal.crm_id), desk_id = coalesce(news.desk_id, journal.desk_id),
           link = coalesce(news.link, journal.link), fields = coalesce(news.fields, journal.fields)
         FROM news WHERE journal.id = news.id";
    let columns = "id, outcome, request_id, message, crm_id, desk_id, link, fields";
    write(
        tx,
        batch,
        "(?,?,?,?,?,?,?,?)",
        |rows| format!("WITH news ({columns}) AS (VALUES {rows}) {update}"),
        |query, it| {
            let made = it
                .stored
                .as_ref()
                .map(|stored| stored.sighting.observed.id.0.clone());
            let link = it
                .stored
                .as_ref()
                .and_then(|stored| stored.new_link.as_ref());
            let (crm, desk) = match it.side {
                Side::Crm => (made, None),
                Side::Desk => (None, made),
            };
            let query = query.bind(it.journal).bind(it.outcome);
            let query = query.bind(it.request_id.clone()).bind(it.message.clone());
            query
                .bind(crm)
                .bind(desk)
                .bind(link.map(|(link, _)| link.0))
                .bind(it.fields.clone())
        },
    )
    .await
}

async fn store(
    tx: &mut SqliteConnection,
    side: Side,
    kind: Kind,
    done: &[(&Finish, &Stored)],
    cycle: i64,
    now: DateTime<Utc>,
) -> Result<Vec<i64>, StoreError> {
    let newest = newest(tx).await?;
    let mut written = Vec::with_capacity(done.len());
    for done in in_bound(done) {
        written.extend(store_targets(tx, side, kind, done, newest).await?);
    }
    let written = by_id(written);
    let mut sources = Vec::with_capacity(done.len());
    for (_, stored) in done {
        let (source, base, image) = &stored.source;
        let link = stored.new_link.as_ref().map(|(link, _)| link.0);
        sources.push((*source, base_text(base, image)?, image_text(image)?, link));
    }
    // Where no base stands it is what the record shows: not any more if something else was seen meanwhile.
    let update = "UPDATE record SET link = coalesce(news.link, record.link),
           base = CASE WHEN news.base IS NULL AND record.image <> news.image THEN news.image ELSE news.base END,
           standing = CASE WHEN news.link IS NULL THEN standing END
         FROM news WHERE record.id = news.id";
    write(
        tx,
        &sources,
        "(?,?,?,?)",
        |rows| format!("WITH news (id, base, image, link) AS (VALUES {rows}) {update}"),
        |query, (row, base, image, link)| {
            let query = query.bind(*row).bind(base.clone());
            query.bind(image.clone()).bind(*link)
        },
    )
    .await?;
    new_links(tx, side, kind, done, &written, cycle, now).await?;
    let sightings = done.iter().map(|(_, stored)| &stored.sighting);
    rekey(tx, kind, sightings, &written).await?;
    Ok(written.into_values().map(|it| it.row).collect())
}

/// Writes what the server confirmed, and returns it: handle, id, and the keys that it had.
async fn store_targets(
    tx: &mut SqliteConnection,
    side: Side,
    kind: Kind,
    done: &[(&Finish, &Stored)],
    newest: i64,
) -> Result<Vec<WrittenRow>, StoreError> {
    let row = format!("('{}','{}',?,?,?,?,?,?,?,?,?)", side.word(), kind.word());
    let sql = format!(
        "INSERT INTO record (side, kind, remote_id, version, presence, image, base, link, dirty, edited, keys)
         VALUES {rows}
         ON CONFLICT (side, kind, remote_id) DO UPDATE SET
           edited = CASE WHEN excluded.edited IS NOT NULL THEN coalesce(edited, version) END,
           version = max(version, excluded.version), presence = excluded.presence, image = excluded.image,
           base = excluded.base, link = coalesce(excluded.link, link),
           standing = CASE WHEN link IS NULL AND excluded.link IS NULL THEN standing END,
           because = CASE WHEN link IS NULL AND excluded.link IS NULL THEN because END,
           dirty = excluded.dirty
         RETURNING id, remote_id, CASE WHEN id <= ? THEN keys END",
        rows = bound_rows(done.len(), &row)
    );
    // Nothing but words of ours and the number of rows is in the statement's text.
    let mut query = sqlx::query_as(AssertSqlSafe(sql));
    for (_, stored) in done {
        let observed = &stored.sighting.observed;
        let link = stored.new_link.as_ref().map(|(link, _)| link.0);
        query = query.bind(observed.id.0.as_str()).bind(observed.version.0);
        query = query.bind(presence_word(observed.presence));
        query = query.bind(image_text(&observed.image)?);
        query = query.bind(base_text(&stored.base, &observed.image)?);
        query = query.bind(link).bind(stored.dirty);
        // What we have made nobody has changed yet.
        query = query.bind(stored.ours.then_some(0_i64));
        query = query.bind(bulk(&stored.sighting.keys)?);
    }
    Ok(query.bind(newest).fetch_all(tx).await?)
}

async fn new_links(
    tx: &mut SqliteConnection,
    side: Side,
    kind: Kind,
    done: &[(&Finish, &Stored)],
    written: &HashMap<String, Written>,
    cycle: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut links = Vec::new();
    for (_, stored) in done {
        let made = written.get(&stored.sighting.observed.id.0);
        if let (Some((link, found)), Some(made)) = (&stored.new_link, made) {
            let mut rows = Pair {
                crm: made.row,
                desk: made.row,
            };
            *rows.of_mut(side.other()) = stored.source.0;
            links.push(NewLink {
                link: *link,
                kind,
                rows,
                found: found.clone(),
            });
        }
    }
    if links.is_empty() {
        return Ok(());
    }
    insert_links(tx, cycle, now, &links).await?;
    let rows: Vec<_> = links
        .iter()
        .map(|it| (it.link, it.kind, it.rows.crm, it.rows.desk))
        .collect();
    let rows = bulk(&rows)?;
    forget_duplicates(tx, &rows).await?;
    super::parted::join(tx, &rows).await?;
    super::standings::relinked(tx, &rows).await?;
    if kind == Kind::Company {
        release_contacts(tx, &rows).await?;
    }
    Ok(())
}

async fn postpone(tx: &mut SqliteConnection, batch: &[Finish]) -> Result<(), StoreError> {
    let rows: Vec<_> = batch
        .iter()
        .filter_map(|it| {
            let (state, due) = it.again.as_ref()?;
            Some((it.row, it.verb.word(), state, stamp(*due), &it.message))
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE outbox SET state = news.value ->> 2, due_at = news.value ->> 3, error = news.value ->> 4
         FROM json_each(?1) AS news WHERE record = news.value ->> 0 AND action = news.value ->> 1",
    )
    .bind(bulk(&rows)?)
    .execute(tx)
    .await?;
    Ok(())
}
