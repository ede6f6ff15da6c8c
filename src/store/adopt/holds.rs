//! What waits for a person, and what a person is told: with the plan it comes, dissolves and is renumbered.

use super::{Waits, run};
use crate::store::StoreError;
use crate::store::adoption::{Adoption, NoticeRow, VainAnswer};
use crate::store::rows::{bulk, stamp};
use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

/// Where other values or another deletion wait than a hold has shown, that is another question, and gets
/// another number. How often a field was fought over is none.
const RENUMBERED: &str = "INSERT OR REPLACE INTO hold (since, kind, class, side, record, field, detail, reason, approvable)
    SELECT old.since, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
    FROM json_each(?1) JOIN hold AS old
      ON old.record = value ->> 3 AND old.class = value ->> 1 AND old.field = value ->> 4
    WHERE old.detail <> value ->> 5 OR (old.reason <> value ->> 6 AND old.class <> 'flap')";

pub(super) async fn hold(
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
    ask_again(&mut *tx, &plan.vain).await?;
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

/// Forgets answers that cannot be carried out, but for those that were given in their place meanwhile.
async fn ask_again(tx: &mut SqliteConnection, vain: &[VainAnswer]) -> Result<(), StoreError> {
    if vain.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = vain
        .iter()
        .map(|it| (it.row, &it.field, it.answer.word()))
        .collect();
    run(
        tx,
        "UPDATE hold SET answer = NULL WHERE class = 'conflict' AND (record, field, answer) IN (
           SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))",
        &bulk(&rows)?,
    )
    .await
}

/// Returns the notices that were not known before.
pub(super) async fn notice(
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
