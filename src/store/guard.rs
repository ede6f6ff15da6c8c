//! What guards hold back: holds over whole classes of changes, the changes that wait behind them, and
//! how much was sent in the last 24 hours.

mod answers;
mod classes;
mod waiting;

pub use answers::{Answer, Answers, Said};
pub use classes::{ClassHold, WaitingClass};
pub(super) use waiting::{keep, written};

use super::{Store, StoreError};
use crate::model::{Kind, Side};
use crate::plan::{Class, Counts};
use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

/// A change that waits behind a hold over its class, or that was approved and is not made yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardedRow {
    /// The record: of a pair the CRM's, for a create the one without a counterpart.
    pub row: i64,
    /// Which class of its changes.
    pub class: Class,
    /// Of which kind it is.
    pub kind: Kind,
    /// How many changes that are.
    pub count: u64,
}

/// How the guards of one kind stand when a cycle comes to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardState {
    /// The classes that wait for a person, and whether each came of the kind's first sync.
    pub held: Vec<(Class, bool)>,
    /// Whether there are changes that wait or answers that are not carried out.
    pub busy: bool,
}

impl Store {
    /// How the guards of `kind` stand. What waited and has lost its record or its link is forgotten.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn guard_state(&mut self, kind: Kind) -> Result<GuardState, StoreError> {
        let (guarded, answered): (bool, bool) = sqlx::query_as(
            "SELECT EXISTS (SELECT 1 FROM guarded), EXISTS (SELECT 1 FROM hold WHERE answer IS NOT NULL)",
        )
        .fetch_one(&mut self.connection)
        .await?;
        if guarded {
            sqlx::query(
                "DELETE FROM guarded WHERE kind = ?1 AND NOT EXISTS (
                   SELECT 1 FROM record AS r WHERE r.id = guarded.record
                     AND CASE guarded.class WHEN 'create' THEN r.link IS NULL AND r.presence = 'live'
                                            ELSE r.link IS NOT NULL END)",
            )
            .bind(kind.word())
            .execute(&mut self.connection)
            .await?;
        }
        // What waited may have been written since from an approved plan.
        sqlx::query(
            "DELETE FROM hold WHERE record IS NULL AND kind = ?1 AND answer IS NULL AND whole = 1
               AND class IN ('create', 'update', 'clear', 'delete') AND NOT EXISTS (
                 SELECT 1 FROM guarded AS g WHERE g.kind = hold.kind AND g.class = hold.class AND g.answer IS NULL)",
        )
        .bind(kind.word())
        .execute(&mut self.connection)
        .await?;
        // An answer that is given while a cycle runs is carried out by the next one.
        let held: Vec<(String, bool)> =
            sqlx::query_as("SELECT class, first FROM hold WHERE record IS NULL AND kind = ?1")
                .bind(kind.word())
                .fetch_all(&mut self.connection)
                .await?;
        Ok(GuardState {
            held: held
                .into_iter()
                .filter_map(|(word, first)| Some((Class::of_word(&word)?, first)))
                .filter(|(class, _)| Class::OF_RECORDS.contains(class))
                .collect(),
            busy: guarded || answered,
        })
    }

    /// How many records of `kind` have to be planned, `(unlinked, linked)`; of each no more than
    /// `most` are counted.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn dirty_count(&mut self, kind: Kind, most: u64) -> Result<(u64, u64), StoreError> {
        let (loose, paired): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM (SELECT 1 FROM record WHERE kind = ?1 AND dirty = 1 AND link IS NULL LIMIT ?2)),
                    (SELECT count(*) FROM (SELECT 1 FROM record WHERE kind = ?1 AND dirty = 1 AND link > 0 LIMIT ?2))",
        )
        .bind(kind.word())
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_one(&mut self.connection)
        .await?;
        Ok((loose.unsigned_abs(), paired.unsigned_abs()))
    }

    /// Whether any pair of `kind` is linked.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn is_linked(&mut self, kind: Kind) -> Result<bool, StoreError> {
        Ok(
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM link WHERE kind = ?1)")
                .bind(kind.word())
                .fetch_one(&mut self.connection)
                .await?,
        )
    }

    /// How many pairs of `kind` are linked.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn linked(&mut self, kind: Kind) -> Result<u64, StoreError> {
        let linked: i64 = sqlx::query_scalar("SELECT count(*) FROM link WHERE kind = ?1")
            .bind(kind.word())
            .fetch_one(&mut self.connection)
            .await?;
        Ok(linked.unsigned_abs())
    }

    /// What was sent of `kind` (`contact`, `company`, `ticket`) within the last 24 hours and nobody
    /// had approved; the hour in which they began counts in full.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn sent_in_a_day(
        &mut self,
        kind: &'static str,
        now: DateTime<Utc>,
    ) -> Result<Counts, StoreError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT class, sum(count) FROM guard_hour
             WHERE kind = ?1 AND hour BETWEEN ?2 AND ?3 GROUP BY class",
        )
        .bind(kind)
        .bind(hour(now) - 24)
        // What was counted while our clock was ahead would count for ever.
        .bind(hour(now) + 1)
        .fetch_all(&mut self.connection)
        .await?;
        let mut counts = Counts::default();
        for (word, count) in rows {
            if let Some(class) = Class::of_word(&word) {
                counts.add(class, count.unsigned_abs());
            }
        }
        Ok(counts)
    }

    /// Counts what was sent of `kind` and nobody had approved.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn count_sent(
        &mut self,
        kind: &'static str,
        counts: &Counts,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        count(&mut self.connection, kind, counts, now).await
    }

    /// Plans what waits behind holds over classes of `kind` as if it were approved. For a rehearsal.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn release_guarded(&mut self, kind: Kind) -> Result<(), StoreError> {
        for sql in [
            "UPDATE record SET dirty = 1 WHERE id IN (SELECT record FROM guarded WHERE kind = ?1)",
            "UPDATE guarded SET answer = 'approve' WHERE kind = ?1 AND answer IS NULL",
        ] {
            let query = sqlx::query(sql).bind(kind.word());
            query.execute(&mut self.connection).await?;
        }
        Ok(())
    }

    /// The hold over the listings of `kind` on `side`: whether there is one, and whether a person has
    /// said that the listing is right.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn listing_hold(
        &mut self,
        side: Side,
        kind: Kind,
    ) -> Result<Option<bool>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT answer IS 'approve' FROM hold
             WHERE record IS NULL AND class = 'listing' AND kind = ?1 AND side = ?2",
        )
        .bind(kind.word())
        .bind(side.word())
        .fetch_optional(&mut self.connection)
        .await?)
    }

    /// Whether a person has said of any listing that it is right.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn listing_is_approved(&mut self) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM hold WHERE answer = 'approve' AND record IS NULL AND class = 'listing'
               AND (side, kind) NOT IN (SELECT side, kind FROM asking))",
        )
        .fetch_one(&mut self.connection)
        .await?)
    }

    /// Counts anew what is sent of a class of `kind` within 24 hours.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn forget_sent_in_a_day(
        &mut self,
        kind: &'static str,
        class: Class,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM guard_hour WHERE kind = ?1 AND class = ?2")
            .bind(kind)
            .bind(class.word())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}

const fn hour(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(3_600)
}

/// Counts what is sent, and forgets what is too old to count.
pub(super) async fn count(
    tx: &mut SqliteConnection,
    kind: &'static str,
    counts: &Counts,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for class in Class::all() {
        let number = counts.of(class);
        if number == 0 {
            continue;
        }
        sqlx::query(
            "INSERT INTO guard_hour (kind, class, hour, count) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
        )
        .bind(kind)
        .bind(class.word())
        .bind(hour(now))
        .bind(i64::try_from(number).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM guard_hour WHERE kind = ?1 AND class = ?2 AND hour < ?3")
            .bind(kind)
            .bind(class.word())
            .bind(hour(now) - 24)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}
