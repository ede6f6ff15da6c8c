//! The Freshdesk connector against the simulator, as far as tickets go: both ends of the line.

mod account;
mod reading;
mod writes;

use chrono::{DateTime, Utc};
use deskbridge::model::{Presence, Priority, RecordId, Ticket, TicketChange, TicketImage, Version};
use deskbridge::remote::freshdesk::{Freshdesk, Options};
use deskbridge::remote::{Connector as _, Helpdesk, TicketFeed, TicketOutcome};
use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::{self as sim, FreshdeskSim, TicketOptions, TicketSeed};
use serde_json::json;
use std::collections::BTreeSet;
use tokio_util::sync::CancellationToken;

/// Monday noon, when all tests begin.
const NOON: i64 = 1_700_481_600;

struct Desk {
    sim: FreshdeskSim,
    connector: Freshdesk,
    ada: u64,
    acme: u64,
}

/// A ticket of which only the id matters.
fn some_ticket(id: RecordId) -> Ticket {
    Ticket {
        id,
        version: Version::default(),
        presence: Presence::Live,
        requester: RecordId::from("1"),
        company: None,
        created_at: DateTime::UNIX_EPOCH,
        first_answered_at: None,
        image: TicketImage::default(),
    }
}

impl Desk {
    async fn new() -> Self {
        Self::with(sim::Options::default()).await
    }

    async fn with_tickets(tickets: TicketOptions) -> Self {
        Self::with(sim::Options {
            tickets,
            ..sim::Options::default()
        })
        .await
    }

    async fn with(options: sim::Options) -> Self {
        let backstage = Backstage {
            clock: SimClock::manual(time(NOON)),
            ..Backstage::default()
        };
        let sim = FreshdeskSim::start(sim::Options {
            backstage,
            ..options
        })
        .await
        .unwrap();
        let connector = Freshdesk::new(Options {
            url: sim.url().parse().unwrap(),
            api_key: sim.api_key().into(),
            limits: None,
            calls_per_minute: None,
            share: 1.0,
            stop: CancellationToken::new(),
        })
        .unwrap();
        let acme = sim.add_company(&json!({"name": "Acme"})).unwrap();
        let ada = json!({"name": "Ada", "email": "ada@example.com", "company_id": acme});
        let ada = sim.add_contact(&ada).unwrap();
        Self {
            sim,
            connector,
            ada,
            acme,
        }
    }

    fn desk(&self) -> &dyn Helpdesk {
        self.connector.helpdesk().unwrap()
    }

    /// Tickets of Ada that changed last at these times.
    fn changed_at(&self, times: impl IntoIterator<Item = i64>) -> Vec<u64> {
        let seeds = times.into_iter().map(|at| TicketSeed {
            requester_id: self.ada,
            created_at: Some(at - 60),
            updated_at: Some(at),
            // Done tickets do not become overdue.
            status: 5,
            ..TicketSeed::default()
        });
        self.sim.populate_tickets(seeds)
    }

    fn ticket(&self) -> u64 {
        self.changed_at([NOON - 60])[0]
    }

    /// All tickets of a feed; `between` happens after each page.
    async fn pass(&self, feed: &TicketFeed, between: impl Fn(usize, &[Ticket])) -> Vec<Ticket> {
        let (mut all, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = self.desk().tickets(feed, cursor.as_ref()).await.unwrap();
            pages += 1;
            between(pages, &page.tickets);
            all.extend(page.tickets);
            cursor = page.next;
            if cursor.is_none() {
                return all;
            }
        }
    }

    async fn read(&self, feed: &TicketFeed) -> Vec<Ticket> {
        self.pass(feed, |_, _| {}).await
    }

    async fn change(&self, ticket: u64, change: &TicketChange) -> TicketOutcome {
        self.desk()
            .change(&some_ticket(record(ticket)), change)
            .await
    }

    fn inject(&self, method: &str, path: &str, fault: Fault, times: u32) {
        let faults = &self.sim.backstage().faults;
        faults.inject(method, path, fault, times);
    }

    fn calls(&self, endpoint: &str) -> u64 {
        self.connector.calls().get(endpoint).copied().unwrap_or(0)
    }
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn record(id: u64) -> RecordId {
    RecordId(id.to_string())
}

fn changed(since: i64) -> TicketFeed {
    TicketFeed::Changed {
        since: time(since),
        answers: false,
    }
}

fn ids(tickets: &[Ticket]) -> BTreeSet<u64> {
    tickets.iter().map(|it| it.id.0.parse().unwrap()).collect()
}

fn set(ids: &[u64]) -> BTreeSet<u64> {
    ids.iter().copied().collect()
}

fn qa_group() -> u64 {
    TicketOptions::default().group_id("QA").unwrap()
}

fn raise() -> TicketChange {
    TicketChange {
        priority: Some(Priority::Urgent),
        ..TicketChange::default()
    }
}
