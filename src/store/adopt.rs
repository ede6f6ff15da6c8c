//! Taking over what was decided, before anything of it is sent.

use super::generation::advance;
use super::guard::{self, GuardedRow};
use super::kept::{self, Kept};
use super::parted;
use super::relink::{self, Relinked};
use super::rows::{bulk, stamp, write};
use super::{Store, StoreError, Verb};
use crate::model::{Image, Kind, LinkId, Pair, RecordId, Side};
use crate::plan::{Counts, FieldChange};
use chrono::{DateTime, Utc};
use sqlx::{Connection as _, SqliteConnection};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Two records that were found to be the same.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// The link, numbered by [`Store::number_link`].
    pub link: LinkId,
    /// Of which kind.
    pub kind: Kind,
    /// The handles of the two records.
    pub rows: Pair<i64>,
    /// How they were found.
    pub found: String,
}

/// What a record's side showed when both last agreed, anew.
#[derive(Debug, Clone)]
pub struct NewBase {
    /// The record's handle.
    pub row: i64,
    /// The base; nothing where it equals the record's image.
    pub base: Option<Image>,
}

/// Why an unlinked record is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It shares a key with several records, or with a linked one.
    Shadowed,
    /// Its counterpart was deleted, and nobody wants another.
    Detached,
    /// It has no counterpart and none may be created.
    Single,
    /// It does not meet the scope.
    OutOfScope,
}

impl Standing {
    /// The word in the state.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Shadowed => "shadowed",
            Self::Detached => "detached",
            Self::Single => "single",
            Self::OutOfScope => "out_of_scope",
        }
    }
}

/// Something that waits for a person.
#[derive(Debug, Clone)]
pub struct HoldRow {
    /// Of which kind of record.
    pub kind: Kind,
    /// `conflict`, `delete`, `duplicate` or `flap`.
    pub class: &'static str,
    /// The side concerned.
    pub side: Option<Side>,
    /// The record; for a pair, its CRM record.
    pub row: i64,
    /// The field, or nothing.
    pub field: String,
    /// Values and whatever else a person needs, as JSON.
    pub detail: String,
    /// In words, without personal values.
    pub reason: String,
    /// Whether approving it is something that we can carry out.
    pub approvable: bool,
}

/// A value that cannot cross over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    /// The pair's CRM record.
    pub row: i64,
    /// The field.
    pub field: String,
    /// In words, without personal values.
    pub reason: String,
}

/// A write that is about to be sent.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The record to write, or to make a counterpart of.
    pub row: i64,
    /// What is done.
    pub verb: Verb,
    /// Where.
    pub side: Side,
    /// Of which kind.
    pub kind: Kind,
    /// The link, where there is one.
    pub link: Option<LinkId>,
    /// The ids as far as they exist.
    pub ids: Pair<Option<RecordId>>,
    /// The fields.
    pub fields: Arc<[FieldChange]>,
    /// How often it was tried, this time included.
    pub attempts: u32,
}

/// Everything that one chunk of planning decided.
#[derive(Debug, Default)]
pub struct Adoption {
    /// Links that were found.
    pub links: Vec<NewLink>,
    /// Links that are dropped.
    pub dropped: Vec<LinkId>,
    /// `(deleted, survivor)`: records that were a pair until now, and are one again should the deleted
    /// one come back.
    pub parted: Vec<(i64, i64)>,
    /// Links that take the place of dropped ones.
    pub relinked: Vec<Relinked>,
    /// Fields on which both sides are left to differ, since a person said so.
    pub kept: Vec<Kept>,
    /// Bases that move without a write.
    pub bases: Vec<NewBase>,
    /// Records that are planned.
    pub planned: Vec<i64>,
    /// Records that are left alone, and why.
    pub standings: Vec<(i64, Standing, String)>,
    /// Records that others share a key with and are left alone for: those whose counterpart is gone are
    /// planned again.
    pub shadowing: Vec<i64>,
    /// What waits for a person; what no longer does is forgotten for every planned record.
    pub holds: Vec<HoldRow>,
    /// What cannot cross over; the same.
    pub notices: Vec<NoticeRow>,
    /// `(side, company's id there, contact)`: contacts that wait for their company's counterpart.
    pub waiting: Vec<(Side, String, i64)>,
    /// Writes that are about to be sent.
    pub intents: Vec<Intent>,
    /// `(record, action)`: failed writes that nobody wants any more.
    pub settled: Vec<(i64, &'static str)>,
    /// Changes that wait behind a hold over their class, or were approved and are not made yet; what
    /// no longer does either is forgotten for every planned record.
    pub guarded: Vec<GuardedRow>,
    /// How much is about to be sent that counts for the guards, and of which kind.
    pub counted: Option<(Kind, Counts)>,
}

impl Store {
    /// The number of a link that is about to be made.
    pub fn number_link(&mut self) -> LinkId {
        self.next_link += 1;
        LinkId(self.next_link - 1)
    }

