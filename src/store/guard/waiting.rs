//! The changes that wait behind holds, one by one: what is planned adds to them, what is written and what
//! people answer takes from them.

use crate::store::rows::bulk;
use crate::store::{Adoption, Store, StoreError};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

/// Writes down what waits of the planned records, and forgets what does no longer.
pub(in crate::store) async fn keep(
    tx: &mut SqliteConnection,
    plan: &Adoption,
    any: bool,
) -> Result<(), StoreError> {
    if any {
        let left = plan.standings.iter().map(|(row, ..)| *row);
        let planned: Vec<i64> = plan.planned.iter().copied().chain(left).collect();
        let current = plan.guarded.iter().map(|it| (it.row, it.class));
        sqlx::query(
            "DELETE FROM guarded WHERE record IN (SELECT value FROM json_each(?1))
             AND (record, class) NOT IN (SELECT value ->> 0, value ->> 1 FROM json_each(?2))",
        )
        .bind(bulk(&planned)?)
        .bind(bulk(&current.collect::<Vec<_>>())?)
        .execute(&mut *tx)
        .await?;
    }
    if plan.guarded.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = plan
        .guarded
        .iter()
        .map(|it| (it.row, it.class, it.kind, it.count))
        .collect();
    sqlx::query(
        "INSERT INTO guarded (record, class, kind, count)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1) WHERE true
         ON CONFLICT DO UPDATE SET count = excluded.count, answering = NULL",
    )
    .bind(bulk(&rows)?)
    .execute(tx)
    .await?;
    Ok(())
}

/// Changes wait under the CRM's record of a pair, and a create's under its source: those of the records
/// in `[[record, …], …]`.
const OF: &str = "SELECT value ->> 0 FROM json_each(?1)
    UNION SELECT l.crm FROM json_each(?1) AS it JOIN record AS r ON r.id = it.value ->> 0
            JOIN link AS l ON l.id = r.link";

/// What waited of records that were written, `[[record, …], …]`, may not be all any more: they are planned
/// once more. An approval is spent where all of the pair was written; what comes later is weighed anew.
pub(in crate::store) async fn written(
    tx: &mut SqliteConnection,
    records: &str,
) -> Result<(), StoreError> {
    let any: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM guarded)")
        .fetch_one(&mut *tx)
        .await?;
    if !any {
        return Ok(());
    }
    for sql in [
        // Where both sides are as agreed, nothing waits any more.
        format!(
            "DELETE FROM guarded WHERE class IN ('update', 'clear') AND answer IS NULL AND record IN ({OF})
               AND NOT EXISTS (SELECT 1 FROM record AS r JOIN link AS l ON l.id = r.link
                     JOIN record AS both ON both.id IN (l.crm, l.desk)
                     WHERE r.id = guarded.record AND both.base IS NOT NULL AND both.base <> both.image)"
        ),
        format!(
            "UPDATE record SET dirty = 1 WHERE id IN ({OF})
               AND id IN (SELECT record FROM guarded WHERE answer IS NULL)"
        ),
        format!(
            "DELETE FROM guarded WHERE answer = 'approve' AND record IN ({OF})
               AND NOT EXISTS (SELECT 1 FROM outbox AS o WHERE o.record = guarded.record)
               AND NOT EXISTS (SELECT 1 FROM record AS r JOIN link AS l ON l.id = r.link
                     JOIN outbox AS o ON o.record = l.desk WHERE r.id = guarded.record)"
        ),
    ] {
        // Nothing but words of ours is in the statements' texts.
        let query = sqlx::query(AssertSqlSafe(sql)).bind(records);
        query.execute(&mut *tx).await?;
    }
    Ok(())
}

/// How the reason begins of a hold over what an answer did not cover.
const LEFT_OVER: &str = "not covered by an earlier answer, since it changed or came up after that was given; at first: ";

