//! The three feeds: all, changed and archived records, page by page.

use super::narrow::{fails_as_a_whole, rather};
use super::search::query;
use super::wire::{Listing, Wanted, decode};
use super::{Hubspot, Verb, endpoint, plural};
use crate::model::Kind;
use crate::remote::http::Call;
use crate::remote::reply::Reply;
use crate::remote::{Cursor, ErrorKind, Feed, Page, PageRequest, RemoteError};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rows a list page; more is refused.
const LIST_LIMIT: usize = 100;
/// 1 January 2100: no record was changed after it.
const FAR_FUTURE: i64 = 4_102_444_800_000;

/// Whether searches by time have been seen to filter, for each kind.
#[derive(Debug, Default)]
pub(super) struct Proven {
    companies: AtomicBool,
    contacts: AtomicBool,
}

impl Proven {
    fn of(&self, kind: Kind) -> &AtomicBool {
        match kind {
            Kind::Company => &self.companies,
            Kind::Contact => &self.contacts,
        }
    }
}

/// The property that holds the time of the last change. Contacts differ from everything else, and
/// a filter on the wrong name finds nothing without saying so.
const fn modified(kind: Kind) -> &'static str {
    match kind {
        Kind::Contact => "lastmodifieddate",
        Kind::Company => "hs_lastmodifieddate",
    }
}

/// A place in a pass of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ChangesAt {
    /// The pass shows what changed at or after this time, in milliseconds.
    since: i64,
    /// All ids up to here have been shown.
    last: u64,
}

impl ChangesAt {
    fn cursor(self) -> Cursor {
        Cursor(format!("changes:{}:{}", self.since, self.last))
    }

    /// `None` for a cursor of another feed or form: the pass then begins again, which repeats
    /// records and skips none.
    fn read(cursor: &Cursor) -> Option<Self> {
        let (since, last) = cursor.0.strip_prefix("changes:")?.split_once(':')?;
        Some(Self {
            since: since.parse().ok()?,
            last: last.parse().ok()?,
        })
    }
}

/// A place in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListAt {
    pub archived: bool,
    /// The highest id that was listed, 0 before the first; nothing where a cursor does not say so.
    pub last: Option<u64>,
    /// The server's own cursor; nothing at the beginning.
    pub after: Option<String>,
}

impl ListAt {
    pub(super) fn cursor(&self) -> Cursor {
        let after = self.after.as_deref().unwrap_or_default();
        let prefix = list_prefix(self.archived);
        Cursor(match self.last {
            Some(last) => format!("{prefix}{last}:{after}"),
            None => format!("{prefix}{after}"),
        })
    }

    /// The beginning for a cursor of another feed.
    fn read(cursor: Option<&Cursor>, archived: bool) -> Self {
        let after = cursor.and_then(|cursor| cursor.0.strip_prefix(list_prefix(archived)));
        let (last, after) = match after.map(|after| (after, after.split_once(':'))) {
            None => (Some(0), None),
            Some((whole, None)) => (None, Some(whole)),
            Some((whole, Some((last, after)))) => match last.parse() {
                Ok(last) => (Some(last), Some(after)),
                Err(_) => (None, Some(whole)),
            },
        };
        Self {
            archived,
            last,
            after: after.map(str::to_owned),
        }
    }

    /// The call for a page of at most `limit` rows.
    pub(super) fn call(&self, wanted: &Wanted<'_>, limit: usize) -> Call {
        let path = format!("/crm/v3/objects/{}", plural(wanted.kind));
        let call = Call::get(endpoint(wanted.kind, Verb::List), path)
            .with("limit", limit.to_string())
            .with("archived", self.archived.to_string());
        let call = match &self.after {
            Some(after) => call.with("after", after.as_str()),
            None => call,
        };
        wanted.ask(call)
    }
}

const fn list_prefix(archived: bool) -> &'static str {
    if archived { "archived:" } else { "live:" }
}

impl Hubspot {
    pub(super) async fn read_page(
        &self,
        request: &PageRequest<'_>,
        cursor: Option<&Cursor>,
    ) -> Result<Page, RemoteError> {
        let wanted = Wanted {
            kind: request.kind,
            fields: request.fields,
        };
        match request.feed {
            Feed::All | Feed::Again => self.list(&wanted, cursor, false).await,
            // The archived list has no filter by time and no order by it.
            Feed::Trash(_) => self.list(&wanted, cursor, true).await,
            Feed::Changes(since) => {
                let at = cursor.and_then(ChangesAt::read).unwrap_or(ChangesAt {
                    since: since.timestamp_millis(),
                    last: 0,
                });
                self.prove(request.kind).await?;
                self.changes(&wanted, at).await
            }
        }
    }