    /// Takes over a chunk of decisions in one transaction. Returns the journal number of each
    /// intent, in order, and the notices that are new.
    ///
    /// # Errors
    ///
    /// Where the database fails; then nothing is taken over, and nothing may be sent.
    pub async fn adopt(
        &mut self,
        cycle: i64,
        now: DateTime<Utc>,
        plan: &Adoption,
    ) -> Result<(Vec<i64>, Vec<NoticeRow>), StoreError> {
        if !plan.dropped.is_empty() {
            self.across.forget();
        }
        for link in &plan.links {
            self.across.touched(link.kind);
        }
        let sends = !plan.intents.is_empty();
        if sends {
            self.durable(true).await?;
        }
        let first = self.next_journal;
        self.next_journal += i64::try_from(plan.intents.len()).unwrap_or(0);
        let numbers: Vec<i64> = (first..self.next_journal).collect();
        let notes = self.next_journal;
        self.next_journal += i64::try_from(plan.relinked.len()).unwrap_or(0);
        let kept = self.next_journal;
        self.next_journal += i64::try_from(plan.kept.len()).unwrap_or(0);
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let waits = Waits::look(&mut tx).await?;
        drop_links(&mut tx, &plan.dropped).await?;
        make_links(&mut tx, cycle, now, &plan.links, waits).await?;
        parted::part(&mut tx, &plan.parted).await?;
        update_rows(&mut tx, plan).await?;
        tick_off(&mut tx, plan, waits).await?;
        hold(&mut tx, now, plan, waits).await?;
        guard::keep(&mut tx, plan, waits.guarded).await?;
        if let Some((kind, counts)) = &plan.counted {
            guard::count(&mut tx, kind.word(), counts, now).await?;
        }
        let news = notice(&mut tx, now, plan, waits).await?;
        intend(&mut tx, cycle, now, plan, &numbers).await?;
        relink::reconsider(&mut tx, &plan.shadowing).await?;
        relink::journal(&mut tx, (cycle, now), notes, &plan.relinked).await?;
        kept::journal(&mut tx, (cycle, now), kept, &plan.kept).await?;
        let grown = if sends { advance(&mut tx).await? } else { None };
        tx.commit().await?;
        if sends {
            self.durable(false).await?;
            self.generation.keep(grown)?;
        }
        Ok((numbers, news))
    }
}

/// Whether anything waits at all: mostly nothing does, and then nothing has to be looked for in it.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "six questions, one answer each"
)]
struct Waits {
    guarded: bool,
    holds: bool,
    notices: bool,
    writes: bool,
    standings: bool,
    parted: bool,
}

impl Waits {
    async fn look(tx: &mut SqliteConnection) -> Result<Self, StoreError> {
        let (guarded, holds, notices, writes, standings, parted) = sqlx::query_as(
            "SELECT EXISTS (SELECT 1 FROM guarded), EXISTS (SELECT 1 FROM hold), EXISTS (SELECT 1 FROM notice), EXISTS (SELECT 1 FROM outbox),
                    EXISTS (SELECT 1 FROM standing) OR EXISTS (SELECT 1 FROM ticket), EXISTS (SELECT 1 FROM parted)",
        )
        .fetch_one(tx)
        .await?;
        Ok(Self {
            guarded,
            holds,
            notices,
            writes,
            standings,
            parted,
        })
    }
}

async fn run(tx: &mut SqliteConnection, sql: &'static str, rows: &str) -> Result<(), StoreError> {
    sqlx::query(sql).bind(rows).execute(tx).await?;
    Ok(())
}

