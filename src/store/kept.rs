//! What the journal has of fields on which both sides were left to differ.

use super::StoreError;
use super::rows::{bulk, stamp};
use crate::model::{Image, Kind, LinkId, Pair};
use crate::plan::{FieldChange, Rule};
use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

/// What the journal calls it when a person lets both sides keep what they have.
pub(super) const KEEP: &str = "keep";

/// Fields of a pair that a person wants left as they are.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The pair.
    pub link: LinkId,
    /// Of which kind.
    pub kind: Kind,
    /// The handles of its records.
    pub rows: Pair<i64>,
    /// The fields.
    pub fields: Vec<String>,
}

/// Journals these under the numbers from `first` on, without the values: both sides still have them.
pub(super) async fn journal(
    tx: &mut SqliteConnection,
    (cycle, now): (i64, DateTime<Utc>),
    first: i64,
    kept: &[Kept],
) -> Result<(), StoreError> {
    if kept.is_empty() {
        return Ok(());
    }
    let mut news = Vec::with_capacity(kept.len());
    for (number, it) in (first..).zip(kept) {
        let fields: Vec<FieldChange> = it.fields.iter().map(|field| named(field)).collect();
        let fields = serde_json::to_string(&fields)?;
        news.push((
            number,
            it.kind,
            it.link,
            (it.rows.crm, it.rows.desk),
            fields,
        ));
    }
    // Its outcome is none of a write's: there is nothing in it to take back.
    sqlx::query(
        "INSERT INTO journal (id, cycle, at, side, kind, action, link, crm_id, desk_id, fields, outcome)
         SELECT news.value ->> 0, ?2, ?3, 'crm', news.value ->> 1, ?4, news.value ->> 2,
                c.remote_id, d.remote_id, news.value ->> 4, 'kept'
         FROM json_each(?1) AS news
         CROSS JOIN record AS c ON c.id = news.value ->> '$[3][0]'
         CROSS JOIN record AS d ON d.id = news.value ->> '$[3][1]'",
    )
    .bind(bulk(&news)?)
    .bind(cycle)
    .bind(stamp(now))
    .bind(KEEP)
    .execute(tx)
    .await?;
    Ok(())
}

fn named(field: &str) -> FieldChange {
    FieldChange {
        field: field.to_owned(),
        base: Vec::new(),
        crm: Vec::new(),
        freshdesk: Vec::new(),
        set: Image::default(),
        rule: Rule::Kept,
    }
}
