//! Reading tickets: the feeds, which go along the change time, single tickets, and how many there are.

use super::list::{PER_PAGE, ended, whole_seconds};
use super::write::Complaint;
use super::{Freshdesk, numeric, ticket_row};
use crate::model::{RecordId, Ticket};
use crate::remote::http::Call;
use crate::remote::reply::Reply;
use crate::remote::{Cursor, ErrorKind, RemoteError, TicketFeed, TicketPage};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use reqwest::StatusCode;

/// The class that list calls count under.
pub(super) const LIST: &str = "tickets.list";
/// The last page that a list shows ("List All Tickets").
const LAST_PAGE: u32 = 300;
/// A list without a time shows tickets of the last 30 days alone ("List All Tickets"); with this
/// one it shows all.
pub(super) const EVER: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// One of the lists ("List All Tickets": the default one hides what is deleted or spam).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Live,
    Deleted,
    Spam,
}

impl List {
    const ALL: [Self; 3] = [Self::Live, Self::Deleted, Self::Spam];

    const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Deleted => "deleted",
            Self::Spam => "spam",
        }
    }

    const fn after(self) -> Option<Self> {
        match self {
            Self::Deleted => Some(Self::Spam),
            Self::Live | Self::Spam => None,
        }
    }

    /// Whether `feed` goes through it.
    const fn is_part_of(self, feed: &TicketFeed) -> bool {
        matches!(self, Self::Live) != matches!(feed, TicketFeed::Trashed(_))
    }
}

/// Where in a feed we are.
///
/// Pages by number lose tickets: one that changes meanwhile moves to the end, all behind it move up
/// by one, and the first of the next page is on the page that was read already. So the next page is
/// the first one from the last ticket's time on, and number two is asked for only where the whole
/// first page has about the same time. Within that time a change between two pages can still
/// hide a ticket; the next pass overlaps this one and shows it, unless it last changed long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    list: List,
    /// From when on, in whole seconds.
    since: DateTime<Utc>,
    /// From 1.
    page: u32,
}

/// What a page with `include=stats` counts as ("List All Tickets").
const STATS_COST: u32 = 3;

impl Position {
    fn beginning(feed: &TicketFeed) -> Self {
        let (list, since) = match feed {
            TicketFeed::Changed { since, .. } => (List::Live, *since),
            TicketFeed::Trashed(since) => (List::Deleted, *since),
            TicketFeed::Requester(_) | TicketFeed::Company(_) => (List::Live, EVER),
        };
        Self {
            list,
            since: since.trunc_subsecs(0),
            page: 1,
        }
    }

    fn cursor(self) -> Cursor {
        let since = whole_seconds(self.since);
        Cursor(format!("{} {since} {}", self.list.word(), self.page))
    }

    fn read(cursor: &Cursor) -> Option<Self> {
        let mut words = cursor.0.split(' ');
        let list = words.next()?;
        let list = List::ALL.into_iter().find(|known| known.word() == list)?;
        let since: DateTime<Utc> = words.next()?.parse().ok()?;
        let page = words.next()?.parse().ok()?;
        let sane = (1..=LAST_PAGE).contains(&page) && words.next().is_none();
        sane.then_some(Self {
            list,
            since: since.trunc_subsecs(0),
            page,
        })
    }

    /// Where the page after one that ends with `last` begins; nothing at the end of `feed`. `Err`
    /// where no page can come nearer to the end.
    fn next(
        self,
        feed: &TicketFeed,
        last: Option<&Ticket>,
        ended: bool,
    ) -> Result<Option<Self>, ()> {
        if ended {
            let beginning = Self::beginning(feed);
            return Ok(self.list.after().map(|list| Self { list, ..beginning }));
        }
        // Whether the filter includes its own second is not documented.
        let since = last.map(|last| last.version.time().trunc_subsecs(0) - TimeDelta::seconds(1));
        if let Some(since) = since.filter(|since| *since > self.since) {
            let page = 1;
            return Ok(Some(Self {
                since,
                page,
                ..self
            }));
        }
        let page = self.page + 1;
        if page > LAST_PAGE {
            return Err(());
        }
        Ok(Some(Self { page, ..self }))
    }

    fn call(self, feed: &TicketFeed) -> Call {
        let call = Call::get(LIST, "/tickets")
            .with("updated_since", whole_seconds(self.since))
            .with("order_by", "updated_at")
            .with("order_type", "asc")
            .with("per_page", PER_PAGE.to_string())
            .with("page", self.page.to_string());
        match feed {
            TicketFeed::Changed { answers: true, .. } => {
                call.with("include", "stats").costing(STATS_COST)
            }
            TicketFeed::Changed { answers: false, .. } => call,
            TicketFeed::Trashed(_) => call.with("filter", self.list.word()),
            TicketFeed::Requester(id) => call.with("requester_id", id.0.as_str()),
            TicketFeed::Company(id) => call.with("company_id", id.0.as_str()),
        }
    }
}

impl Freshdesk {
    /// One page of `feed`.
    pub(super) async fn ticket_page(
        &self,
        feed: &TicketFeed,
        cursor: Option<&Cursor>,
    ) -> Result<TicketPage, RemoteError> {
        let position = cursor
            .and_then(Position::read)
            .filter(|position| position.list.is_part_of(feed))
            .unwrap_or_else(|| Position::beginning(feed));
        let reply = self.http.send(position.call(feed)).await?;
        if is_nobodys(feed, &reply) {
            return Ok(TicketPage {
                tickets: Vec::new(),
                next: None,
                server_time: reply.server_time,
            });
        }
        let reply = reply.ok()?;
        let tickets = ticket_row::tickets(&reply, position.list != List::Live)?;
        let ended = ended(&reply, tickets.len())?;
        let next = position.next(feed, tickets.last(), ended).map_err(|()| {
            let detail = format!(
                "more tickets have the change time {} than a list shows ({LAST_PAGE} pages)",
                whole_seconds(position.since)
            );
            reply.error(ErrorKind::Rejected(400), &detail)
        })?;
        Ok(TicketPage {
            tickets,
            next: next.map(Position::cursor),
            server_time: reply.server_time,
        })
    }