async fn drop_links(tx: &mut SqliteConnection, links: &[LinkId]) -> Result<(), StoreError> {
    if links.is_empty() {
        return Ok(());
    }
    let ids = bulk(links)?;
    for sql in [
        "UPDATE record SET base = NULL, link = NULL, dirty = 1
         WHERE id IN (SELECT crm FROM link WHERE id IN (SELECT value FROM json_each(?1))
                      UNION ALL SELECT desk FROM link WHERE id IN (SELECT value FROM json_each(?1)))",
        "DELETE FROM link WHERE id IN (SELECT value FROM json_each(?1))",
    ] {
        run(tx, sql, &ids).await?;
    }
    Ok(())
}

async fn make_links(
    tx: &mut SqliteConnection,
    cycle: i64,
    now: DateTime<Utc>,
    links: &[NewLink],
    waits: Waits,
) -> Result<(), StoreError> {
    if links.is_empty() {
        return Ok(());
    }
    insert_links(tx, cycle, now, links).await?;
    let of_companies = links.iter().any(|link| link.kind == Kind::Company);
    if waits.holds || waits.standings || waits.parted || of_companies {
        let rows: Vec<_> = links
            .iter()
            .map(|it| (it.link, it.kind, it.rows.crm, it.rows.desk))
            .collect();
        let rows = bulk(&rows)?;
        if waits.holds {
            forget_duplicates(tx, &rows).await?;
        }
        if waits.standings {
            super::standings::relinked(tx, &rows).await?;
        }
        if waits.parted {
            parted::join(tx, &rows).await?;
        }
        if of_companies {
            release_contacts(tx, &rows).await?;
        }
    }
    Ok(())
}

/// Writes new links; what they lead to is the caller's.
pub(super) async fn insert_links(
    tx: &mut SqliteConnection,
    cycle: i64,
    now: DateTime<Utc>,
    links: &[NewLink],
) -> Result<(), StoreError> {
    let now: Arc<str> = stamp(now).into();
    let insert = "INSERT INTO link (id, kind, crm, desk, found, since, cycle) VALUES";
    write(
        tx,
        links,
        "(?,?,?,?,?,?,?)",
        |rows| format!("{insert} {rows}"),
        |query, it| {
            let query = query.bind(it.link.0).bind(it.kind.word());
            let query = query.bind(it.rows.crm).bind(it.rows.desk);
            query
                .bind(it.found.as_str())
                .bind(Arc::clone(&now))
                .bind(cycle)
        },
    )
    .await
}

/// Records that got their counterpart wait for nobody's word on a refused create.
pub(super) async fn forget_duplicates(
    tx: &mut SqliteConnection,
    links: &str,
) -> Result<(), StoreError> {
    run(
        tx,
        "DELETE FROM hold WHERE class = 'duplicate' AND record IN (
           SELECT value ->> 2 FROM json_each(?1) UNION ALL SELECT value ->> 3 FROM json_each(?1))",
        links,
    )
    .await
}

/// Contacts that waited for these companies (`[[link, kind, crm, desk, …]]`) can be planned.
pub(super) async fn release_contacts(
    tx: &mut SqliteConnection,
    links: &str,
) -> Result<(), StoreError> {
    for sql in [
        "UPDATE record SET dirty = 1 WHERE id IN (
           SELECT w.record FROM json_each(?1) AS made
           CROSS JOIN record AS c ON c.id IN (made.value ->> 2, made.value ->> 3)
           CROSS JOIN waiting AS w ON w.side = c.side AND w.company = c.remote_id)",
        "DELETE FROM waiting WHERE (side, company) IN (
           SELECT c.side, c.remote_id FROM json_each(?1) AS made
           CROSS JOIN record AS c ON c.id IN (made.value ->> 2, made.value ->> 3))",
    ] {
        run(tx, sql, links).await?;
    }
    Ok(())
}

/// One row of the state as a chunk of planning leaves it: each is written once, whatever happened.
#[derive(Debug, Default)]
struct RowUpdate {
    /// The link that it gets.
    link: Option<LinkId>,
    /// Whether `base` is to be written.
    rebased: bool,
    base: Option<String>,
    /// Whether it is planned.
    planned: bool,
}

