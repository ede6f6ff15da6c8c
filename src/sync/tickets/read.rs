//! Reading tickets into the state: what changed, and everything of those whose standing has begun.

use super::is_system;
use crate::clock::monotonic;
use crate::model::{Kind, Presence, RecordId, Ticket, Version};
use crate::remote::lane::{self, in_lane};
use crate::remote::{Connector, Cursor, ErrorKind, Lane, RemoteError, TicketFeed};
use crate::store::{Begun, TicketProgress};
use crate::sync::{CycleError, Engine, Tally};
use chrono::{DateTime, TimeDelta};
use futures_util::StreamExt as _;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Without a mark we look this far back: clocks differ.
const FIRST_LOOK: TimeDelta = TimeDelta::minutes(5);
/// How far a look at what changed reaches back before the last one: stamps are whole seconds and may
/// tick once more after an answer. Longer, and each bulk change of ours would be read twice.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);
/// From this many customers on it may be cheaper to read all tickets than each customer's.
const MANY: u64 = 20;
/// How many customers are read before the next ones are asked for.
const CUSTOMERS: i64 = 200;
/// How many tickets are looked at one by one before what they show is taken in.
const LOOKS: i64 = 100;
/// After so many failures in a row nothing else is tried of the same sort: it would fail as well.
const ENOUGH: u32 = 3;
/// How many pages are taken in together at the most.
const PAGES_TOGETHER: usize = 16;

/// What a reader of one customer's tickets hands on.
enum Read {
    /// A page; with the customer where it was their last.
    Page(Vec<Ticket>, Option<i64>),
    Failed(RemoteError),
}

type Outcome = Result<Result<(), RemoteError>, CycleError>;
/// Whether a feed was read to its end.
type Ended = Result<Result<bool, RemoteError>, CycleError>;

impl Engine {
    /// All that changed since the start of the last complete look, after these jobs have `ended`.
    pub(super) async fn read_changed(&mut self, ended: &[String]) -> Outcome {
        let pass = self.store.ticket_pass("changes").await?;
        let since = match pass.mark {
            Some(mark) => Version(mark).time() - OVERLAP,
            None => self.clock.now() - FIRST_LOOK,
        };
        let read = self
            .read_feed("changes", since, pass.running, None, ended)
            .await?;
        Ok(read.map(|_| ()))
    }

    /// All tickets, for the summaries of their customers, from where an earlier cycle has left off and
    /// until it is time to leave the rest to the next one.
    pub(in crate::sync) async fn read_for_summaries(
        &mut self,
        running: Option<(i64, String)>,
        until: Option<Instant>,
    ) -> Ended {
        let reading = self.read_feed("support", DateTime::UNIX_EPOCH, running, until, &[]);
        in_lane(Lane::FirstSync, reading).await
    }

