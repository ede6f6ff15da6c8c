//! Partners that cannot be read: the rest of their page goes on without them.
//!
//! Odoo answers for a page as a whole. A module that computes a field and breaks down over one partner so
//! fails every page that shows it. What is stored can be read all the same, and tells who is on the page.

use super::read::{members, search_read};
use super::record::{Reading, Shown, database_id};
use super::{Odoo, PAGE};
use crate::model::Presence;
use crate::remote::apart::{Apart, in_halves, is_taken_apart};
use crate::remote::reply::Reply;
use crate::remote::{Feed, PageRequest, RemoteError};
use serde_json::{Value as Json, json};

impl Odoo {
    /// The rows of a page, as they stand in the answer; where they cannot be read together, none of them whole.
    pub(super) async fn rows(
        &self,
        request: &PageRequest<'_>,
        reading: &Reading<'_>,
        domain: &[Json],
    ) -> Result<(Reply, Vec<Shown>), RemoteError> {
        let otherwise = match request.feed {
            Feed::Trash(_) => Presence::Trashed,
            Feed::All | Feed::Again | Feed::Changes(_) => Presence::Live,
        };
        let ask = |reading: &Reading<'_>| {
            self.answer(search_read(
                request.kind,
                domain,
                &reading.columns(),
                Some(PAGE),
            ))
        };
        let error = match ask(reading).await {
            Ok(reply) => {
                let rows = reading.shown(&reply, otherwise)?;
                return Ok((reply, rows));
            }
            Err(error) if is_taken_apart(error.kind) => error,
            Err(error) => return Err(error),
        };
        let stored = self.reading(&[]).await?;
        let Ok(reply) = ask(&stored).await else {
            return Err(error);
        };
        let mut rows = stored.shown(&reply, otherwise)?;
        for row in &mut rows {
            row.whole = false;
        }
        Ok((reply, rows))
    }

    /// The records of a page. Those that are not whole are read by themselves.
    ///
    /// # Errors
    ///
    /// Where it is not single records: too many cannot be read, or nobody at all.
    pub(super) async fn sift(
        &self,
        request: &PageRequest<'_>,
        reading: &Reading<'_>,
        rows: Vec<Shown>,
    ) -> Result<Apart, RemoteError> {
        let (whole, mut odd): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.whole);
        let mut apart = Apart::of(whole.into_iter().map(|row| row.record).collect());
        let ids: Vec<i64> = odd.iter().map(|row| row.id).collect();
        let read = |ids| async move {
            let found = self.present(request.kind, request.fields, ids).await?;
            Ok(found.into_values().collect())
        };
        let (found, broken) = in_halves(&ids, read).await?;
        apart.records.extend(found);
        for (id, error) in broken {
            if let Some(at) = odd.iter().position(|row| row.id == *id) {
                apart.set_apart(odd.swap_remove(at).record, error)?;
            }
        }
        self.bear_witness(request, reading, apart).await
    }

    /// Makes sure, where nobody of a page could be read, that others can.
    async fn bear_witness(
        &self,
        request: &PageRequest<'_>,
        reading: &Reading<'_>,
        apart: Apart,
    ) -> Result<Apart, RemoteError> {
        let broken = apart.without_witness();
        let Some(first) = broken.first() else {
            return Ok(apart);
        };
        let ids: Vec<&str> = broken.iter().map(|it| it.shown.id.0.as_str()).collect();
        let ids: Vec<i64> = ids.into_iter().filter_map(database_id).collect();
        let mut others = members(request.kind);
        others.push(json!(["id", "not in", ids]));
        let other = search_read(request.kind, &others, &reading.columns(), Some(1));
        let read = self.answer(other).await;
        match read.and_then(|reply| reading.rows(&reply)) {
            Ok(rows) if !rows.is_empty() => Ok(apart),
            _ => Err(first.error.clone()),
        }
    }
}
