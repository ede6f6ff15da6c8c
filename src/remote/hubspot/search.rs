//! Searches: their pages, which go by id.

use super::narrow::{fails_as_a_whole, rather};
use super::wire::{Listing, Wanted, decode};
use super::{Hubspot, Verb, endpoint, plural};
use crate::remote::apart::Apart;
use crate::remote::http::Call;
use crate::remote::reply::Reply;
use crate::remote::{ErrorKind, RemoteError};
use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

/// Rows a page; more is refused.
pub(super) const LIMIT: usize = 200;
/// Characters that a search may have; more is refused.
const LONGEST: usize = 3000;
/// A page of a search.
#[derive(Debug)]
pub(super) struct Found {
    pub apart: Apart,
    /// The highest id so far.
    pub last: u64,
    /// Whether the search ends with this page.
    pub complete: bool,
    pub server_time: DateTime<Utc>,
}

impl Hubspot {
    /// The records above the id `last` that meet `filters`, in the order of ids.
    pub(super) async fn search_page(
        &self,
        wanted: &Wanted<'_>,
        filters: &[Json],
        last: u64,
    ) -> Result<Found, RemoteError> {
        let above =
            json!({"propertyName": "hs_object_id", "operator": "GT", "value": last.to_string()});
        let filters: Vec<Json> = filters.iter().cloned().chain([above]).collect();
        let mut call = query(wanted, &filters, LIMIT);
        let body = call.body.as_ref().map(Json::to_string);
        let too_long = body.is_some_and(|body| body.chars().count() > LONGEST);
        if too_long {
            // So many properties can only be read by id.
            let ids_alone = Wanted {
                fields: &[],
                ..*wanted
            };
            call = query(&ids_alone, &filters, LIMIT);
        }
        let failed = match self.search(call).await {
            Ok(reply) => match decode::<Listing<'_>>(&reply) {
                Ok(listing) => {
                    let page = (&reply, &listing, LIMIT);
                    return self.found(wanted, page, last, too_long).await;
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        if !fails_as_a_whole(failed.kind) {
            return Err(failed);
        }
        let narrowly = self.search_narrowly(wanted, (&filters, last), &failed);
        narrowly.await.map_err(|error| rather(failed, error))
    }

    /// What a page of at most `limit` rows above the id `last` shows; those that are named alone are read by
    /// their ids.
    pub(super) async fn found(
        &self,
        wanted: &Wanted<'_>,
        (reply, listing, limit): (&Reply, &Listing<'_>, usize),
        last: u64,
        names_alone: bool,
    ) -> Result<Found, RemoteError> {
        let (last, complete) = (
            last_id(reply, listing, last)?,
            complete(reply, listing, limit)?,
        );
        let rows = &listing.results;
        let apart = if names_alone {
            self.read_named(reply, rows, wanted, false).await?
        } else {
            self.sift(reply, rows, wanted, false).await?
        };
        Ok(Found {
            apart,
            last,
            complete,
            server_time: reply.server_time,
        })
    }

    /// Sends a search.
    pub(super) async fn search(&self, call: Call) -> Result<Reply, RemoteError> {
        self.http.send(call).await?.ok()
    }
}

/// A search of one filter group, in the order of ids.
pub(super) fn query(wanted: &Wanted<'_>, filters: &[Json], limit: usize) -> Call {
    Call::query_by_post(
        endpoint(wanted.kind, Verb::Search),
        format!("/crm/v3/objects/{}/search", plural(wanted.kind)),
        json!({
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": wanted.properties(),
            "limit": limit,
        }),
    )
}

/// The highest id of a page whose ids must ascend from above `last`.
fn last_id(reply: &Reply, listing: &Listing<'_>, mut last: u64) -> Result<u64, RemoteError> {
    for row in &listing.results {
        match row.id.parse() {
            Ok(id) if id > last => last = id,
            _ => {
                let detail = "the search is not in the order of ids, above the last one";
                return Err(reply.error(ErrorKind::Garbled, detail));
            }
        }
    }
    Ok(last)
}

/// Whether a search ends with this page: the server names no next one, and either the page is not
/// full or the server's own count says that this was all.
fn complete(reply: &Reply, listing: &Listing<'_>, limit: usize) -> Result<bool, RemoteError> {
    let rows = listing.results.len();
    let more = listing.after().is_some() || listing.total.is_some_and(|total| total > rows);
    if more && rows == 0 {
        let detail = "the search says that there is more and shows nothing";
        return Err(reply.error(ErrorKind::Garbled, detail));
    }
    Ok(!more && (rows < limit || listing.total == Some(rows)))
}
