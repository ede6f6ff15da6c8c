//! Whose state it is, and the last cycle.

use super::rows::stamp;
use super::{Calls, Store, StoreError};
use crate::model::{Pair, Side};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::Connection as _;

/// How a cycle ended.
#[derive(Debug, Clone, Copy)]
pub struct CycleEnd<'a> {
    /// Its number.
    pub id: i64,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// What it did, as JSON.
    pub report: &'a str,
    /// Whether it is to be kept for as long as the journal.
    pub eventful: bool,
    /// The calls that it took.
    pub spent: &'a [Calls],
    /// The calls of the day, where a system counts those.
    pub today: Pair<Option<CallsToday>>,
}

/// Calls of one day, which a system counts until its midnight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CallsToday {
    /// What they cost.
    pub calls: f64,
    /// The account's midnight, in milliseconds since 1970.
    pub until: i64,
}

impl Store {
    pub(super) async fn meta(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT value FROM meta WHERE key = ?1")
            .bind(key)
            .fetch_optional(&mut self.connection)
            .await?)
    }

    pub(super) async fn set_meta(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO meta (key, value) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
        )
        .bind(key)
        .bind(value)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Makes sure that the state belongs to these accounts; a new state takes them as its own. Also
    /// finds out whether it is an old copy of itself ([`Store::is_distrusted`]).
    ///
    /// # Errors
    ///
    /// [`StoreError::Foreign`], with nothing written, where it belongs to others.
    pub async fn belongs_to(&mut self, accounts: &Pair<String>) -> Result<(), StoreError> {
        let key = |side: Side| format!("account.{side}");
        for side in Side::BOTH {
            let known = self.meta(&key(side)).await?;
            if let Some(known) = known.filter(|known| known != accounts.of(side)) {
                return Err(StoreError::Foreign {
                    known,
                    found: accounts.of(side).clone(),
                });
            }
        }
        for side in Side::BOTH {
            self.set_meta(&key(side), accounts.of(side)).await?;
        }
        self.begin_generation().await
    }

    /// The number of the next cycle.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn next_cycle(&mut self) -> Result<i64, StoreError> {
        let counted: i64 = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM cycle")
            .fetch_one(&mut self.connection)
            .await?;
        let last = self.meta("last_cycle_id").await?;
        let last = last.and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(counted.max(last) + 1)
    }

    /// Remembers how a cycle ended: the last one, eventful ones for as long as the journal is kept, and the
    /// last hour's calls.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn cycle_ended(&mut self, end: &CycleEnd<'_>) -> Result<(), StoreError> {
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        if end.eventful {
            sqlx::query(
                "INSERT OR REPLACE INTO cycle (id, started_at, finished_at, report, journalled)
                 VALUES (?1, ?2, ?3, ?4, (SELECT count(*) FROM journal WHERE cycle = ?1))",
            )
            .bind(end.id)
            .bind(stamp(end.started_at))
            .bind(stamp(end.finished_at))
            .bind(end.report)
            .execute(&mut *tx)
            .await?;
        }
        super::spent::add(&mut tx, end.finished_at, end.spent).await?;
        sqlx::query(
            "INSERT INTO meta (key, value) VALUES ('last_cycle', ?1), ('last_cycle_id', ?2)
             ON CONFLICT DO UPDATE SET value = excluded.value",
        )
        .bind(end.report)
        .bind(end.id.to_string())
        .execute(&mut *tx)
        .await?;
        for side in Side::BOTH {
            if let Some(today) = end.today.of(side) {
                sqlx::query(
                    "INSERT INTO meta (key, value) VALUES (?1, ?2)
                     ON CONFLICT DO UPDATE SET value = excluded.value",
                )
                .bind(format!("today.{side}"))
                .bind(serde_json::to_string(today)?)
                .execute(&mut *tx)
                .await?;
            }
        }
        Ok(tx.commit().await?)
    }

    /// The calls of the day as the last run left them; nothing where no system counts those.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn calls_today(&mut self, side: Side) -> Result<Option<CallsToday>, StoreError> {
        let text = self.meta(&format!("today.{side}")).await?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
    }
}