    /// One ticket as it is now, in the trash too.
    pub(super) async fn view_ticket(&self, id: &RecordId) -> Result<Option<Ticket>, RemoteError> {
        const VIEW: &str = "tickets.view";
        let path = format!("/tickets/{}", numeric(VIEW, id)?);
        let reply = self.http.send(Call::get(VIEW, path)).await?;
        if reply.status == StatusCode::NOT_FOUND {
            // Every path answers 404 where API v2 is off or the account's name is wrong.
            self.who_am_i().await?;
            return Ok(None);
        }
        ticket_row::ticket(&reply.ok()?, id).map(Some)
    }

    /// How many tickets the search index knows ("Filter Tickets"); archived ones are not in it.
    pub(super) async fn count_tickets(&self) -> Result<u64, RemoteError> {
        #[derive(serde::Deserialize)]
        struct Found {
            total: u64,
        }
        let call = Call::get("tickets.search", "/search/tickets")
            .with("query", "\"created_at:>'1970-01-01'\"");
        let found: Found = self.http.send(call).await?.ok()?.json()?;
        Ok(found.total)
    }
}

/// Whether the server does not know (any more) whose tickets are asked for: then there are none.
fn is_nobodys(feed: &TicketFeed, reply: &Reply) -> bool {
    let field = match feed {
        TicketFeed::Requester(_) => "requester_id",
        TicketFeed::Company(_) => "company_id",
        TicketFeed::Changed { .. } | TicketFeed::Trashed(_) => return false,
    };
    reply.status == StatusCode::BAD_REQUEST && {
        let complaint = Complaint::of(reply);
        let value = complaint.codes.iter().any(|code| code == "invalid_value");
        value && complaint.field.as_deref() == Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Presence, TicketImage, Version};
    use proptest::prelude::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn ticket(changed: &str) -> Ticket {
        Ticket {
            id: RecordId::from("1"),
            version: Version::from(time(changed)),
            presence: Presence::Live,
            requester: RecordId::from("2"),
            company: None,
            created_at: EVER,
            first_answered_at: None,
            image: TicketImage::default(),
        }
    }

    fn changed(since: &str) -> TicketFeed {
        TicketFeed::Changed {
            since: time(since),
            answers: false,
        }
    }

    #[test]
    fn a_cursor_leads_back_to_its_page_or_the_pass_would_skip_tickets() {
        for list in List::ALL {
            let position = Position {
                list,
                since: time("2026-11-05T08:00:00Z"),
                page: 300,
            };
            assert_eq!(Position::read(&position.cursor()), Some(position));
        }
    }

    #[test]
    fn a_pass_goes_on_from_the_last_time_so_that_moving_tickets_hide_no_other() {
        let feed = changed("2026-11-05T08:00:00.750Z");
        let first = Position::beginning(&feed);
        assert_eq!(first.since, time("2026-11-05T08:00:00Z"));
        let next = first.next(&feed, Some(&ticket("2026-11-05T08:30:00Z")), false);
        let next = next.unwrap().unwrap();
        assert_eq!((next.since, next.page), (time("2026-11-05T08:29:59Z"), 1));
        let full_second = next.next(&feed, Some(&ticket("2026-11-05T08:30:00Z")), false);
        let full_second = full_second.unwrap().unwrap();
        assert_eq!((full_second.since, full_second.page), (next.since, 2));
        assert_eq!(first.next(&feed, None, true), Ok(None));
    }

    #[test]
    fn more_tickets_in_a_second_than_a_list_shows_end_with_an_error_and_not_with_a_loop() {
        let feed = changed("2026-11-05T08:00:00Z");
        let mut position = Position::beginning(&feed);
        let mut pages = 1;
        while let Ok(next) = position.next(&feed, Some(&ticket("2026-11-05T08:00:01Z")), false) {
            position = next.unwrap();
            pages += 1;
            assert!(pages <= LAST_PAGE);
        }
        assert_eq!(pages, LAST_PAGE);
    }

    #[test]
    fn spam_is_read_from_the_beginning_however_far_the_deleted_ones_went() {
        let feed = TicketFeed::Trashed(time("2026-11-05T08:00:00Z"));
        let late = Position {
            list: List::Deleted,
            since: time("2026-11-06T00:00:00Z"),
            page: 7,
        };
        let spam = late.next(&feed, None, true).unwrap().unwrap();
        assert_eq!((spam.list, spam.page), (List::Spam, 1));
        assert_eq!(spam.since, time("2026-11-05T08:00:00Z"));
        assert_eq!(spam.next(&feed, None, true), Ok(None));
    }

    proptest! {
        #[test]
        fn a_cursor_that_is_none_begins_anew(text in ".{0,40}", page in any::<u32>()) {
            prop_assert_eq!(Position::read(&Cursor(format!("{text} x"))), None);
            let far = Cursor(format!("live 2026-11-05T08:00:00Z {page}"));
            prop_assert_eq!(Position::read(&far).is_some(), (1..=LAST_PAGE).contains(&page));
            let _ = Position::read(&Cursor(text));
        }
    }
}
