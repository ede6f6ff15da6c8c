//! What keeps one record from being in step, and the standings that it has.

use super::{HoldView, Parked, Report, hold_of};
use crate::model::Kind;
use crate::plan::Class;
use crate::store::rows::bulk;
use crate::store::{Answer, StoreError};
use serde::Serialize;

/// A standing that a ticket rule gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StandingView {
    /// The rule.
    pub rule: String,
    /// `begun`, `sweeping` or `read`: whether the customer's tickets were read since it began.
    pub phase: String,
    /// Since when.
    pub since: String,
}

impl Report {
    /// Writes about these records that are not done.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn parked_of(&mut self, rows: &[i64]) -> Result<Vec<Parked>, StoreError> {
        type Row = (
            String,
            String,
            String,
            String,
            String,
            String,
            String,
            Option<String>,
        );
        let found: Vec<Row> = sqlx::query_as(
            "SELECT o.kind, o.action, o.side, r.remote_id, o.state, o.since, o.due_at, o.error
             FROM outbox AS o JOIN record AS r ON r.id = o.record
             WHERE o.record IN (SELECT value FROM json_each(?1)) ORDER BY o.since",
        )
        .bind(bulk(rows)?)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        Ok(found
            .into_iter()
            .map(
                |(kind, action, side, id, state, since, due_at, error)| Parked {
                    kind,
                    action,
                    side,
                    id,
                    state,
                    since,
                    due_at,
                    error,
                },
            )
            .collect())
    }

    /// What waits for a person about these records.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn holds_of(&mut self, rows: &[i64]) -> Result<Vec<HoldView>, StoreError> {
        let numbers: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM hold WHERE record IN (SELECT value FROM json_each(?1)) ORDER BY id",
        )
        .bind(bulk(rows)?)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        let mut holds = Vec::with_capacity(numbers.len());
        for number in numbers {
            let next = self.holds(number - 1, 1).await?;
            holds.extend(next.into_iter().filter(|hold| hold.id == number));
        }
        Ok(holds)
    }

    /// The holds over whole classes of `kind`'s changes that nobody has answered.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn class_holds(&mut self, kind: Kind) -> Result<Vec<(Class, HoldView)>, StoreError> {
        if !self.has_table("guarded").await? {
            return Ok(Vec::new());
        }
        let numbers: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM hold WHERE record IS NULL AND kind = ?1 AND answer IS NULL ORDER BY id",
        )
        .bind(kind.word())
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        let mut holds = Vec::with_capacity(numbers.len());
        for number in numbers {
            let hold = hold_of(&mut self.connection, number).await?;
            let hold = hold.and_then(|hold| Some((Class::of_word(&hold.class)?, hold)));
            holds.extend(hold);
        }
        Ok(holds)
    }

    /// What people have said about changes of these records that waited behind a hold over their
    /// class, and what is not carried out yet.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn class_answers(
        &mut self,
        rows: &[i64],
    ) -> Result<Vec<(Class, Answer)>, StoreError> {
        // A state that an earlier version left knows none.
        let known: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pragma_table_info('guarded') WHERE name = 'answering')",
        )
        .fetch_one(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        if !known {
            return Ok(Vec::new());
        }
        let said: Vec<(String, String)> = sqlx::query_as(
            "SELECT g.class, coalesce(g.answer, h.answer) FROM guarded AS g
             LEFT JOIN hold AS h ON h.id = g.answering
             WHERE coalesce(g.answer, h.answer) IS NOT NULL
               AND g.record IN (SELECT value FROM json_each(?1))",
        )
        .bind(bulk(rows)?)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        let said = said.iter();
        Ok(said
            .filter_map(|(class, answer)| Some((Class::of_word(class)?, Answer::of_word(answer))))
            .collect())
    }

    /// `(field, why, since when)`: values of these records that cannot cross over.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn notices_of(
        &mut self,
        rows: &[i64],
    ) -> Result<Vec<(String, String, String)>, StoreError> {
        sqlx::query_as(
            "SELECT field, reason, since FROM notice
             WHERE record IN (SELECT value FROM json_each(?1)) ORDER BY field",
        )
        .bind(bulk(rows)?)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())
    }

    /// `(side, company)`: companies without a counterpart that these contacts wait for.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn waiting_of(&mut self, rows: &[i64]) -> Result<Vec<(String, String)>, StoreError> {
        sqlx::query_as(
            "SELECT side, company FROM waiting
             WHERE record IN (SELECT value FROM json_each(?1)) ORDER BY side, company",
        )
        .bind(bulk(rows)?)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())
    }

    /// The standings of a customer.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn standings_of(&mut self, rows: &[i64]) -> Result<Vec<StandingView>, StoreError> {
        if !self.has_table("standing").await? {
            return Ok(Vec::new());
        }
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT rule, phase, since FROM standing
             WHERE record IN (SELECT value FROM json_each(?1)) ORDER BY rule",
        )
        .bind(bulk(rows)?)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        let view = |(rule, phase, since)| StandingView { rule, phase, since };
        Ok(rows.into_iter().map(view).collect())
    }

    /// Why the state is not acted upon before everything was read; `None` where it is.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn doubt(&mut self) -> Result<Option<String>, StoreError> {
        if !self.has_table("generation").await? {
            return Ok(None);
        }
        let doubt: Option<Option<String>> = sqlx::query_scalar("SELECT doubt FROM generation")
            .fetch_optional(&mut self.connection)
            .await
            .map_err(self.damaged())?;
        Ok(doubt.flatten())
    }

    /// A state that an earlier version left lacks tables until it is opened for writing.
    pub(super) async fn has_table(&mut self, name: &str) -> Result<bool, StoreError> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1)",
        )
        .bind(name)
        .fetch_one(&mut self.connection)
        .await
        .map_err(self.damaged())
    }
}
