//! Pages that fail as a whole because of one record: who is on them is asked for by name alone, on smaller
//! pages, and at last one by one. Whoever cannot be read so either is set apart, and stops nobody else.

use super::Hubspot;
use super::feed::ListAt;
use super::search::{Found, LIMIT, query};
use super::wire::{Listing, Wanted, decode, is_id};
use crate::model::{Image, Kind, Observed, Presence, RecordId, Version};
use crate::remote::apart::Apart;
use crate::remote::http::Call;
use crate::remote::reply::Reply;
use crate::remote::{ErrorKind, Fetched, Page, RemoteError};
use serde_json::{Value as Json, json};

/// The names of this property are all that is asked for where nothing else is to be shown.
const ID: &str = "hs_object_id";
/// No id is as high.
const HIGHEST: u64 = 1 << 53;

/// Whether a page that fails so may do it because of a record on it.
pub(super) const fn fails_as_a_whole(error: ErrorKind) -> bool {
    matches!(error, ErrorKind::Fault(_) | ErrorKind::Garbled)
}

/// Of a page that has `failed`, and of what came of looking for single records, the error to tell.
pub(super) fn rather(failed: RemoteError, narrowly: RemoteError) -> RemoteError {
    if narrowly.kind.may_be_one_records() {
        failed
    } else {
        narrowly
    }
}

impl Hubspot {
    /// As [`Self::search_page`], for one that has `failed`.
    ///
    /// # Errors
    ///
    /// Where it is not single records: then mostly `failed`.
    pub(super) async fn search_narrowly(
        &self,
        wanted: &Wanted<'_>,
        (filters, last): (&[Json], u64),
        failed: &RemoteError,
    ) -> Result<Found, RemoteError> {
        let names = [ID.to_owned()];
        let names = Wanted {
            fields: &names,
            ..*wanted
        };
        let ask = |limit| query(&names, filters, limit);
        if let Some((reply, limit)) = self.largest(ask, LIMIT).await? {
            let page = (&reply, &decode(&reply)?, limit);
            return self.found(wanted, page, last, true).await;
        }
        let Some((id, shows)) = self.next_by_search(wanted.kind, filters, last).await? else {
            return Err(failed.clone());
        };
        let apart = self.read_alone(wanted, id, failed).await?;
        Ok(Found {
            apart,
            last: id,
            complete: false,
            server_time: shows.server_time,
        })
    }

    /// As a page of the list at `at` with at most `limit` rows, for one that has `failed`.
    ///
    /// # Errors
    ///
    /// As [`Self::search_narrowly`].
    pub(super) async fn list_narrowly(
        &self,
        wanted: &Wanted<'_>,
        at: &ListAt,
        limit: usize,
        failed: &RemoteError,
    ) -> Result<Page, RemoteError> {
        let names = [ID.to_owned()];
        let names = Wanted {
            fields: &names,
            ..*wanted
        };
        let ask = |limit| at.call(&names, limit);
        if let Some((reply, _)) = self.largest(ask, limit).await? {
            return self
                .listed(wanted, at, &reply, &decode(&reply)?, true)
                .await;
        }
        // No search shows who is archived, and without the last id nobody knows where to look.
        let Some(last) = at.last.filter(|_| !at.archived) else {
            return Err(failed.clone());
        };
        let Some((id, shows)) = self.next_by_search(wanted.kind, &[], last).await? else {
            return Err(failed.clone());
        };
        let next = ListAt {
            archived: false,
            last: Some(id),
            after: Some((id + 1).to_string()),
        };
        if !self.leads_past(&names, &next, id).await? {
            return Err(failed.clone());
        }
        let apart = self.read_alone(wanted, id, failed).await?;
        Ok(Page {
            records: apart.records,
            unread: apart.unread,
            next: Some(next.cursor()),
            server_time: shows.server_time,
        })
    }

    /// The answer to the largest page that does not fail, and its size; nothing where not even a page of one
    /// row is. The next one then begins with whom it failed over.
    async fn largest(
        &self,
        ask: impl Fn(usize) -> Call,
        most: usize,
    ) -> Result<Option<(Reply, usize)>, RemoteError> {
        if let Some(reply) = self.once(ask(most)).await? {
            return Ok(Some((reply, most)));
        }
        let (mut size, mut fails) = (1, most);
        let Some(mut largest) = self.once(ask(size)).await? else {
            return Ok(None);
        };
        while fails - size > 1 {
            let between = size + (fails - size) / 2;
            match self.once(ask(between)).await? {
                Some(reply) => (largest, size) = (reply, between),
                None => fails = between,
            }
        }
        Ok(Some((largest, size)))
    }

