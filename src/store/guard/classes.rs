//! Holds over whole classes of changes: how many wait behind each, and under which number.

use crate::model::{Kind, Side};
use crate::store::guard::Answer;
use crate::store::rows::stamp;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};

/// A hold over a whole class, to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassHold {
    /// `contact`, `company` or `ticket`.
    pub kind: &'static str,
    /// The class, or `listing`.
    pub class: &'static str,
    /// The side concerned, where it is one.
    pub side: Option<Side>,
    /// How many changes it stands for.
    pub count: u64,
    /// In words.
    pub reason: String,
    /// Whether it came of a kind's first sync.
    pub first: bool,
}

/// A hold over a whole class that nobody has answered.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct WaitingClass {
    /// Its number.
    pub id: i64,
    /// `contact`, `company` or `ticket`.
    pub kind: String,
    /// The class, or `listing`.
    pub class: String,
    /// The side concerned, where it is one.
    pub side: Option<String>,
    /// How many changes it stands for.
    pub count: i64,
}

impl Store {
    /// Holds a class of changes, or says how many it is now. Where that is more than `passing` above
    /// what its number was first shown with, it is another question, and gets another number.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn hold_class(
        &mut self,
        hold: &ClassHold,
        passing: u64,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO hold (since, kind, class, side, count, shown, whole, detail, reason, first)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?3 IN ('ticket', 'listing', 'summary', 'summary_clear'), '[]', ?6, ?7)
             ON CONFLICT DO UPDATE SET count = excluded.count, reason = excluded.reason,
               answer = CASE WHEN class IN ('listing', 'summary', 'summary_clear') THEN answer END",
        )
        .bind(stamp(now))
        .bind(hold.kind)
        .bind(hold.class)
        .bind(hold.side.map(Side::word))
        .bind(i64::try_from(hold.count).unwrap_or(i64::MAX))
        .bind(&hold.reason)
        .bind(hold.first)
        .execute(&mut self.connection)
        .await?;
        self.renumber(hold.kind, hold.class, hold.side, passing)
            .await
    }

    /// Gives the hold over a class another number, where more than `passing` changes have joined it since
    /// it got the one it has: whoever answers the old one was shown something else.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn renumber(
        &mut self,
        kind: &'static str,
        class: &'static str,
        side: Option<Side>,
        passing: u64,
    ) -> Result<(), StoreError> {
        for sql in [
            "UPDATE hold SET shown = count
             WHERE record IS NULL AND kind = ?1 AND class = ?2 AND side IS ?3 AND count < shown AND ?4 >= 0",
            "INSERT OR REPLACE INTO hold (since, kind, class, side, count, shown, whole, detail, reason, first)
             SELECT since, kind, class, side, count, count, whole, detail, reason, first FROM hold
             WHERE record IS NULL AND kind = ?1 AND class = ?2 AND side IS ?3 AND answer IS NULL AND count - shown > ?4",
        ] {
            let query = sqlx::query(sql).bind(kind).bind(class);
            let query = query.bind(side.map(Side::word));
            query
                .bind(i64::try_from(passing).unwrap_or(i64::MAX))
                .execute(&mut self.connection)
                .await?;
        }
        Ok(())
    }

    /// Says anew how much waits behind each hold over a class of `kind`, all of which is written down
    /// now; one behind which nothing waits any more is forgotten.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn recount(&mut self, kind: Kind) -> Result<(), StoreError> {
        for sql in [
            "UPDATE hold SET whole = 1, count = (SELECT coalesce(sum(g.count), 0) FROM guarded AS g
                                      WHERE g.kind = hold.kind AND g.class = hold.class AND g.answer IS NULL)
             WHERE record IS NULL AND kind = ?1 AND class IN ('create', 'update', 'clear', 'delete')",
            "DELETE FROM hold WHERE record IS NULL AND kind = ?1 AND count = 0 AND answer IS NULL
               AND class IN ('create', 'update', 'clear', 'delete')",
        ] {
            let query = sqlx::query(sql).bind(kind.word());
            query.execute(&mut self.connection).await?;
        }
        Ok(())
    }

    /// The holds over whole classes that nobody has answered, oldest first.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn waiting_classes(&mut self) -> Result<Vec<WaitingClass>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, kind, class, side, count FROM hold
             WHERE record IS NULL AND answer IS NULL ORDER BY id",
        )
        .fetch_all(&mut self.connection)
        .await?)
    }

    /// The answer to a hold over a whole class, and how many changes it stands for; the outer nothing
    /// where there is no such hold.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn class_answer(
        &mut self,
        kind: &'static str,
        class: &'static str,
    ) -> Result<Option<(Option<Answer>, u64)>, StoreError> {
        let answer: Option<(Option<String>, i64)> = sqlx::query_as(
            "SELECT answer, count FROM hold WHERE record IS NULL AND kind = ?1 AND class = ?2",
        )
        .bind(kind)
        .bind(class)
        .fetch_optional(&mut self.connection)
        .await?;
        let answer = answer.map(|(word, count)| {
            let answer = word.map(|word| Answer::of_word(&word));
            (answer, count.unsigned_abs())
        });
        Ok(answer)
    }

    /// An answer to a hold over a whole class is carried out in part: it is about so many changes more.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn answer_goes_on(
        &mut self,
        kind: &'static str,
        class: &'static str,
        count: u64,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE hold SET count = min(count, ?3) WHERE record IS NULL AND kind = ?1 AND class = ?2 AND answer IS NOT NULL",
        )
        .bind(kind)
        .bind(class)
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Forgets a hold over a whole class: `ticket`, one of summaries, or a `listing` of `side`.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn drop_class_hold(
        &mut self,
        kind: &'static str,
        class: &'static str,
        side: Option<Side>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM hold WHERE record IS NULL AND kind = ?1 AND class = ?2 AND side IS ?3",
        )
        .bind(kind)
        .bind(class)
        .bind(side.map(Side::word))
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }
}
