//! Passes over the lists: which list, which filter, and when a pass is complete.

use super::apart::in_trash;
use super::paging::{Place, Window};
use super::row::{Row, Wanted};
use super::{Endpoints, Freshdesk, lock};
use crate::clock::{Clock as _, SystemClock};
use crate::model::Kind;
use crate::remote::http::Call;
use crate::remote::reply::Reply;
use crate::remote::{Cursor, ErrorKind, Feed, Page, PageRequest, RemoteError};
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::StatusCode;
use reqwest::header;

/// The most rows that a page may have ("Pagination").
pub(super) const PER_PAGE: usize = 100;
/// Nothing changes after this: a list that shows rows all the same ignores its filter.
const FUTURE: &str = "2100-01-01T00:00:00Z";

/// How a list is limited to what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    /// Not at all.
    Off,
    /// By this query parameter.
    By(&'static str),
    /// By us, since the account knows no such parameter.
    Sift,
}

/// The spellings of the parameter, the documented one first.
const SPELLINGS: [&str; 2] = ["updated_since", "_updated_since"];

impl Filter {
    const fn word(self) -> &'static str {
        match self {
            Self::Off => "all",
            Self::By(spelling) => spelling,
            Self::Sift => "sift",
        }
    }

    fn read(word: &str) -> Option<Self> {
        [Self::Off, Self::Sift]
            .into_iter()
            .chain(SPELLINGS.map(Self::By))
            .find(|filter| filter.word() == word)
    }
}

/// One of the lists of a kind ("List All Contacts": the default one hides what is deleted or
/// blocked).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Live,
    Deleted,
    Blocked,
}

impl Stage {
    const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Deleted => "deleted",
            Self::Blocked => "blocked",
        }
    }

    /// The value of `state` that asks for it.
    const fn state(self) -> Option<&'static str> {
        match self {
            Self::Live => None,
            Self::Deleted => Some("deleted"),
            Self::Blocked => Some("blocked"),
        }
    }

    const fn after(self) -> Option<Self> {
        match self {
            Self::Deleted => Some(Self::Blocked),
            Self::Live | Self::Blocked => None,
        }
    }
}

/// Where in a pass we are. The filter is part of it: page 3 of one is not page 3 of another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Position {
    stage: Stage,
    filter: Filter,
    place: Place,
}

impl Position {
    fn cursor(self) -> Cursor {
        let (stage, filter) = (self.stage.word(), self.filter.word());
        Cursor(format!("{stage} {filter} {}", self.place.words()))
    }

    fn read(cursor: &Cursor) -> Option<Self> {
        let mut words = cursor.0.split(' ');
        let stage = words.next()?;
        let stage = [Stage::Live, Stage::Deleted, Stage::Blocked]
            .into_iter()
            .find(|known| known.word() == stage)?;
        let filter = Filter::read(words.next()?)?;
        Some(Self {
            stage,
            filter,
            place: Place::read(words)?,
        })
    }

    /// Where to go on in the list that is read, or else at the beginning of the next one.
    fn next(self, place: Option<Place>) -> Option<Self> {
        if let Some(place) = place {
            return Some(Self { place, ..self });
        }
        self.stage.after().map(|stage| Self {
            stage,
            place: self.place.anew(),
            ..self
        })
    }
}

