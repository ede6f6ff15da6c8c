//! People at the screen beside a first sync: who becomes a VIP, whose title changes, and how long it takes until
//! Freshdesk shows it.

use chrono::{DateTime, TimeDelta, Utc};
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::freshdesk::{ContactSeed, FreshdeskSim, TicketSeed};
use deskbridge::sandbox::hubspot::{HubspotSim, Kind, Portal, Seed};
use deskbridge::sandbox::log::Keep;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Customers on both sides, each with an open ticket.
const CUSTOMERS: usize = 120;
/// From one edit to the next on average, in the simulators' seconds: VIPs and titles in turn.
const EVERY: f64 = 10.0;
/// Edits that are made however soon the first sync is over.
const LEAST_EDITS: usize = 48;
/// How often Freshdesk is looked at, in the machine's time.
const LOOK: Duration = Duration::from_millis(15);
/// When all customers were last changed.
const LONG_AGO: i64 = 1_750_000_000;
/// The API's number of the priority "urgent".
const URGENT: u64 = 4;
/// What a changed title says.
const TITLE: &str = "Director";

/// Somebody who is on both sides, with a ticket.
#[derive(Debug, Clone, Copy)]
struct Customer {
    crm: u64,
    desk: u64,
    ticket: u64,
}

/// What was done in the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    /// The customer became a VIP.
    Vip,
    /// The customer has another title.
    Title,
}

/// From an edit in the CRM until Freshdesk showed it, in the simulators' time.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    pub(crate) vips: Vec<TimeDelta>,
    pub(crate) titles: Vec<TimeDelta>,
}

/// Those who edit, and whom they have not edited yet.
#[derive(Debug)]
pub(crate) struct Editors<'a> {
    portal: &'a Portal,
    desk: &'a FreshdeskSim,
    clock: &'a SimClock,
    customers: Vec<Customer>,
}

/// Who is in which system when the first sync begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Population {
    /// People that only the CRM has.
    pub(crate) missing: usize,
    /// People on both sides, beside those who are edited.
    pub(crate) known: usize,
}

impl<'a> Editors<'a> {
    /// Puts everybody into both systems.
    pub(crate) fn populate(
        crm: &'a HubspotSim,
        desk: &'a FreshdeskSim,
        population: Population,
    ) -> Self {
        crm.backstage().log.keep(Keep::Counts);
        desk.backstage().log.keep(Keep::Counts);
        let long_ago = DateTime::from_timestamp(LONG_AGO, 0).unwrap();
        let both = CUSTOMERS + population.known;
        let seeds = (0..both + population.missing).map(in_the_crm);
        let known = crm.portal().populate(Kind::Contact, long_ago, seeds);
        let there = desk.populate_contacts((0..both).map(in_freshdesk));
        let tickets = desk.populate_tickets(there.iter().take(CUSTOMERS).map(|id| TicketSeed {
            requester_id: *id,
            created_at: Some(LONG_AGO),
            ..TicketSeed::default()
        }));
        let customers = known.unwrap().into_iter().zip(there).zip(tickets);
        Self {
            portal: crm.portal(),
            desk,
            clock: &desk.backstage().clock,
            customers: customers
                .map(|((crm, desk), ticket)| Customer { crm, desk, ticket })
                .collect(),
        }
    }

    /// Edits one after the other until `filled` says that the first sync is over, and waits until all have
    /// arrived.
    pub(crate) async fn edit(mut self, filled: &CancellationToken) -> Latencies {
        let mut random = StdRng::seed_from_u64(11);
        let mut latencies = Latencies::default();
        let mut waiting: Vec<(Edit, Customer, DateTime<Utc>)> = Vec::new();
        let (mut made, mut next) = (0_usize, self.clock.now());
        loop {
            let now = self.clock.now();
            waiting.retain(|(edit, customer, since)| {
                let arrived = self.has_arrived(*edit, *customer);
                match edit {
                    Edit::Vip if arrived => latencies.vips.push(now - *since),
                    Edit::Title if arrived => latencies.titles.push(now - *since),
                    _ => {}
                }
                !arrived
            });
            let goes_on = made < LEAST_EDITS || !filled.is_cancelled();
            if goes_on && now >= next {
                let edit = [Edit::Vip, Edit::Title][made % 2];
                waiting.extend(self.make(edit).map(|customer| (edit, customer, now)));
                made += 1;
                let wait = EVERY * 1000.0 * random.random_range(0.5..1.5);
                #[expect(clippy::cast_possible_truncation, reason = "some seconds")]
                let wait = TimeDelta::milliseconds(wait as i64);
                next = now + wait;
            }
            if !goes_on && waiting.is_empty() {
                return latencies;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Edits the next customer; nobody where all were edited.
    fn make(&mut self, edit: Edit) -> Option<Customer> {
        let customer = self.customers.pop()?;
        let property = match edit {
            Edit::Vip => ("customer_tier", "vip"),
            Edit::Title => ("jobtitle", TITLE),
        };
        let edited = self.portal.edit(Kind::Contact, customer.crm, &[property]);
        edited.unwrap();
        Some(customer)
    }

    fn has_arrived(&self, edit: Edit, customer: Customer) -> bool {
        match edit {
            Edit::Vip => self.desk.ticket(customer.ticket).unwrap().priority == URGENT,
            Edit::Title => {
                let title = self.desk.contact(customer.desk).unwrap().job_title;
                title.as_deref() == Some(TITLE)
            }
        }
    }
}

fn in_the_crm(number: usize) -> Seed {
    Seed {
        properties: vec![
            ("email", format!("p{number}@example.com")),
            ("firstname", format!("Given{}", number % 977)),
            ("lastname", format!("Family{number:06}")),
        ],
        company: None,
    }
}

fn in_freshdesk(number: usize) -> ContactSeed {
    ContactSeed {
        name: format!("Given{} Family{number:06}", number % 977),
        email: Some(format!("p{number}@example.com")),
        updated_at: Some(LONG_AGO),
        ..ContactSeed::default()
    }
}
