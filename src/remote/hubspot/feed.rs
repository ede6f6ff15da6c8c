//! The three feeds: all, changed and archived records, page by page.

use super::search::query;
use super::wire::{Listing, Wanted, decode};
use super::{Hubspot, Verb, endpoint, plural};
use crate::model::Kind;
use crate::remote::http::Call;
use crate::remote::{Cursor, ErrorKind, Feed, Page, PageRequest, RemoteError};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rows a list page; more is refused.
const LIST_LIMIT: &str = "100";
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

fn listed(cursor: &Cursor, archived: bool) -> Option<&str> {
    cursor.0.strip_prefix(list_prefix(archived))
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
            Feed::All => self.list(&wanted, cursor, false).await,
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
        let after = cursor.and_then(|cursor| listed(cursor, archived));
        let path = format!("/crm/v3/objects/{}", plural(wanted.kind));
        let mut call = Call::get(endpoint(wanted.kind, Verb::List), path)
            .with("limit", LIST_LIMIT)
            .with("archived", archived.to_string());
        if let Some(after) = after {
            call = call.with("after", after);
        }
        let reply = self.http.send(wanted.ask(call)).await?.ok()?;
        let listing: Listing<'_> = decode(&reply)?;
        let strays = |says: Option<bool>| says.is_some_and(|says| says != archived);
        if listing.results.iter().any(|row| strays(row.is_archived())) {
            let detail = "the list mixes live and archived records";
            return Err(reply.error(ErrorKind::Garbled, detail));
        }
        if listing.after().is_some() && listing.after() == after {
            return Err(reply.error(ErrorKind::Garbled, "the list does not advance"));
        }
        let apart = self
            .sift(&reply, &listing.results, wanted, archived)
            .await?;
        Ok(Page {
            records: apart.records,
            unread: apart.unread,
            next: listing
                .after()
                .map(|after| Cursor(format!("{}{after}", list_prefix(archived)))),
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
        let cursor = Cursor("live:52".to_owned());
        assert_eq!(listed(&cursor, false), Some("52"));
        assert_eq!(listed(&cursor, true), None);
    }

    #[test]
    fn contacts_and_companies_keep_the_time_of_change_under_different_names() {
        assert_eq!(modified(Kind::Contact), "lastmodifieddate");
        assert_eq!(modified(Kind::Company), "hs_lastmodifieddate");
    }
}