/// Takes over the answers to holds over classes of contacts and companies: what they are about is planned
/// again, each change with its answer; that is no news of a record that several answers are about. What is
/// approved begins its 24 hours anew. Where something is left that was not answered, that is another hold:
/// of whom there is news since, another change would be written or left than was shown, and what has joined
/// meanwhile was not shown at all. Nothing is left of what came of a first sync, where `first` is approved
/// as a whole.
async fn take_over(tx: &mut SqliteConnection, first: bool) -> Result<(), StoreError> {
    const ANSWERED: &str = "SELECT id, answer FROM hold
        WHERE record IS NULL AND answer IS NOT NULL AND class IN ('create', 'update', 'clear', 'delete')";
    const COVERED: &str =
        "UPDATE guarded SET answer = ?2 WHERE answering = ?1 AND answer IS NULL AND NOT EXISTS (
           SELECT 1 FROM record AS r LEFT JOIN link AS l ON l.id = r.link
             LEFT JOIN record AS other ON other.id = l.desk
           WHERE r.id = guarded.record AND (r.dirty = 1 OR other.dirty = 1))";
    let answered: Vec<(i64, String)> = sqlx::query_as(ANSWERED).fetch_all(&mut *tx).await?;
    // All of them first: what one of them has planned again below would look like news to the next.
    for (id, answer) in &answered {
        let query = sqlx::query(COVERED).bind(id).bind(answer);
        query.execute(&mut *tx).await?;
    }
    for (id, answer) in answered {
        for sql in [
            "UPDATE record SET dirty = 1 WHERE id IN (
               SELECT record FROM guarded WHERE answering = ?1 AND answer = ?2)",
            "DELETE FROM guard_hour WHERE ?2 = 'approve'
               AND (kind, class) IN (SELECT kind, class FROM hold WHERE id = ?1)",
            "UPDATE hold SET answer = NULL WHERE id = ?1 AND ?2 IS NOT NULL AND NOT (first = 1 AND ?3)
               AND (whole = 0 OR EXISTS (SELECT 1 FROM guarded AS g
                      WHERE g.kind = hold.kind AND g.class = hold.class AND g.answer IS NULL))",
            "INSERT OR REPLACE INTO hold (since, kind, class, side, count, shown, whole, detail, reason, first)
               SELECT since, kind, class, side, left_over, left_over, whole, detail,
                 CASE WHEN instr(reason, ?4) = 1 THEN reason ELSE ?4 || reason END, first
               FROM (SELECT *, max(1, CASE whole
                   WHEN 1 THEN (SELECT sum(g.count) FROM guarded AS g
                                WHERE g.kind = hold.kind AND g.class = hold.class AND g.answer IS NULL)
                   ELSE count - (SELECT coalesce(sum(g.count), 0) FROM guarded AS g WHERE g.answering = ?1 AND g.answer = ?2)
                 END) AS left_over FROM hold WHERE id = ?1 AND answer IS NULL)",
            "DELETE FROM hold WHERE id = ?1",
            "UPDATE guarded SET answering = NULL WHERE answering = ?1",
        ] {
            let query = sqlx::query(sql).bind(id).bind(&answer).bind(first);
            query.bind(LEFT_OVER).execute(&mut *tx).await?;
        }
    }
    Ok(())
}

impl Store {
    /// Takes over the answers that were given since the last cycle, and forgets those that are
    /// carried out. Where `first`, holds that came of a first sync count as approved. Of a record that is
    /// marked for planning there is news: so this comes before [`Store::wake`].
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn take_answers(&mut self, first: bool) -> Result<(), StoreError> {
        let any: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM hold WHERE answer IS NOT NULL) OR EXISTS (SELECT 1 FROM guarded WHERE answer IS NOT NULL)",
        )
        .fetch_one(&mut self.connection)
        .await?;
        if !any && !first {
            return Ok(());
        }
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        if first {
            sqlx::query(
                "UPDATE hold SET answer = 'approve' WHERE record IS NULL AND first = 1 AND answer IS NULL",
            )
            .execute(&mut *tx)
            .await?;
            sqlx::query(
                "UPDATE guarded SET answering = h.id FROM hold AS h
                 WHERE h.record IS NULL AND h.first = 1 AND h.answer = 'approve'
                   AND h.kind = guarded.kind AND h.class = guarded.class AND guarded.answer IS NULL",
            )
            .execute(&mut *tx)
            .await?;
        }
        // An approved change is done when its record is planned and nothing of it is under way.
        sqlx::query(
            "DELETE FROM guarded WHERE answer IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM record AS r WHERE r.id = guarded.record AND r.dirty = 1)
               AND NOT EXISTS (SELECT 1 FROM outbox AS o WHERE o.record = guarded.record)
               AND NOT EXISTS (SELECT 1 FROM record AS r JOIN link AS l ON l.id = r.link
                     JOIN record AS other ON other.id = l.desk
                     WHERE r.id = guarded.record
                       AND (other.dirty = 1 OR EXISTS (SELECT 1 FROM outbox AS o WHERE o.record = other.id)))",
        )
        .execute(&mut *tx)
        .await?;
        take_over(&mut tx, first).await?;
        sqlx::query(
            "DELETE FROM hold WHERE record IS NULL AND class = 'listing' AND answer = 'discard'",
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE record SET dirty = 1 WHERE id IN (
               SELECT record FROM hold WHERE answer IS NOT NULL AND record IS NOT NULL)",
        )
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}