    /// The page that answers `call`, which is not sent again; nothing where it fails as a whole.
    async fn once(&self, mut call: Call) -> Result<Option<Reply>, RemoteError> {
        call.repeatable = false;
        let reply = self.http.send(call).await.and_then(Reply::ok);
        let page = reply.and_then(|reply| decode::<Listing<'_>>(&reply).map(drop).map(|()| reply));
        match page {
            Ok(reply) => Ok(Some(reply)),
            Err(error) if fails_as_a_whole(error.kind) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The lowest id above `last` that meets `filters`, and an answer that came meanwhile; nothing where
    /// there is none.
    ///
    /// Where the search fails that would name it, searches tell it that would not: the first that fails
    /// among those for the ids up to some number is the one up to its own.
    async fn next_by_search(
        &self,
        kind: Kind,
        filters: &[Json],
        last: u64,
    ) -> Result<Option<(u64, Reply)>, RemoteError> {
        let names = [ID.to_owned()];
        let wanted = Wanted {
            kind,
            fields: &names,
        };
        let up_to = |id: u64| {
            let low = (last + 1).to_string();
            let among = json!({"propertyName": ID, "operator": "BETWEEN", "value": low, "highValue": id.to_string()});
            let filters: Vec<Json> = filters.iter().cloned().chain([among]).collect();
            self.once(query(&wanted, &filters, 1))
        };
        let mut shows = match up_to(HIGHEST).await? {
            Some(reply) => return Ok(first_of(&reply)?.map(|id| (id, reply))),
            None => None,
        };
        let (mut without, mut step, mut with) = (last, 1, None);
        while with.is_none_or(|with| with - without > 1) {
            let id = match with {
                Some(with) => without + (with - without) / 2,
                None => without + step,
            };
            if id >= HIGHEST {
                return Ok(None);
            }
            match up_to(id).await? {
                None => with = Some(id),
                Some(reply) if first_of(&reply)?.is_none() => {
                    (without, step, shows) = (id, step * 2, Some(reply));
                }
                // It could be shown after all.
                Some(_) => return Ok(None),
            }
        }
        let shows = match shows {
            Some(reply) => reply,
            None => self.search(query(&wanted, &[nobody()], 1)).await?,
        };
        Ok(with.map(|id| (id, shows)))
    }

    /// Whether a list that goes on at `next` passes over nobody but `id`: what a cursor means is not
    /// documented.
    async fn leads_past(
        &self,
        names: &Wanted<'_>,
        next: &ListAt,
        id: u64,
    ) -> Result<bool, RemoteError> {
        let above = json!({"propertyName": ID, "operator": "GT", "value": id.to_string()});
        let searched = self.once(query(names, &[above], 1)).await?;
        let listed = self.once(next.call(names, 1)).await?;
        let (Some(searched), Some(listed)) = (searched, listed) else {
            return Ok(false);
        };
        Ok(match (first_of(&searched)?, first_of(&listed)?) {
            (Some(searched), Some(listed)) => id < listed && listed <= searched,
            // The search knows nobody who is new.
            (None, Some(listed)) => id < listed,
            (None, None) => true,
            (Some(_), None) => false,
        })
    }

    /// The record of this id, by its own read; set apart where that fails too.
    async fn read_alone(
        &self,
        wanted: &Wanted<'_>,
        id: u64,
        failed: &RemoteError,
    ) -> Result<Apart, RemoteError> {
        let id = RecordId(id.to_string());
        let error = match self.read_one(wanted, &id).await {
            Ok(Fetched::Found(record)) => return Ok(Apart::of(vec![record])),
            Ok(Fetched::Gone | Fetched::MovedTo(_)) => return Err(failed.clone()),
            Err(error) if error.kind.may_be_one_records() => error,
            Err(error) => return Err(error),
        };
        let mut apart = Apart::default();
        let shown = Observed {
            id,
            version: Version::default(),
            presence: Presence::Live,
            image: Image::default(),
        };
        apart.set_apart(shown, error)?;
        self.bear_witness(wanted, apart, failed.clone()).await
    }

    /// Whether somebody of a kind beside `but` can be read.
    pub(super) async fn shows_another(
        &self,
        wanted: &Wanted<'_>,
        but: &[&str],
    ) -> Result<bool, RemoteError> {
        let others = json!({"propertyName": ID, "operator": "NOT_IN", "values": but});
        let reply = match self.once(query(wanted, &[others], 1)).await {
            Ok(Some(reply)) => reply,
            Ok(None) => return Ok(false),
            Err(error) if error.kind.may_be_one_records() => return Ok(false),
            Err(error) => return Err(error),
        };
        let listing: Listing<'_> = decode(&reply)?;
        let mut rows = listing.results.iter();
        Ok(rows.any(|row| row.observed(wanted).is_some()))
    }
}

/// What no record meets.
fn nobody() -> Json {
    json!({"propertyName": ID, "operator": "LT", "value": "0"})
}

/// The id of the first row.
fn first_of(reply: &Reply) -> Result<Option<u64>, RemoteError> {
    let listing: Listing<'_> = decode(reply)?;
    let first = listing.results.first().filter(|row| is_id(&row.id));
    Ok(first.and_then(|row| row.id.parse().ok()))
}
