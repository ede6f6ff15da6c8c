//! Searches: their pages, which go by id, and their pace. They have a limit of their own, five a
//! second and account, shared by all apps, and no header tells what is left (CRM API usage
//! guidelines, search).

use super::wire::{Listing, Wanted, decode, observe};
use super::{Hubspot, Verb, endpoint, plural};
use crate::clock::monotonic;
use crate::model::{Observed, Side};
use crate::remote::http::{Call, Reply};
use crate::remote::{ErrorKind, RemoteError};
use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Rows a page; more is refused.
const LIMIT: usize = 200;
/// Characters that a search may have; more is refused.
const LONGEST: usize = 3000;
/// Searches a second that an account has.
const PER_SECOND: f64 = 5.0;
/// `HubSpot`'s second and what the way there may add to it.
const WINDOW: Duration = Duration::from_millis(1100);

/// Admits so many searches in any window. A bucket that refills would let twice as many through in
/// its first second.
#[derive(Debug)]
pub(super) struct SearchPace {
    most: usize,
    sent: Mutex<VecDeque<Instant>>,
}

impl SearchPace {
    /// `share` is our part of the account's searches; one a window is always ours.
    pub(super) fn new(share: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a saturating cast of a small positive number"
        )]
        let most = (PER_SECOND * share).floor().max(1.0) as usize;
        Self {
            most,
            sent: Mutex::default(),
        }
    }

    /// Counts one search, or says how long to wait before asking again.
    fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        while sent.front().is_some_and(|at| now >= *at + WINDOW) {
            sent.pop_front();
        }
        match sent.front() {
            Some(oldest) if sent.len() >= self.most => Err(*oldest + WINDOW - now),
            _ => {
                sent.push_back(now);
                Ok(())
            }
        }
    }
}

/// A page of a search.
#[derive(Debug)]
pub(super) struct Found {
    pub records: Vec<Observed>,
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
        let reply = self.search(call).await?;
        let listing: Listing<'_> = decode(&reply)?;
        let records = if too_long {
            let ids: Vec<&str> = listing.results.iter().map(|row| &*row.id).collect();
            self.read_present(wanted, &ids, false).await?
        } else {
            observe(&reply, &listing.results, wanted)?
        };
        Ok(Found {
            records,
            last: last_id(&reply, &listing, last)?,
            complete: complete(&reply, &listing)?,
            server_time: reply.server_time,
        })
    }

    /// Sends a search when its own pace allows.
    pub(super) async fn search(&self, call: Call) -> Result<Reply, RemoteError> {
        while let Err(wait) = self.searches.admit(monotonic()) {
            tokio::select! {
                () = self.stop.cancelled() => return Err(RemoteError {
                    side: Side::Crm,
                    call: format!("{} {}", call.method, call.endpoint),
                    kind: ErrorKind::Stopped,
                    detail: String::new(),
                    request_id: None,
                }),
                () = tokio::time::sleep(wait) => {}
            }
        }
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
fn complete(reply: &Reply, listing: &Listing<'_>) -> Result<bool, RemoteError> {
    let rows = listing.results.len();
    let more = listing.after().is_some() || listing.total.is_some_and(|total| total > rows);
    if more && rows == 0 {
        let detail = "the search says that there is more and shows nothing";
        return Err(reply.error(ErrorKind::Garbled, detail));
    }
    Ok(!more && (rows < LIMIT || listing.total == Some(rows)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_sees_more_searches_than_the_account_has() {
        let (pace, start) = (SearchPace::new(1.0), monotonic());
        let (mut now, mut sent) = (start, Vec::new());
        while sent.len() < 40 {
            match pace.admit(now) {
                Ok(()) => sent.push(now),
                Err(wait) => now += wait,
            }
        }
        for (first, sixth) in sent.iter().zip(&sent[5..]) {
            assert!(*sixth - *first > Duration::from_secs(1));
        }
        assert!(now - start < Duration::from_secs(9));
    }

    #[test]
    fn a_small_share_still_searches() {
        let (pace, now) = (SearchPace::new(0.1), monotonic());
        assert_eq!(pace.admit(now), Ok(()));
        assert_eq!(pace.admit(now), Err(WINDOW));
    }
}