async fn update_rows(tx: &mut SqliteConnection, plan: &Adoption) -> Result<(), StoreError> {
    let mut rows: BTreeMap<i64, RowUpdate> = BTreeMap::new();
    for link in &plan.links {
        for side in Side::BOTH {
            let row = rows.entry(*link.rows.of(side)).or_default();
            row.link = Some(link.link);
            // Nothing is agreed yet; the bases below may know better.
            (row.rebased, row.base) = (true, Some("{}".to_owned()));
        }
    }
    for base in &plan.bases {
        let row = rows.entry(base.row).or_default();
        let text = base.base.as_ref().map(serde_json::to_string).transpose()?;
        (row.rebased, row.base) = (true, text);
    }
    for planned in &plan.planned {
        rows.entry(*planned).or_default().planned = true;
    }
    if rows.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = rows.into_iter().collect();
    let update = "UPDATE record SET
           link = coalesce(news.link, record.link),
           base = CASE WHEN news.rebased THEN news.base ELSE record.base END,
           standing = CASE WHEN news.link IS NULL THEN standing END,
           because = CASE WHEN news.link IS NULL THEN because END,
           dirty = CASE WHEN news.planned THEN 0 ELSE dirty END
         FROM news
         WHERE record.id = news.row AND (record.dirty = 1 OR news.link IS NOT NULL OR news.rebased)";
    write(
        tx,
        &rows,
        "(?,?,?,?,?)",
        |rows| format!("WITH news (row, link, rebased, base, planned) AS (VALUES {rows}) {update}"),
        |query, (row, it)| {
            let query = query.bind(*row).bind(it.link.map(|link| link.0));
            let query = query.bind(it.rebased).bind(it.base.clone());
            query.bind(it.planned)
        },
    )
    .await
}

async fn tick_off(
    tx: &mut SqliteConnection,
    plan: &Adoption,
    waits: Waits,
) -> Result<(), StoreError> {
    if !plan.standings.is_empty() {
        let rows: Vec<_> = plan
            .standings
            .iter()
            .map(|(row, standing, why)| (row, standing.word(), why))
            .collect();
        run(
            tx,
            "UPDATE record SET standing = news.value ->> 1, dirty = 0,
               because = CASE WHEN standing = 'detached' AND news.value ->> 1 = 'detached' THEN because
                              ELSE news.value ->> 2 END
             FROM json_each(?1) AS news WHERE record.id = news.value ->> 0",
            &bulk(&rows)?,
        )
        .await?;
    }
    if !plan.waiting.is_empty() {
        run(
            tx,
            "INSERT OR IGNORE INTO waiting (side, company, record)
             SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)",
            &bulk(&plan.waiting)?,
        )
        .await?;
    }
    if waits.writes && !plan.settled.is_empty() {
        run(
            tx,
            "DELETE FROM outbox WHERE state <> 'sent'
             AND (record, action) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))",
            &bulk(&plan.settled)?,
        )
        .await?;
    }
    Ok(())
}

/// Where other values or another deletion wait than a hold has shown, that is another question, and gets
/// another number. How often a field was fought over is none.
const RENUMBERED: &str = "INSERT OR REPLACE INTO hold (since, kind, class, side, record, field, detail, reason, approvable)
    SELECT old.since, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
    FROM json_each(?1) JOIN hold AS old
      ON old.record = value ->> 3 AND old.class = value ->> 1 AND old.field = value ->> 4
    WHERE old.detail <> value ->> 5 OR (old.reason <> value ->> 6 AND old.class <> 'flap')";

async fn hold(
    tx: &mut SqliteConnection,
    now: DateTime<Utc>,
    plan: &Adoption,
    waits: Waits,
) -> Result<(), StoreError> {
    if waits.holds && !plan.planned.is_empty() {
        let current: Vec<_> = plan
            .holds
            .iter()
            .map(|it| (it.row, it.class, &it.field))
            .collect();
        // A hold dissolves when its cause is gone. That of a refused create is not known before the
        // next try, so it stays until the record is linked.
        sqlx::query(
            "DELETE FROM hold WHERE record IN (SELECT value FROM json_each(?1)) AND class <> 'duplicate'
             AND (record, class, field) NOT IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?2))",
        )
        .bind(bulk(&plan.planned)?)
        .bind(bulk(&current)?)
        .execute(&mut *tx)
        .await?;
    }
    if waits.holds && !plan.standings.is_empty() {
        let left: Vec<i64> = plan.standings.iter().map(|(row, ..)| *row).collect();
        run(
            &mut *tx,
            "DELETE FROM hold WHERE class = 'duplicate' AND record IN (SELECT value FROM json_each(?1))",
            &bulk(&left)?,
        )
        .await?;
    }
    if plan.holds.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = plan
        .holds
        .iter()
        .map(|it| {
            (
                it.kind,
                it.class,
                it.side,
                it.row,
                &it.field,
                &it.detail,
                &it.reason,
                u8::from(it.approvable),
            )
        })
        .collect();
    let rows = bulk(&rows)?;
    if waits.holds {
        run(&mut *tx, RENUMBERED, &rows).await?;
    }
    sqlx::query(
        // An answer is one to what the person was shown: to anything else it is none.
        "INSERT INTO hold (since, kind, class, side, record, field, detail, reason, approvable)
         SELECT ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
         FROM json_each(?1) WHERE true
         ON CONFLICT DO UPDATE SET detail = excluded.detail, reason = excluded.reason, approvable = excluded.approvable,
           answer = CASE WHEN detail = excluded.detail AND reason = excluded.reason THEN answer END",
    )
    .bind(rows)
    .bind(stamp(now))
    .execute(tx)
    .await?;
    Ok(())
}