impl Freshdesk {
    /// One page of `request`.
    pub(super) async fn list(
        &self,
        request: &PageRequest<'_>,
        cursor: Option<&Cursor>,
    ) -> Result<Page, RemoteError> {
        if request.kind == Kind::Company && matches!(request.feed, Feed::Trash(_)) {
            // A deleted company leaves nothing behind ("Delete a Company").
            return Ok(Page {
                records: Vec::new(),
                unread: Vec::new(),
                next: None,
                server_time: SystemClock.now(),
            });
        }
        let position = match cursor.and_then(Position::read) {
            Some(position) => position,
            None => self.beginning(request).await?,
        };
        let since = since(request.feed);
        let call = list_call(request.kind, &position, since);
        let reply = self.http.send(call).await?;
        if reply.status == StatusCode::BAD_REQUEST && matches!(position.filter, Filter::By(_)) {
            self.forget_filter(request.kind);
        }
        let reply = reply.ok()?;
        let wanted = Wanted::new(request.fields.iter().map(String::as_str));
        let rows = wanted.shown(&reply)?;
        let Window { size, .. } = position.place.window();
        let step = position.place.after(&rows, ends(&reply, rows.len(), size)?);
        if step.unsure {
            tracing::warn!(kind = %request.kind,
                "a list of Freshdesk moves faster than it is read: whom it passes over is found when everything is read again");
        }
        let news = rows.into_iter().filter(|row| !position.place.has_read(row));
        let (mut rows, odd): (Vec<Row>, Vec<Row>) = news.partition(|row| row.dated);
        if let Some(since) = since {
            self.apply(request.kind, &position, since, &mut rows);
        }
        let apart = if position.stage == Stage::Live {
            self.complete(request, &reply, rows, odd).await?
        } else {
            in_trash(&reply, rows, odd)?
        };
        Ok(Page {
            records: apart.records,
            unread: apart.unread,
            next: position.next(step.next).map(Position::cursor),
            server_time: reply.server_time,
        })
    }

    async fn beginning(&self, request: &PageRequest<'_>) -> Result<Position, RemoteError> {
        let stage = match request.feed {
            Feed::All | Feed::Again | Feed::Changes(_) => Stage::Live,
            Feed::Trash(_) => Stage::Deleted,
        };
        let filter = match since(request.feed) {
            None => Filter::Off,
            Some(_) => self.filter(request.kind).await?,
        };
        Ok(Position {
            stage,
            filter,
            place: match request.feed {
                Feed::Again => Place::plain(),
                Feed::All | Feed::Changes(_) | Feed::Trash(_) => Place::default(),
            },
        })
    }

    /// The filter that works for `kind`: looked for once, with a time at which a working one shows
    /// nothing.
    pub(super) async fn filter(&self, kind: Kind) -> Result<Filter, RemoteError> {
        if let Some(filter) = lock(&self.filters).get(&kind) {
            return Ok(*filter);
        }
        let mut found = Filter::Sift;
        for spelling in SPELLINGS {
            let endpoints = Endpoints::of(kind);
            let call = Call::get(endpoints.list, endpoints.path)
                .with("per_page", "1")
                .with(spelling, FUTURE);
            let reply = self.http.send(call).await?;
            if reply.status == StatusCode::BAD_REQUEST {
                continue;
            }
            let reply = reply.ok()?;
            if Wanted::new([]).rows(&reply)?.is_empty() {
                found = Filter::By(spelling);
                break;
            }
        }
        if found == Filter::Sift {
            tracing::warn!(%kind, "Freshdesk filters by no change time here: every look for changes reads the whole list");
        }
        lock(&self.filters).insert(kind, found);
        Ok(found)
    }

    fn forget_filter(&self, kind: Kind) {
        lock(&self.filters).remove(&kind);
    }

    /// Drops what is older than `since` where that is ours to do. Where the server should have, it
    /// shows that the filter is ignored (an empty account cannot be told from a filtered one), and
    /// the next pass looks for one again.
    fn apply(&self, kind: Kind, position: &Position, since: DateTime<Utc>, rows: &mut Vec<Row>) {
        let since = since.timestamp() * 1000;
        match (position.filter, position.stage) {
            (Filter::Sift, Stage::Live) => rows.retain(|row| row.version.0 >= since),
            (Filter::By(_), Stage::Live) if rows.iter().any(|row| row.version.0 < since) => {
                self.forget_filter(kind);
            }
            // Nothing says that a deletion moves the stamp: what is in the trash is not sifted.
            _ => {}
        }
    }

