//! Writing the records of a page, as far as they are news.

use super::keys::{Written, WrittenRow, by_id};
use super::rows::{bound_rows, bulk, image_text, in_bound, presence_word};
use super::{Ingest, PassKind, StoreError};
use crate::model::{Image, Presence};
use sqlx::{AssertSqlSafe, SqliteConnection};
use std::borrow::Cow;
use std::collections::HashMap;

/// The images of a page; what an answer left out is filled in from what is known.
pub(super) async fn complete<'a>(
    tx: &mut SqliteConnection,
    page: &Ingest<'a>,
) -> Result<Vec<Cow<'a, str>>, StoreError> {
    let partial: Vec<&str> = page
        .sightings
        .iter()
        .filter(|it| {
            page.fields
                .iter()
                .any(|field| it.observed.image.get(field).is_none())
        })
        .map(|it| it.observed.id.0.as_str())
        .collect();
    let mut known: HashMap<String, Image> = HashMap::new();
    if !partial.is_empty() {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT remote_id, image FROM record
             WHERE side = ?1 AND kind = ?2 AND remote_id IN (SELECT value FROM json_each(?3))",
        )
        .bind(page.side.word())
        .bind(page.kind.word())
        .bind(bulk(&partial)?)
        .fetch_all(tx)
        .await?;
        for (id, image) in rows {
            known.insert(id, serde_json::from_str(&image)?);
        }
    }
    page.sightings
        .iter()
        .map(|it| match known.get(&it.observed.id.0) {
            None => match &it.text {
                Some(text) => Ok(Cow::Borrowed(text.as_str())),
                None => Ok(Cow::Owned(image_text(&it.observed.image)?)),
            },
            Some(before) => {
                let mut image = it.observed.image.clone();
                image.fill_from(before);
                Ok(Cow::Owned(image_text(&image)?))
            }
        })
        .collect()
}

/// A live record to write: id, version, image, keys.
type LiveRow<'a> = (&'a str, i64, &'a str, String);

/// What is absent by now, `[[id, version, presence]]`. Each is looked up by itself: joined by the side and
/// kind, all records of a kind would be gone through for each page of a trash.
const GO_ABSENT: &str =
    "UPDATE record SET presence = news.value ->> 2, version = max(record.version, news.value ->> 1), dirty = 1
     FROM json_each(?3) AS news
     WHERE record.id = (SELECT known.id FROM record AS known
                        WHERE known.side = ?1 AND known.kind = ?2 AND known.remote_id = news.value ->> 0)
       AND record.presence <> news.value ->> 2
     RETURNING record.id, remote_id, keys";

