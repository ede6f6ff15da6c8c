//! Who has the standing of which ticket rule.

use super::rows::{bulk, stamp};
use super::{Store, StoreError};
use crate::model::{Image, Kind, RecordId};
use chrono::{DateTime, Utc};
use sqlx::{Connection as _, SqliteConnection};
use std::collections::BTreeMap;

/// A customer in the CRM whose standing has to be looked at.
#[derive(Debug, Clone)]
pub struct Unjudged {
    /// Their record.
    pub row: i64,
    /// Contact or company.
    pub kind: Kind,
    /// What it shows; `None` where it is not there now, which says nothing about a standing.
    pub image: Option<Image>,
}

/// What became of a customer's standings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// `(record, rule)`: the standing holds.
    pub holds: Vec<(i64, String)>,
    /// `(record, rule)`: it does not.
    pub ends: Vec<(i64, String)>,
    /// Customers who are not there now, which says nothing about a standing.
    pub away: Vec<i64>,
}

/// A customer whose tickets have to be read, since a standing of theirs has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Their record in the CRM.
    pub row: i64,
    /// Contact or company.
    pub kind: Kind,
    /// Their id in Freshdesk.
    pub desk: RecordId,
}

impl Store {
    /// From now on the standings of these kinds are kept up.
    pub fn judge(&mut self, kinds: Vec<Kind>) {
        self.judged = kinds;
    }

    /// Takes note of the ticket rules: by name, a fingerprint of each. The standings of a rule that is
    /// new or another than before are looked at again, and all tickets of those who have it; those of
    /// a rule that is gone have ended. An answer that is not carried out yet is none about other rules.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn ruled_by(&mut self, rules: &BTreeMap<String, String>) -> Result<(), StoreError> {
        let text = serde_json::to_string(rules)?;
        let known: Option<String> =
            sqlx::query_scalar("SELECT value FROM meta WHERE key = 'ticket_rules'")
                .fetch_optional(&mut self.connection)
                .await?;
        if known.as_deref().unwrap_or("{}") == text {
            return Ok(());
        }
        let known: BTreeMap<String, String> =
            serde_json::from_str(known.as_deref().unwrap_or("{}"))?;
        let other: Vec<&String> = rules
            .iter()
            .filter(|(name, print)| known.get(*name) != Some(print))
            .map(|(name, _)| name)
            .collect();
        let names: Vec<&String> = rules.keys().collect();
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        for (sql, rows) in [
            (
                "DELETE FROM standing WHERE rule NOT IN (SELECT value FROM json_each(?1))",
                bulk(&names)?,
            ),
            (
                "UPDATE standing SET phase = 'begun' WHERE rule IN (SELECT value FROM json_each(?1))",
                bulk(&other)?,
            ),
            (
                "INSERT OR IGNORE INTO unjudged (record) SELECT id FROM record WHERE side = 'crm' AND ?1 <> '[]'",
                bulk(&other)?,
            ),
            (
                "UPDATE ticket SET dirty = 1 WHERE ?1 <> ''",
                "all".to_owned(),
            ),
            // Other rules want something else than what somebody has answered about.
            (
                "DELETE FROM hold WHERE record IS NULL AND kind = 'ticket' AND answer IS NOT NULL AND ?1 <> ''",
                "all".to_owned(),
            ),
            (
                "INSERT INTO meta (key, value) VALUES ('ticket_rules', ?1)
                 ON CONFLICT DO UPDATE SET value = excluded.value",
                text,
            ),
        ] {
            sqlx::query(sql).bind(rows).execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Up to `limit` customers whose standing has to be looked at.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn unjudged(&mut self, limit: i64) -> Result<Vec<Unjudged>, StoreError> {
        let rows: Vec<(i64, String, Option<String>)> = sqlx::query_as(
            "SELECT r.id, r.kind, CASE WHEN r.presence = 'live' THEN r.image END
             FROM unjudged AS u CROSS JOIN record AS r ON r.id = u.record LIMIT ?1",
        )
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        rows.into_iter()
            .map(|(row, kind, image)| {
                Ok(Unjudged {
                    row,
                    kind: kind_of(&kind),
                    image: image.as_deref().map(serde_json::from_str).transpose()?,
                })
            })
            .collect()
    }

    /// Writes down what was found out about `looked_at`. Tickets of those whose standing has begun or
    /// ended, or who may be back, are planned again. Returns how many standings have begun and how many
    /// have ended.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn judged(
        &mut self,
        now: DateTime<Utc>,
        looked_at: &[i64],
        judged: &Judged,
    ) -> Result<(u64, u64), StoreError> {
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let begun: Vec<i64> = sqlx::query_scalar(
            "INSERT OR IGNORE INTO standing (rule, record, phase, since)
             SELECT value ->> 1, value ->> 0, 'begun', ?2 FROM json_each(?1) RETURNING record",
        )
        .bind(bulk(&judged.holds)?)
        .bind(stamp(now))
        .fetch_all(&mut *tx)
        .await?;
        let ended: Vec<i64> = sqlx::query_scalar(
            "DELETE FROM standing WHERE (record, rule) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))
             RETURNING record",
        )
        .bind(bulk(&judged.ends)?)
        .fetch_all(&mut *tx)
        .await?;
        away(&mut tx, &bulk(&judged.away)?).await?;
        // Those that are remembered show nothing new when they are read.
        let mut changed = unread(&mut tx, looked_at).await?;
        changed.extend(&ended);
        replan(&mut tx, &changed).await?;
        sqlx::query("DELETE FROM unjudged WHERE record IN (SELECT value FROM json_each(?1))")
            .bind(bulk(looked_at)?)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok((begun.len() as u64, ended.len() as u64))
    }