    /// The rows of a short list: everything under these filters in `stage`, up to `pages` pages.
    pub(super) async fn short_list(
        &self,
        kind: Kind,
        stage: Stage,
        filter: (&'static str, &str),
        wanted: &Wanted<'_>,
        pages: u32,
    ) -> Result<Vec<Row>, RemoteError> {
        let mut found = Vec::new();
        let endpoints = Endpoints::of(kind);
        for page in 1..=pages {
            let mut call = Call::get(endpoints.list, endpoints.path)
                .with("per_page", PER_PAGE.to_string())
                .with("page", page.to_string())
                .with(filter.0, filter.1);
            if let Some(state) = stage.state() {
                call = call.with("state", state);
            }
            let reply = self.http.send(call).await?.ok()?;
            let rows = wanted.rows(&reply)?;
            let ended = ended(&reply, rows.len())?;
            found.extend(rows);
            if ended {
                break;
            }
        }
        Ok(found)
    }
}

fn since(feed: Feed) -> Option<DateTime<Utc>> {
    match feed {
        Feed::All | Feed::Again => None,
        Feed::Changes(since) => Some(since),
        Feed::Trash(since) => since,
    }
}

/// A time as a filter takes it: whole seconds, rounded down.
pub(super) fn whole_seconds(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn list_call(kind: Kind, position: &Position, since: Option<DateTime<Utc>>) -> Call {
    let endpoints = Endpoints::of(kind);
    let Window { page, size } = position.place.window();
    let mut call = Call::get(endpoints.list, endpoints.path)
        .with("per_page", size.to_string())
        .with("page", page.to_string());
    if let Some(state) = position.stage.state() {
        call = call.with("state", state);
    }
    if let (Filter::By(spelling), Some(since)) = (position.filter, since) {
        call = call.with(spelling, whole_seconds(since));
    }
    call
}

/// Whether the listing ends with this page: it says so by a `Link` without a next page; where it
/// sends no `Link` at all, a page that is not full is the last one.
///
/// # Errors
///
/// Where an empty page names a next one: neither can be believed.
pub(super) fn ended(reply: &Reply, rows: usize) -> Result<bool, RemoteError> {
    ends(reply, rows, PER_PAGE)
}

/// As [`ended`], for a page of this size.
fn ends(reply: &Reply, rows: usize, size: usize) -> Result<bool, RemoteError> {
    let links = reply.headers.get_all(header::LINK);
    let mut links = links
        .iter()
        .filter_map(|link| link.to_str().ok())
        .peekable();
    if links.peek().is_none() {
        return Ok(rows < size);
    }
    let goes_on = links.any(names_next);
    if goes_on && rows == 0 {
        let detail = "the list says that there is more and shows nothing";
        return Err(reply.error(ErrorKind::Garbled, detail));
    }
    Ok(!goes_on)
}

fn names_next(link: &str) -> bool {
    let parameters = link.split([';', ',']).map(str::trim);
    parameters
        .filter_map(|parameter| parameter.split_once('='))
        .any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("rel")
                && value
                    .trim()
                    .trim_matches('"')
                    .split(' ')
                    .any(|rel| rel.eq_ignore_ascii_case("next"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cursor_leads_back_to_its_page_or_the_pass_would_skip_records() {
        for stage in [Stage::Live, Stage::Deleted, Stage::Blocked] {
            for filter in [
                Filter::Off,
                Filter::Sift,
                Filter::By(SPELLINGS[0]),
                Filter::By(SPELLINGS[1]),
            ] {
                let words = "417 3 1 9223372036854775807:1772442000000";
                let position = Position {
                    stage,
                    filter,
                    place: Place::read(words.split(' ')).unwrap(),
                };
                let cursor = position.clone().cursor();
                assert_eq!(Position::read(&cursor), Some(position));
            }
        }
    }

    #[test]
    fn the_next_page_is_seen_in_whatever_form_the_header_names_it() {
        for link in [
            r#"<https://x.freshdesk.com/api/v2/contacts?page=2>; rel="next""#,
            "<https://x/a,b;c>;rel=next",
            r#"<https://x/1>; rel="prev", <https://x/3>; rel="next""#,
            r#"<https://x/1>; rel="last next""#,
        ] {
            assert!(names_next(link), "{link}");
        }
        assert!(!names_next(r#"<https://x/next>; rel="prev""#));
    }

    proptest! {
        #[test]
        fn a_cursor_that_is_none_begins_anew(text in ".{0,40}") {
            if let Some(position) = Position::read(&Cursor(text.clone())) {
                prop_assert!(text.starts_with(&position.cursor().0[..4]));
            }
        }
    }
}
