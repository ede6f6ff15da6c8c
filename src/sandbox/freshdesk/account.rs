//! The whole account: all kinds of records, ids, time, and what search still believes.

use super::budget::Budget;
use super::companies::Companies;
use super::contacts::Contacts;
use super::list::Pages;
use super::options::{Limits, Options};
use super::record::{Company, Contact};
use super::tickets::{Automations, Jobs, Ratings, Talk, Ticket, Tickets};
use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::HashMap;

/// The first id is beyond 32 bits, as real ones are.
const FIRST_ID: u64 = 158_018_000_000;

#[derive(Debug)]
pub(super) struct Account {
    pub(super) contacts: Contacts,
    pub(super) companies: Companies,
    pub(super) tickets: Tickets,
    pub(super) talk: Talk,
    pub(super) ratings: Ratings,
    pub(super) jobs: Jobs,
    pub(super) automations: Automations,
    /// How many mails calls of the API sent to customers.
    pub(super) mails: u64,
    pub(super) limits: Limits,
    pub(super) budget: Budget,
    pub(super) pages: Pages,
    /// API v2 is switched off for the account.
    pub(super) switched_off: bool,
    pub(super) old_contacts: Lagging<Contact>,
    pub(super) old_companies: Lagging<Company>,
    pub(super) old_tickets: Lagging<Ticket>,
    /// The agent to whom the key belongs.
    pub(super) agent: u64,
    last_id: u64,
    reads: u64,
    random: StdRng,
}

impl Account {
    pub(super) fn new(options: &Options) -> Self {
        let mut account = Self {
            contacts: Contacts::new(&options.schema),
            companies: Companies::new(&options.schema),
            tickets: Tickets::default(),
            talk: Talk::default(),
            ratings: Ratings::default(),
            jobs: Jobs::default(),
            automations: Automations::default(),
            mails: 0,
            limits: options.limits,
            budget: Budget::default(),
            pages: Pages::default(),
            switched_off: false,
            old_contacts: Lagging::default(),
            old_companies: Lagging::default(),
            old_tickets: Lagging::default(),
            agent: 0,
            last_id: FIRST_ID,
            reads: 0,
            random: StdRng::seed_from_u64(options.seed),
        };
        account.agent = account.next_id();
        account
    }

    /// Larger than all before it.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += self.random.random_range(1..=7);
        self.last_id
    }

    /// Differs from read to read.
    pub(super) fn nonce(&mut self) -> u64 {
        self.reads += 1;
        self.reads
    }
}

/// What search shows of records that changed a moment ago: how they were, `None` for not yet there.
#[derive(Debug)]
pub(super) struct Lagging<T>(HashMap<u64, (i64, Option<T>)>);

impl<T> Default for Lagging<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Lagging<T> {
    /// Search shows the record's `old` form for so long after `now`, in milliseconds since 1970; what it
    /// showed already, it goes on showing.
    pub(super) fn note(
        &mut self,
        id: u64,
        old: impl FnOnce() -> Option<T>,
        lag: TimeDelta,
        now: i64,
    ) {
        if lag <= TimeDelta::zero() {
            return;
        }
        let (until, shown) = self.0.entry(id).or_insert((0, None));
        if *until <= now {
            *shown = old();
        }
        *until = now + lag.num_milliseconds();
    }

    /// Forgets what the index has caught up with by `now`, in milliseconds.
    pub(super) fn catch_up(&mut self, now: i64) {
        self.0.retain(|_, (until, _)| *until > now);
    }

    /// Whether search shows an old form of the record, or none yet.
    pub(super) fn hides(&self, id: u64) -> bool {
        self.0.contains_key(&id)
    }

    /// The old forms of all records where search lags.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.values().filter_map(|(_, old)| old.as_ref())
    }
}