    /// Customers whose tickets have to be read, who are there and have a counterpart in Freshdesk, by
    /// record above `after`; at most `limit`.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn begun(&mut self, after: i64, limit: i64) -> Result<Vec<Begun>, StoreError> {
        // In the words of the index, or all standings there are would be gone through in each cycle.
        let rows: Vec<(i64, String, String)> = sqlx::query_as(
            "SELECT DISTINCT s.record, d.kind, d.remote_id FROM standing AS s
             JOIN link AS l ON l.crm = s.record JOIN record AS d ON d.id = l.desk AND d.presence = 'live'
             WHERE s.phase = 'begun' AND s.phase <> 'read' AND s.record > ?1
               AND EXISTS (SELECT 1 FROM record AS c WHERE c.id = s.record AND c.presence = 'live')
             ORDER BY s.record LIMIT ?2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(row, kind, desk)| Begun {
                row,
                kind: kind_of(&kind),
                desk: RecordId(desk),
            })
            .collect())
    }

    /// How many customers' tickets have to be read.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn begun_count(&mut self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(DISTINCT s.record) FROM standing AS s
             JOIN link AS l ON l.crm = s.record JOIN record AS d ON d.id = l.desk AND d.presence = 'live'
             WHERE s.phase = 'begun' AND s.phase <> 'read'
               AND EXISTS (SELECT 1 FROM record AS c WHERE c.id = s.record AND c.presence = 'live')",
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok(count.unsigned_abs())
    }

    /// Whether the tickets of any of these customers have to be read.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn is_unread(&mut self, records: &[i64]) -> Result<bool, StoreError> {
        if records.is_empty() {
            return Ok(false);
        }
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM json_each(?1) AS it CROSS JOIN standing AS s
               ON s.record = it.value AND s.phase = 'begun')",
        )
        .bind(bulk(records)?)
        .fetch_one(&mut self.connection)
        .await?)
    }

    /// A pass over all tickets begins: it reads those of everybody who is there and whose standing has
    /// begun.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn sweep_begins(&mut self) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE standing SET phase = 'sweeping' WHERE phase = 'begun'
               AND EXISTS (SELECT 1 FROM record AS c WHERE c.id = standing.record AND c.presence = 'live')",
        )
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// That pass has read all tickets.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn sweep_ended(&mut self) -> Result<(), StoreError> {
        self.phase("sweeping", "read").await
    }

    /// That pass has never begun: whom it was for is read anew.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn sweep_lapsed(&mut self) -> Result<(), StoreError> {
        self.phase("sweeping", "begun").await
    }

    async fn phase(&mut self, from: &str, to: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE standing SET phase = ?2 WHERE phase = ?1")
            .bind(from)
            .bind(to)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}

/// These customers are not there. Of a ticket that is read meanwhile nobody can say whether their
/// standing holds, and it is not remembered: all of theirs are read once they are back.
pub(super) async fn away(tx: &mut SqliteConnection, records: &str) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE standing SET phase = 'begun' WHERE record IN (SELECT value FROM json_each(?1))",
    )
    .bind(records)
    .execute(tx)
    .await?;
    Ok(())
}

/// Those of these customers whose tickets have to be read: a standing has begun, or they were away.
async fn unread(tx: &mut SqliteConnection, records: &[i64]) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT DISTINCT record FROM standing
         WHERE phase = 'begun' AND record IN (SELECT value FROM json_each(?1))",
    )
    .bind(bulk(records)?)
    .fetch_all(tx)
    .await?)
}

/// Tickets of these customers of the CRM are planned again.
async fn replan(tx: &mut SqliteConnection, records: &[i64]) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let records = bulk(records)?;
    for sql in [
        "UPDATE ticket SET dirty = 1 WHERE requester IN (
           SELECT d.remote_id FROM json_each(?1) AS it JOIN link AS l ON l.crm = it.value
           JOIN record AS d ON d.id = l.desk AND d.kind = 'contact')",
        "UPDATE ticket SET dirty = 1 WHERE company IN (
           SELECT d.remote_id FROM json_each(?1) AS it JOIN link AS l ON l.crm = it.value
           JOIN record AS d ON d.id = l.desk AND d.kind = 'company')",
    ] {
        sqlx::query(sql).bind(&records).execute(&mut *tx).await?;
    }
    Ok(())
}

/// CRM records that are news have their standing looked at.
pub(super) async fn unjudge(tx: &mut SqliteConnection, records: &[i64]) -> Result<(), StoreError> {
    if !records.is_empty() {
        sqlx::query("INSERT OR IGNORE INTO unjudged (record) SELECT value FROM json_each(?1)")
            .bind(bulk(records)?)
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// Customers who got another counterpart have other tickets, and tickets of which nobody knew whose
/// they are have a customer.
pub(super) async fn relinked(tx: &mut SqliteConnection, links: &str) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE standing SET phase = 'begun' WHERE record IN (SELECT value ->> 2 FROM json_each(?1))",
    )
    .bind(links)
    .execute(&mut *tx)
    .await?;
    let customers: Vec<i64> = sqlx::query_scalar(
        "SELECT value ->> 2 FROM json_each(?1) WHERE EXISTS (SELECT 1 FROM ticket)",
    )
    .bind(links)
    .fetch_all(&mut *tx)
    .await?;
    replan(tx, &customers).await
}

fn kind_of(word: &str) -> Kind {
    if word == Kind::Company.word() {
        Kind::Company
    } else {
        Kind::Contact
    }
}
