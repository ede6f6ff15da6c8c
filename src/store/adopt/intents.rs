//! Writes that are about to be sent: in the journal first, and in the outbox until their outcome is known.

use crate::model::Side;
use crate::store::StoreError;
use crate::store::adoption::{Adoption, Intent};
use crate::store::rows::{stamp, write};
use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;
use std::sync::Arc;

pub(super) async fn intend(
    tx: &mut SqliteConnection,
    cycle: i64,
    now: DateTime<Utc>,
    plan: &Adoption,
    numbers: &[i64],
) -> Result<(), StoreError> {
    if plan.intents.is_empty() {
        return Ok(());
    }
    let now: Arc<str> = stamp(now).into();
    let rows: Vec<(&Intent, i64, String)> = plan
        .intents
        .iter()
        .zip(numbers)
        .map(|(it, journal)| Ok((it, *journal, serde_json::to_string(it.fields.as_ref())?)))
        .collect::<Result<_, StoreError>>()?;
    let insert = "INSERT INTO journal (id, cycle, at, action, side, kind, link, crm_id, desk_id, fields) VALUES";
    write(
        tx,
        &rows,
        "(?,?,?,?,?,?,?,?,?,?)",
        |rows| format!("{insert} {rows}"),
        |query, (it, journal, fields)| {
            let query = query.bind(*journal).bind(cycle).bind(Arc::clone(&now));
            let query = query.bind(it.verb.word()).bind(it.side.word());
            let query = query.bind(it.kind.word()).bind(it.link.map(|link| link.0));
            let id = |side: Side| it.ids.of(side).as_ref().map(|id| id.0.clone());
            let query = query.bind(id(Side::Crm)).bind(id(Side::Desk));
            query.bind(fields.as_str())
        },
    )
    .await?;
    let insert = "INSERT OR REPLACE INTO outbox (record, action, side, kind, state, journal, attempts, since, due_at) VALUES";
    write(
        tx,
        &rows,
        "(?,?,?,?,'sent',?,?,?,?)",
        |rows| format!("{insert} {rows}"),
        |query, (it, journal, _)| {
            let query = query.bind(it.row).bind(it.verb.word());
            let query = query.bind(it.side.word()).bind(it.kind.word());
            let query = query.bind(*journal).bind(it.attempts);
            query.bind(Arc::clone(&now)).bind(Arc::clone(&now))
        },
    )
    .await
}
