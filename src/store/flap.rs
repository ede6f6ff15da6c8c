//! The recent writes of pairs, field by field, and answers about fields that were fought over.

use super::rows::{bulk, parse, stamp};
use super::{Store, StoreError};
use crate::model::{Changes, LinkId, Side};
use crate::plan::{PastWrite, Rule};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::SqliteConnection;
use std::borrow::Cow;
use std::collections::HashMap;

/// Earlier writes of the fields that are about to be written, in the order in which they were made.
#[derive(Debug, Default)]
pub struct PastWrites(HashMap<LinkId, Vec<(String, Vec<PastWrite>)>>);

impl PastWrites {
    /// Whether there are none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of one field of one pair.
    #[must_use]
    pub fn of(&self, link: LinkId, field: &str) -> &[PastWrite] {
        let fields = self.0.get(&link).map(Vec::as_slice).unwrap_or_default();
        let past = fields.iter().find(|(name, _)| name == field);
        past.map(|(_, past)| past.as_slice()).unwrap_or_default()
    }

    fn add(&mut self, link: LinkId, field: &str, write: PastWrite) {
        let fields = self.0.entry(link).or_default();
        match fields.iter_mut().find(|(name, _)| name == field) {
            Some((_, past)) => past.push(write),
            None => fields.push((field.to_owned(), vec![write])),
        }
    }
}

/// As much of a [`crate::plan::FieldChange`] as has to be known of one that was written.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    field: Cow<'a, str>,
    set: Changes,
    rule: Rule,
}

/// Whether a row's fields may name one of these. Most rows are about others, and are not worth
/// reading.
fn may_name(fields: &str, planned: &[&str]) -> bool {
    let escaped = |c: char| c == '"' || c == '\\' || c.is_control();
    let mut planned = planned.iter();
    planned.any(|name| name.contains(escaped) || fields.contains(name))
}

impl Store {
    /// The confirmed updates since `since` of the fields that are `planned`, by link.
    ///
    /// # Errors
    ///
    /// Where the database fails, or holds something unreadable.
    pub async fn written_lately(
        &mut self,
        planned: &HashMap<LinkId, Vec<&str>>,
        since: DateTime<Utc>,
    ) -> Result<PastWrites, StoreError> {
        let links: Vec<LinkId> = planned.keys().copied().collect();
        let rows: Option<String> = sqlx::query_scalar(
            "SELECT json_group_array(json_array(j.id, j.link, j.at, j.side, j.fields))
             FROM json_each(?1) AS asked CROSS JOIN journal AS j ON j.link = asked.value
             WHERE j.action = 'update' AND j.outcome = 'done' AND j.at >= ?2",
        )
        .bind(bulk(&links)?)
        .bind(stamp(since))
        .fetch_one(&mut self.connection)
        .await?;
        let mut rows: Vec<(i64, LinkId, String, String, String)> = parse(rows)?;
        rows.sort_unstable_by_key(|row| row.0);
        let mut past = PastWrites::default();
        for (_, link, at, side, fields) in &rows {
            let planned = planned.get(link).map(Vec::as_slice).unwrap_or_default();
            let target = Side::BOTH.into_iter().find(|it| it.word() == side);
            let Some(target) = target.filter(|_| may_name(fields, planned)) else {
                continue;
            };
            let at = DateTime::parse_from_rfc3339(at).map_or(0, |at| at.timestamp_millis());
            let changes: Vec<Written<'_>> = serde_json::from_str(fields)?;
            for Written { field, set, rule } in changes {
                if planned.iter().any(|name| *name == field) {
                    let write = PastWrite::of(set, &rule, target, at);
                    past.add(*link, &field, write);
                }
            }
        }
        Ok(past)
    }
}

/// What was approved of fields that were fought over is done where these rows of the journal have
/// written them: the next fight is another one.
pub(super) async fn carried_out(
    tx: &mut SqliteConnection,
    journal: &[i64],
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM hold WHERE id IN (
           SELECT h.id FROM hold AS h CROSS JOIN link AS l ON l.crm = h.record CROSS JOIN journal AS j ON j.link = l.id
           WHERE h.answer IS NOT NULL AND h.class = 'flap' AND j.id IN (SELECT value FROM json_each(?1))
             AND EXISTS (SELECT 1 FROM json_each(j.fields) AS f WHERE f.value ->> 'field' = h.field))",
    )
    .bind(bulk(journal)?)
    .execute(tx)
    .await?;
    Ok(())
}
