//! Taking over what was decided, before anything of it is sent.

mod holds;
mod intents;
mod links;

use super::adoption::{Adoption, NoticeRow};
use super::generation::advance;
use super::rows::{bulk, write};
use super::{Store, StoreError, guard, kept, parted, relink};
use crate::model::{LinkId, Side};
use chrono::{DateTime, Utc};
use holds::{hold, notice};
use intents::intend;
use links::{drop_links, make_links};
pub(super) use links::{forget_duplicates, insert_links, release_contacts};
use sqlx::{Connection as _, SqliteConnection};
use std::collections::BTreeMap;

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
