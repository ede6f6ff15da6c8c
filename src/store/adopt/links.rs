//! Links that are made and dropped, and who waited for them.

use super::{Waits, run};
use crate::model::{Kind, LinkId};
use crate::store::adoption::NewLink;
use crate::store::rows::{bulk, stamp, write};
use crate::store::{StoreError, parted, standings};
use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;
use std::sync::Arc;

pub(super) async fn drop_links(
    tx: &mut SqliteConnection,
    links: &[LinkId],
) -> Result<(), StoreError> {
    if links.is_empty() {
        return Ok(());
    }
    let ids = bulk(links)?;
    for sql in [
        "UPDATE record SET base = NULL, link = NULL, dirty = 1
         WHERE id IN (SELECT crm FROM link WHERE id IN (SELECT value FROM json_each(?1))
                      UNION ALL SELECT desk FROM link WHERE id IN (SELECT value FROM json_each(?1)))",
        "DELETE FROM link WHERE id IN (SELECT value FROM json_each(?1))",
    ] {
        run(tx, sql, &ids).await?;
    }
    Ok(())
}

pub(super) async fn make_links(
    tx: &mut SqliteConnection,
    cycle: i64,
    now: DateTime<Utc>,
    links: &[NewLink],
    waits: Waits,
) -> Result<(), StoreError> {
    if links.is_empty() {
        return Ok(());
    }
    insert_links(tx, cycle, now, links).await?;
    let of_companies = links.iter().any(|link| link.kind == Kind::Company);
    if waits.holds || waits.standings || waits.parted || of_companies {
        let rows: Vec<_> = links
            .iter()
            .map(|it| (it.link, it.kind, it.rows.crm, it.rows.desk))
            .collect();
        let rows = bulk(&rows)?;
        if waits.holds {
            forget_duplicates(tx, &rows).await?;
        }
        if waits.standings {
            standings::relinked(tx, &rows).await?;
        }
        if waits.parted {
            parted::join(tx, &rows).await?;
        }
        if of_companies {
            release_contacts(tx, &rows).await?;
        }
    }
    Ok(())
}

/// Writes new links; what they lead to is the caller's.
pub(in crate::store) async fn insert_links(
    tx: &mut SqliteConnection,
    cycle: i64,
    now: DateTime<Utc>,
    links: &[NewLink],
) -> Result<(), StoreError> {
    let now: Arc<str> = stamp(now).into();
    let insert = "INSERT INTO link (id, kind, crm, desk, found, since, cycle) VALUES";
    write(
        tx,
        links,
        "(?,?,?,?,?,?,?)",
        |rows| format!("{insert} {rows}"),
        |query, it| {
            let query = query.bind(it.link.0).bind(it.kind.word());
            let query = query.bind(it.rows.crm).bind(it.rows.desk);
            query
                .bind(it.found.as_str())
                .bind(Arc::clone(&now))
                .bind(cycle)
        },
    )
    .await
}

/// Records that got their counterpart wait for nobody's word on a refused create.
pub(in crate::store) async fn forget_duplicates(
    tx: &mut SqliteConnection,
    links: &str,
) -> Result<(), StoreError> {
    run(
        tx,
        "DELETE FROM hold WHERE class = 'duplicate' AND record IN (
           SELECT value ->> 2 FROM json_each(?1) UNION ALL SELECT value ->> 3 FROM json_each(?1))",
        links,
    )
    .await
}

/// Contacts that waited for these companies (`[[link, kind, crm, desk, …]]`) can be planned.
pub(in crate::store) async fn release_contacts(
    tx: &mut SqliteConnection,
    links: &str,
) -> Result<(), StoreError> {
    for sql in [
        "UPDATE record SET dirty = 1 WHERE id IN (
           SELECT w.record FROM json_each(?1) AS made
           CROSS JOIN record AS c ON c.id IN (made.value ->> 2, made.value ->> 3)
           CROSS JOIN waiting AS w ON w.side = c.side AND w.company = c.remote_id)",
        "DELETE FROM waiting WHERE (side, company) IN (
           SELECT c.side, c.remote_id FROM json_each(?1) AS made
           CROSS JOIN record AS c ON c.id IN (made.value ->> 2, made.value ->> 3))",
    ] {
        run(tx, sql, links).await?;
    }
    Ok(())
}