/// Writes what is news, and returns it by remote id. What is known by content already is no write.
pub(super) async fn upsert(
    tx: &mut SqliteConnection,
    page: &Ingest<'_>,
    images: &[Cow<'_, str>],
    newest: i64,
) -> Result<HashMap<String, Written>, StoreError> {
    let (mut live, mut absent) = (Vec::new(), Vec::new());
    for (it, image) in page.sightings.iter().zip(images) {
        let (id, version) = (it.observed.id.0.as_str(), it.observed.version.0);
        if it.observed.presence == Presence::Live {
            live.push((id, version, image.as_ref(), bulk(&it.keys)?));
        } else {
            absent.push((id, version, presence_word(it.observed.presence)));
        }
    }
    let new = insert_first(tx, page, &live, newest).await?;
    let mut changed = new.unwrap_or_default();
    if changed.is_empty() {
        for rows in in_bound(&live) {
            changed.extend(upsert_live(tx, page, rows, newest).await?);
        }
    }
    if !absent.is_empty() {
        // A trashed record that we never knew is nobody's loss; one that we know is news.
        let rows: Vec<_> = sqlx::query_as(GO_ABSENT)
            .bind(page.side.word())
            .bind(page.kind.word())
            .bind(bulk(&absent)?)
            .fetch_all(&mut *tx)
            .await?;
        changed.extend(rows);
    }
    Ok(by_id(changed))
}

/// Writes live records, as [`upsert_live`] would, of a page that should have nothing but records never
/// seen before: what the first listing of everything brings. `None`, and nothing is written, where
/// it has others too. Rows whose handles are known in advance need not be told one by one.
async fn insert_first(
    tx: &mut SqliteConnection,
    page: &Ingest<'_>,
    live: &[LiveRow<'_>],
    newest: i64,
) -> Result<Option<Vec<WrittenRow>>, StoreError> {
    if page.feed != PassKind::All || page.tick_off {
        return Ok(None);
    }
    let row = format!(
        "(?,'{}','{}',?,?,'live',?,?)",
        page.side.word(),
        page.kind.word()
    );
    let numbered: Vec<(i64, &LiveRow<'_>)> = (newest + 1..).zip(live).collect();
    for rows in in_bound(&numbered) {
        let sql = format!(
            "INSERT INTO record (id, side, kind, remote_id, version, presence, image, keys)
             VALUES {rows} ON CONFLICT (side, kind, remote_id) DO NOTHING",
            rows = bound_rows(rows.len(), &row)
        );
        // Nothing but words of ours and the number of rows is in the statement's text.
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (row, (id, version, image, keys)) in rows {
            query = query.bind(*row).bind(*id).bind(*version).bind(*image);
            query = query.bind(keys.as_str());
        }
        let inserted = query.execute(&mut *tx).await?.rows_affected();
        if inserted != rows.len() as u64 {
            sqlx::query("DELETE FROM record WHERE id > ?1")
                .bind(newest)
                .execute(&mut *tx)
                .await?;
            return Ok(None);
        }
    }
    let written = |(row, (id, ..)): (i64, &LiveRow<'_>)| (row, (*id).to_owned(), None);
    Ok(Some(numbered.into_iter().map(written).collect()))
}

/// The fields that a support summary writes into a record, as a patch that takes them out of an image.
const SUMMARY: &str =
    "coalesce((SELECT json_group_object(fact.key, NULL) FROM support_written AS mine
               CROSS JOIN json_each(mine.facts) AS fact WHERE mine.record = record.id), '{}')";

/// Writes live records of which something is news, and returns those.
async fn upsert_live(
    tx: &mut SqliteConnection,
    page: &Ingest<'_>,
    rows: &[LiveRow<'_>],
    newest: i64,
) -> Result<Vec<WrittenRow>, StoreError> {
    // Only a pass over everything, or a single read, may take a record back to an older version: a
    // search index that lags behind our own write must not look like an edit. Nor must one that
    // lags behind a deletion look like a return.
    let rewinds = page.feed != PassKind::Changes;
    let (side, kind) = (page.side.word(), page.kind.word());
    // Of a record that is spared until it is edited, another mapping shows another image. Where nothing that we
    // read has changed since our own write but a summary of ours, a later version is what the system made of that.
    let sql = format!(
        "INSERT INTO record (side, kind, remote_id, version, presence, image, keys)
         VALUES {rows}
         ON CONFLICT (side, kind, remote_id) DO UPDATE SET
           base = CASE WHEN link IS NOT NULL AND base IS NULL AND image <> excluded.image THEN image ELSE base END,
           dirty = dirty OR presence <> 'live' OR version = -1
             OR (image <> excluded.image AND (standing IS NOT 'spared' OR version <> excluded.version)),
           standing = CASE WHEN standing NOT IN ('moved', 'converted', 'unsure') THEN standing END,
           edited = CASE WHEN edited IS NOT NULL AND presence = 'live'
             AND (image = excluded.image OR json_patch(image, {summary}) = json_patch(excluded.image, {summary}))
             THEN edited END,
           version = CASE excluded.version WHEN 0 THEN version ELSE excluded.version END,
           presence = 'live', image = excluded.image
         WHERE ({rewinds} OR excluded.version > version OR (excluded.version = version AND presence = 'live'))
           AND (version <> excluded.version OR image <> excluded.image OR presence <> 'live')
         RETURNING id, remote_id, CASE WHEN id <= ? THEN keys END",
        rows = bound_rows(rows.len(), &format!("('{side}','{kind}',?,?,'live',?,?)")),
        summary = SUMMARY,
    );
    // Nothing but words of ours and the number of rows is in the statement's text.
    let mut query = sqlx::query_as(AssertSqlSafe(sql));
    for (id, version, image, keys) in rows {
        query = query.bind(*id).bind(*version).bind(*image);
        query = query.bind(keys.as_str());
    }
    Ok(query.bind(newest).fetch_all(tx).await?)
}

#[cfg(test)]
mod tests {
    use super::GO_ABSENT;
    use crate::store::Store;

    #[tokio::test]
    async fn a_trash_of_thousands_does_not_keep_a_large_account_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&dir.path().join("state.db")).await.unwrap();
        let explain = format!("EXPLAIN QUERY PLAN {GO_ABSENT}");
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(explain.as_str()))
                .fetch_all(&mut store.connection)
                .await
                .unwrap();
        let steps: Vec<&str> = plan.iter().map(|(.., step)| step.as_str()).collect();
        assert!(
            steps.contains(&"SEARCH record USING INTEGER PRIMARY KEY (rowid=?)"),
            "{steps:?}"
        );
        assert!(
            !steps.iter().any(|it| it.starts_with("SCAN record")),
            "{steps:?}"
        );
    }
}