    async fn read_feed(
        &mut self,
        feed: &'static str,
        since: DateTime<chrono::Utc>,
        running: Option<(i64, String)>,
        until: Option<Instant>,
        ended: &[String],
    ) -> Ended {
        let desk = Arc::clone(&self.connectors.desk);
        let Some(helpdesk) = desk.helpdesk() else {
            return Ok(Ok(true));
        };
        let request = TicketFeed::Changed {
            since,
            answers: self.summary.is_some(),
        };
        let (mut started_at, mut cursor) = match running {
            Some((started_at, cursor)) => (Some(started_at), Some(Cursor(cursor))),
            None => (None, None),
        };
        loop {
            if self.stop.is_cancelled() {
                return Ok(Ok(false));
            }
            let page = match helpdesk.tickets(&request, cursor.as_ref()).await {
                Ok(page) => page,
                Err(error) => return Ok(Err(error)),
            };
            if page.next.is_some() && page.next == cursor {
                return Ok(Err(stuck(desk.as_ref())));
            }
            let started_at = *started_at.get_or_insert(page.server_time.timestamp_millis());
            let progress = TicketProgress {
                feed,
                started_at,
                next: page.next.as_ref().map(|cursor| cursor.0.as_str()),
                ended,
            };
            if self.summary.is_some() {
                self.store.take_support(&page.tickets).await?;
            }
            let tickets = self.weigh(page.tickets);
            self.store
                .take_tickets(&tickets, Some(progress), &[])
                .await?;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(Ok(true));
            }
            if until.is_some_and(|until| monotonic() >= until) {
                return Ok(Ok(false));
            }
        }
    }

    /// Each ticket with whether a rule may want to act on it. How much rules want to do in all has to
    /// be weighed anew then.
    fn weigh(&mut self, tickets: Vec<Ticket>) -> Vec<(Ticket, bool)> {
        if !tickets.is_empty() {
            self.rules.weighed(false);
        }
        let rules = self.rules.resolved.as_ref();
        let weigh = |ticket: Ticket| {
            let wanted = rules.is_some_and(|rules| rules.want(&ticket.image));
            (ticket, wanted)
        };
        tickets.into_iter().map(weigh).collect()
    }

    /// Tickets with a change of which nobody knows whether it was made, each by itself: one that was
    /// not made shows in no list of changes.
    pub(super) async fn read_doubts(&mut self, tally: &mut Tally) -> Outcome {
        let desk = Arc::clone(&self.connectors.desk);
        let Some(helpdesk) = desk.helpdesk() else {
            return Ok(Ok(()));
        };
        let in_flight = helpdesk.limits().in_flight.max(1);
        let (mut after, mut failures) = (String::new(), 0);
        loop {
            let rows = self.store.tickets_in_doubt(&after, LOOKS).await?;
            let Some(last) = rows.last() else {
                return Ok(Ok(()));
            };
            after.clone_from(&last.id.0);
            let mut looks = futures_util::stream::iter(rows)
                .map(|row| async move { (helpdesk.ticket(&row.id).await, row) })
                .buffer_unordered(in_flight);
            let mut tickets = Vec::new();
            while let Some((look, row)) = looks.next().await {
                match look {
                    Ok(Some(ticket)) => tickets.push((ticket, false)),
                    Ok(None) => tickets.push((gone(row), false)),
                    Err(error) if is_system(error.kind) => return Ok(Err(error)),
                    Err(error) => {
                        failures += 1;
                        tally.troubled(error);
                    }
                }
                if failures >= ENOUGH {
                    break;
                }
            }
            drop(looks);
            self.store.take_tickets(&tickets, None, &[]).await?;
            if failures >= ENOUGH || self.stop.is_cancelled() {
                return Ok(Ok(()));
            }
        }
    }

    /// All tickets of the customers whose standing has begun: each customer's, or, where that is
    /// cheaper, all tickets that there are.
    pub(super) async fn read_begun(&mut self, tally: &mut Tally) -> Outcome {
        let desk = Arc::clone(&self.connectors.desk);
        let Some(helpdesk) = desk.helpdesk() else {
            return Ok(Ok(()));
        };
        if let Some(running) = self.store.ticket_pass("all").await?.running {
            if let Err(error) = self.sweep(Some(running)).await? {
                return Ok(Err(error));
            }
        } else {
            // A sweep that was interrupted before its first page has read nothing.
            self.store.sweep_lapsed().await?;
        }
        let begun = self.store.begun_count().await?;
        if begun > MANY {
            let count = match helpdesk.count().await {
                Ok(count) => count,
                Err(error) if is_system(error.kind) => return Ok(Err(error)),
                // Where nobody says which is cheaper, each customer's are read.
                Err(error) => {
                    tally.troubled(error);
                    u64::MAX
                }
            };
            if count / (helpdesk.limits().page.max(1) as u64) < begun {
                self.store.sweep_begins().await?;
                return self.sweep(None).await;
            }
        }
        let mut after = 0;
        loop {
            let customers = self.store.begun(after, CUSTOMERS).await?;
            let Some(last) = customers.last() else {
                return Ok(Ok(()));
            };
            after = last.row;
            if let Err(error) = self.read_customers(&desk, customers, tally).await? {
                return Ok(Err(error));
            }
            if self.stop.is_cancelled() {
                return Ok(Ok(()));
            }
        }
    }

    async fn sweep(&mut self, running: Option<(i64, String)>) -> Outcome {
        let ended = self
            .read_feed("all", DateTime::UNIX_EPOCH, running, None, &[])
            .await?;
        if let Ok(true) = ended {
            self.store.sweep_ended().await?;
        }
        Ok(ended.map(|_| ()))
    }

    async fn read_customers(
        &mut self,
        desk: &Arc<dyn Connector>,
        customers: Vec<Begun>,
        tally: &mut Tally,
    ) -> Outcome {
        let in_flight = desk.helpdesk().map_or(1, |it| it.limits().in_flight.max(1));
        let (pages, mut inbox) = mpsc::channel(PAGES_TOGETHER);
        let mut readers = JoinSet::new();
        for mine in customers.chunks(customers.len().div_ceil(in_flight).max(1)) {
            // A task of its own does not know whose lane it is in.
            let reader = read_each(Arc::clone(desk), mine.to_vec(), pages.clone());
            readers.spawn(in_lane(lane::current(), reader));
        }
        drop(pages);
        let mut down = None;
        let mut reads = Vec::new();
        while inbox.recv_many(&mut reads, PAGES_TOGETHER).await > 0 {
            let (mut tickets, mut done) = (Vec::new(), Vec::new());
            for read in reads.drain(..) {
                match read {
                    Read::Page(page, last) => {
                        tickets.extend(page);
                        done.extend(last);
                    }
                    Read::Failed(error) if is_system(error.kind) => down = Some(error),
                    // The others are read, and act: whom it concerns is read again in the next cycle.
                    Read::Failed(error) => tally.troubled(error),
                }
            }
            let tickets = self.weigh(tickets);
            self.store.take_tickets(&tickets, None, &done).await?;
        }
        while readers.join_next().await.is_some() {}
        Ok(down.map_or(Ok(()), Err))
    }
}