/// Returns the notices that were not known before.
async fn notice(
    tx: &mut SqliteConnection,
    now: DateTime<Utc>,
    plan: &Adoption,
    waits: Waits,
) -> Result<Vec<NoticeRow>, StoreError> {
    let current: Vec<_> = plan
        .notices
        .iter()
        .map(|it| (it.row, &it.field, &it.reason))
        .collect();
    let current = bulk(&current)?;
    if waits.notices && !plan.planned.is_empty() {
        sqlx::query(
            "DELETE FROM notice WHERE record IN (SELECT value FROM json_each(?1))
             AND (record, field) NOT IN (SELECT value ->> 0, value ->> 1 FROM json_each(?2))",
        )
        .bind(bulk(&plan.planned)?)
        .bind(&current)
        .execute(&mut *tx)
        .await?;
    }
    if plan.notices.is_empty() {
        return Ok(Vec::new());
    }
    let news: Vec<(i64, String, String)> = sqlx::query_as(
        "INSERT INTO notice (record, field, reason, since)
         SELECT value ->> 0, value ->> 1, value ->> 2, ?2 FROM json_each(?1) WHERE true
         ON CONFLICT DO UPDATE SET reason = excluded.reason WHERE reason <> excluded.reason
         RETURNING record, field, reason",
    )
    .bind(&current)
    .bind(stamp(now))
    .fetch_all(tx)
    .await?;
    Ok(news
        .into_iter()
        .map(|(row, field, reason)| NoticeRow { row, field, reason })
        .collect())
}

async fn intend(
    tx: &mut SqliteConnection,
    cycle: i64,
    now: DateTime<Utc>,
    plan: &Adoption,
    numbers: &[i64],
) -> Result<(), StoreError> {
    if plan.intents.is_empty() {
        return Ok(());
    }
    let now: Arc<str> = stamp(now).into();
    let rows: Vec<(&Intent, i64, String)> = plan
        .intents
        .iter()
        .zip(numbers)
        .map(|(it, journal)| Ok((it, *journal, serde_json::to_string(it.fields.as_ref())?)))
        .collect::<Result<_, StoreError>>()?;
    let insert = "INSERT INTO journal (id, cycle, at, action, side, kind, link, crm_id, desk_id, fields) VALUES";
    write(
        tx,
        &rows,
        "(?,?,?,?,?,?,?,?,?,?)",
        |rows| format!("{insert} {rows}"),
        |query, (it, journal, fields)| {
            let query = query.bind(*journal).bind(cycle).bind(Arc::clone(&now));
            let query = query.bind(it.verb.word()).bind(it.side.word());
            let query = query.bind(it.kind.word()).bind(it.link.map(|link| link.0));
            let id = |side: Side| it.ids.of(side).as_ref().map(|id| id.0.clone());
            let query = query.bind(id(Side::Crm)).bind(id(Side::Desk));
            query.bind(fields.as_str())
        },
    )
    .await?;
    let insert = "INSERT OR REPLACE INTO outbox (record, action, side, kind, state, journal, attempts, since, due_at) VALUES";
    write(
        tx,
        &rows,
        "(?,?,?,?,'sent',?,?,?,?)",
        |rows| format!("{insert} {rows}"),
        |query, (it, journal, _)| {
            let query = query.bind(it.row).bind(it.verb.word());
            let query = query.bind(it.side.word()).bind(it.kind.word());
            let query = query.bind(*journal).bind(it.attempts);
            query.bind(Arc::clone(&now)).bind(Arc::clone(&now))
        },
    )
    .await
}