    /// A page of the list, which is strongly consistent and ordered by id, so that it shifts under
    /// nobody's edits.
    async fn list(
        &self,
        wanted: &Wanted<'_>,
        cursor: Option<&Cursor>,
        archived: bool,
    ) -> Result<Page, RemoteError> {
        let at = ListAt::read(cursor, archived);
        let reply = self.http.send(at.call(wanted, LIST_LIMIT)).await;
        let failed = match reply.and_then(Reply::ok) {
            Ok(reply) => match decode::<Listing<'_>>(&reply) {
                Ok(listing) => return self.listed(wanted, &at, &reply, &listing, false).await,
                Err(error) => error,
            },
            Err(error) => error,
        };
        if !fails_as_a_whole(failed.kind) {
            return Err(failed);
        }
        let narrowly = self.list_narrowly(wanted, &at, LIST_LIMIT, &failed);
        narrowly.await.map_err(|error| rather(failed, error))
    }

    /// What a page of the list shows; those that are named alone are read by their ids.
    pub(super) async fn listed(
        &self,
        wanted: &Wanted<'_>,
        at: &ListAt,
        reply: &Reply,
        listing: &Listing<'_>,
        names_alone: bool,
    ) -> Result<Page, RemoteError> {
        let archived = at.archived;
        let strays = |says: Option<bool>| says.is_some_and(|says| says != archived);
        if listing.results.iter().any(|row| strays(row.is_archived())) {
            let detail = "the list mixes live and archived records";
            return Err(reply.error(ErrorKind::Garbled, detail));
        }
        if listing.after().is_some() && listing.after() == at.after.as_deref() {
            return Err(reply.error(ErrorKind::Garbled, "the list does not advance"));
        }
        let rows = &listing.results;
        let apart = if names_alone {
            self.read_named(reply, rows, wanted, archived).await?
        } else {
            self.sift(reply, rows, wanted, archived).await?
        };
        let ids = rows.iter().map(|row| row.id.parse::<u64>().ok());
        let next = listing.after().map(|after| ListAt {
            archived,
            last: ids.chain([at.last]).max().flatten(),
            after: Some(after.to_owned()),
        });
        Ok(Page {
            records: apart.records,
            unread: apart.unread,
            next: next.map(|next| next.cursor()),
            server_time: reply.server_time,
        })
    }

    /// A page of what changed since a time, in the order of ids.
    ///
    /// A search shows 10,000 rows and then refuses, and bulk edits give more records than that one
    /// and the same time, so neither `after` nor a mark that follows the time can get past them.
    /// Asking anew for the ids above the last one can, and each page of it is a query of its own.
    ///
    /// The window has no end, on purpose. A record that changed before the pass and changes again
    /// during it would leave a window that has one, and this pass would skip it. Without one it
    /// stays in the window: with an id above the place of the pass it is shown, with its newer
    /// values; with an id below, it is shown by the next pass, which begins before this one began.
    /// And the pass still ends, because its ids only grow.
    async fn changes(&self, wanted: &Wanted<'_>, at: ChangesAt) -> Result<Page, RemoteError> {
        let filters = [json!(
            {"propertyName": modified(wanted.kind), "operator": "GTE", "value": at.since.to_string()}
        )];
        let found = self.search_page(wanted, &filters, at.last).await?;
        let last = found.last;
        Ok(Page {
            records: found.apart.records,
            unread: found.apart.unread,
            next: (!found.complete).then(|| ChangesAt { last, ..at }.cursor()),
            server_time: found.server_time,
        })
    }

    /// Makes sure, once a process and kind, that a filter on the time of change filters: a name that
    /// the search does not know must not pass for "everything changed" every minute.
    async fn prove(&self, kind: Kind) -> Result<(), RemoteError> {
        let proven = self.proven.of(kind);
        if proven.load(Ordering::Relaxed) {
            return Ok(());
        }
        let filters = [json!(
            {"propertyName": modified(kind), "operator": "GTE", "value": FAR_FUTURE.to_string()}
        )];
        let wanted = Wanted { kind, fields: &[] };
        let reply = self.search(query(&wanted, &filters, 1)).await?;
        let listing: Listing<'_> = decode(&reply)?;
        if !listing.results.is_empty() {
            let detail = format!(
                "the search does not filter by {}: it shows records changed after the year 2100",
                modified(kind)
            );
            return Err(reply.error(ErrorKind::Garbled, &detail));
        }
        proven.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_goes_on_where_its_cursor_says_and_begins_again_with_one_it_cannot_read() {
        let at = ChangesAt {
            since: 1_767_323_045_678,
            last: 51,
        };
        assert_eq!(ChangesAt::read(&at.cursor()), Some(at));
        for cursor in ["", "live:52", "changes:", "changes:1", "changes:x:1"] {
            assert_eq!(ChangesAt::read(&Cursor(cursor.to_owned())), None);
        }
        for (cursor, last, after) in [
            ("live:51:NTI%3D", Some(51), "NTI%3D"),
            ("live:52", None, "52"),
            ("live:x:52", None, "x:52"),
        ] {
            let at = ListAt {
                archived: false,
                last,
                after: Some(after.to_owned()),
            };
            let cursor = Cursor(cursor.to_owned());
            assert_eq!(ListAt::read(Some(&cursor), false), at);
            assert_eq!(at.cursor(), cursor);
            let archived = ListAt::read(Some(&cursor), true);
            assert_eq!((archived.last, archived.after), (Some(0), None));
        }
    }

    #[test]
    fn contacts_and_companies_keep_the_time_of_change_under_different_names() {
        assert_eq!(modified(Kind::Contact), "lastmodifieddate");
        assert_eq!(modified(Kind::Company), "hs_lastmodifieddate");
    }
}