/// Reads the tickets of these customers, one after the other, page by page, until the system fails.
async fn read_each(desk: Arc<dyn Connector>, customers: Vec<Begun>, pages: mpsc::Sender<Read>) {
    let Some(helpdesk) = desk.helpdesk() else {
        return;
    };
    let mut failures = 0;
    for Begun {
        row,
        kind,
        desk: id,
    } in customers
    {
        let feed = feed_of(kind, id);
        let mut cursor: Option<Cursor> = None;
        loop {
            let read = match helpdesk.tickets(&feed, cursor.as_ref()).await {
                Ok(page) if page.next.is_some() && page.next == cursor => {
                    Read::Failed(stuck(desk.as_ref()))
                }
                Ok(page) => {
                    cursor = page.next;
                    Read::Page(page.tickets, cursor.is_none().then_some(row))
                }
                Err(error) => Read::Failed(error),
            };
            let (failed, down) = match &read {
                Read::Failed(error) => (true, is_system(error.kind)),
                Read::Page(..) => (false, false),
            };
            failures = if failed { failures + 1 } else { 0 };
            // The receiver is gone only when the state failed, and the engine says so.
            if pages.send(read).await.is_err() || down || failures >= ENOUGH {
                return;
            }
            if failed || cursor.is_none() {
                break;
            }
        }
    }
}

fn feed_of(kind: Kind, id: RecordId) -> TicketFeed {
    match kind {
        Kind::Contact => TicketFeed::Requester(id),
        Kind::Company => TicketFeed::Company(id),
    }
}

/// The ticket is not there any more.
fn gone(row: Ticket) -> Ticket {
    Ticket {
        presence: Presence::Gone,
        ..row
    }
}

/// A cursor that leads to itself would be read for ever.
fn stuck(desk: &dyn Connector) -> RemoteError {
    RemoteError {
        side: desk.side(),
        call: "next page of tickets".to_owned(),
        kind: ErrorKind::Garbled,
        detail: "the cursor leads to itself".to_owned(),
        request_id: None,
    }
}
